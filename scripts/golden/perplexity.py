#!/usr/bin/env python3
"""Rewrites llama.cpp's perplexities of the models that the fidelity test measures.

    scripts/golden/perplexity.py LLAMA_PERPLEXITY TEXT OUTPUT.json NAME=MODEL.gguf...

Each figure stands beside the SHA-256 of the file it was measured on, so that the test can show that it measures the same file.
Needs python3 without packages. THREADS sets llama.cpp's threads, by default one a core.
"""

import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

ENGINE = "llama.cpp, as in the source package llama-cpp-python 0.3.36"
CONTEXT = 512
ATTEMPTS = 5
# Of the random models there are many, and the beginning of the text tells as much.
CHUNKS_OF_RANDOM_MODELS = 8


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


def measure(program, text, model, chunks):
    threads = os.environ.get("THREADS") or str(os.cpu_count())
    arguments = [program, "-m", model, "-f", text, "-c", str(CONTEXT), "-t", threads] + (["--chunks", str(chunks)] if chunks else [])
    # The tool now and then ends before its last line is written.
    for _ in range(ATTEMPTS):
        output = subprocess.run(arguments, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        # The tool writes progress and result from two threads: a line may begin in the middle of another.
        chunks = re.search(r"calculating perplexity over (\d+) chunks", output.stderr)
        estimate = re.search(r"Final estimate: PPL = ([0-9.]+)", output.stderr)
        if chunks and estimate:
            break
    else:
        sys.exit(f"{model}: llama-perplexity gave no estimate:\n{output.stderr[-2000:]}")
    # Eight digits: a random model's figure has more than it means.
    return float(f"{float(estimate.group(1)):.8g}"), int(chunks.group(1))


def main():
    program, text, output, *models = sys.argv[1:]
    figures = {}
    for name, path in (model.split("=", 1) for model in models):
        perplexity, chunks = measure(program, text, path, CHUNKS_OF_RANDOM_MODELS if name.startswith("synthetic-") else None)
        print(f"{name}: {perplexity} over {chunks} chunks", file=sys.stderr)
        figures[name] = {"perplexity": perplexity, "chunks": chunks, "sha256": sha256(path)}
    golden = {
        "engine": ENGINE,
        "text": {"file": pathlib.Path(text).name, "sha256": sha256(text)},
        "context_length": CONTEXT,
        "models": figures,
    }
    pathlib.Path(output).write_text(json.dumps(golden, indent=2) + "\n")


if __name__ == "__main__":
    main()
