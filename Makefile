# The targets that people use. Each is one line that calls the real tool.

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench bench-peers bench-bindings bindings packages reference gemma-test fuzz miri avx512-test cloud-check forms-check telemetry-check test-data android-test android-apk android-screens arm-estimate arm-counts

help: ## print the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

demo: ## see what a cloud service would get of a letter, and chat with SmolLM2; PROMPT="…" asks one question
	@scripts/demo.sh

test: ## run every test suite and set up what it needs
	@scripts/test.sh

lint: ## formatting, clippy, licences, shell scripts, plain English, things that must not land
	@scripts/lint.sh

bench: ## measure the kernels, and load, prefill and decode of SmolLM2
	@scripts/bench.sh

bench-peers: ## compare with llama.cpp, in alternating runs
	@scripts/bench-peers.sh

bench-bindings: ## measure the overhead of the Kotlin package over the command
	@scripts/bench-bindings.sh

bindings: ## regenerate the Kotlin and Swift sources
	@scripts/bindings.sh

packages: ## make the Kotlin and the Swift package for apps on this machine
	@scripts/app-packages.sh

reference: ## build llama.cpp and rewrite the golden figures
	@scripts/reference.sh

gemma-test: ## test with Gemma 3 270M, whose terms have to be accepted: ACCEPT_TERMS=yes
	@scripts/gemma-test.sh

fuzz: ## run every fuzz target for 60 seconds
	@scripts/fuzz.sh

miri: ## run the kernels' shared-memory tests in Miri, which finds data races and invalid accesses
	@scripts/miri.sh

avx512-test: ## run the kernels' tests on an emulated processor with AVX-512 VNNI
	@scripts/avx512-test.sh --package whimbrel-kernels

arm-estimate: ## estimate the cycles of the ARM kernels from models of their cores
	@scripts/arm-estimate.sh

arm-counts: ## count the instructions of SmolLM2's work on ARM, beside those of ggml
	@scripts/arm-counts.sh

cloud-check: ## test the network crate against llama.cpp's server
	@scripts/cloud-check.sh

forms-check: ## check 2,000 answers under random forms with another validator
	@scripts/forms-check.sh

telemetry-check: ## check what collectors make of the telemetry of 10,000 requests
	@scripts/telemetry-check.sh

test-data: ## prepare the models and vectors for tests
	@scripts/test-data.sh

android-test: ## compile the Android app and test it on this machine, with the real core
	@scripts/android-test.sh

android-apk: ## pack the app into an APK; BUNDLE=folder includes a model
	@scripts/android-apk.sh $(BUNDLE)

android-screens: ## regenerate the pictures of the app
	@scripts/android-screens.sh
