# The verbs a person types. Each is a line that calls the real tool.

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench bench-peers bench-bindings bindings packages reference fuzz miri cloud-check test-data android-test android-apk android-screens

help: ## print the verbs
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

demo: ## talk to SmolLM2 on this machine; PROMPT="…" asks one question
	@scripts/demo.sh

test: ## run every suite, setting up what it needs
	@scripts/test.sh

lint: ## formatting, clippy, licences, shell scripts, things that must not land
	@scripts/lint.sh

bench: ## measure the kernels, and load, prefill and decode on SmolLM2
	@scripts/bench.sh

bench-peers: ## the same work in llama.cpp, run alternately
	@scripts/bench-peers.sh

bench-bindings: ## what the Kotlin package costs beside the command
	@scripts/bench-bindings.sh

bindings: ## generate the Kotlin and Swift sources again
	@scripts/bindings.sh

packages: ## make the Kotlin and the Swift package for apps on this machine
	@scripts/app-packages.sh

reference: ## build llama.cpp and rewrite the golden figures
	@scripts/reference.sh

fuzz: ## run every fuzz target for 60 seconds
	@scripts/fuzz.sh

miri: ## run the kernels' shared memory in Miri, which finds races and stray accesses
	@scripts/miri.sh

cloud-check: ## let the network crate talk to llama.cpp's server
	@scripts/cloud-check.sh

test-data: ## prepare the models and vectors that tests read
	@scripts/test-data.sh

android-test: ## compile the Android app and test it here, with the real core
	@scripts/android-test.sh

android-apk: ## pack the app into an APK; BUNDLE=folder puts a model in
	@scripts/android-apk.sh $(BUNDLE)

android-screens: ## write the pictures of the app anew
	@scripts/android-screens.sh
