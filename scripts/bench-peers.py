#!/usr/bin/env python3
"""bench-peers.py WHIMBREL LLAMA_BIN MODELS ROUNDS [CASE…]: runs both engines alternately on the same weights and prints a table."""

import csv
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

# model, threads, prompt tokens (0: decode), decoded tokens, tokens in the cache when decoding starts, more flags of ours
CASES = {
    "decode-q4_0-1": ("q4_0", 1, 0, 64, 128, []),
    "decode-q4_0-2": ("q4_0", 2, 0, 64, 128, []),
    "decode-q4_0-1-deep": ("q4_0", 1, 0, 32, 2000, []),
    "prefill128-q4_0-1": ("q4_0", 1, 128, 0, 0, []),
    "prefill128-q4_0-2": ("q4_0", 2, 128, 0, 0, []),
    "prefill512-q4_0-1": ("q4_0", 1, 512, 0, 0, []),
    "prefill512-q4_0-2": ("q4_0", 2, 512, 0, 0, []),
    "decode-shipped-1": ("shipped", 1, 0, 64, 128, []),
    "prefill512-shipped-1": ("shipped", 1, 512, 0, 0, []),
    "decode-q8_0-1": ("q8_0", 1, 0, 64, 128, []),
    "prefill512-q8_0-1": ("q8_0", 1, 512, 0, 0, []),
    **{
        f"{kind}-{model}-1": (model, 1, prompt, decode, depth, [])
        for model in ["q5_0", "iq4_nl", "q4_k-1024", "q4_k-2048", "q6_k-1024", "q5_0-896", "gemma"]
        for kind, prompt, decode, depth in [("decode", 0, 64, 128), ("prefill512", 512, 0, 0)]
    },
    "decode-q4_0-1-huge": ("q4_0", 1, 0, 64, 128, ["--huge-pages"]),
    "decode-q4_0-1-deep-huge": ("q4_0", 1, 0, 32, 2000, ["--huge-pages"]),
}

# SmolLM2-135M: 30 layers of 3 heads of 64 keys and as many values, two bytes each.
KV_BYTES_A_POSITION = 30 * 2 * 3 * 64 * 2


def output(command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout


def ours(whimbrel, models, case):
    model, threads, prompt, decode, depth, flags = case
    command = [whimbrel, "bench", "--json", "--model", f"{models}/{model}", "--threads", threads, "--repetitions", 1]
    if prompt:
        command += ["--prompt-tokens", prompt, "--decode-tokens", 1]
    else:
        command += ["--prompt-tokens", 16, "--decode-tokens", decode, "--context-depth", depth]
    facts = json.loads(output([str(word) for word in command + flags]))
    return facts["prefill_tokens_per_second" if prompt else "decode_tokens_per_second"]["median"]


def llama(binaries, models, case):
    """Its better figure of `-fa 0` and `-fa 1`."""
    model, threads, prompt, decode, depth, _ = case
    command = [f"{binaries}/llama-bench", "-m", f"{models}/{model}.gguf", "-t", threads, "-fa", "0,1", "-r", 1, "-o", "csv"]
    command += ["-p", prompt, "-n", decode] + (["-d", depth] if depth else [])
    rows = csv.DictReader(io.StringIO(output([str(word) for word in command])))
    return max(float(row["avg_ts"]) for row in rows)


def start(command, first):
    """Seconds until `first` is on standard output, and the peak of resident memory in MB."""
    with tempfile.TemporaryFile() as errors:
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors)
        seen = b""
        while not first(seen):
            chunk = os.read(process.stdout.fileno(), 4096)
            if not chunk:
                break
            seen += chunk
        seconds = time.monotonic() - began
        process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.stdout.close()
        if status:
            sys.exit(f"failed: {' '.join(command)}")
    return seconds, usage.ru_maxrss * 1024 / 1e6


def row(name, unit, ours, theirs, larger_is_better):
    a, b = statistics.median(ours), statistics.median(theirs)
    spread = lambda values: f"{min(values):.{digits}f} to {max(values):.{digits}f}"
    digits = 1 if a >= 10 else 3
    print(f"{name:<26} {a:>9.{digits}f} ({spread(ours)})  {b:>9.{digits}f} ({spread(theirs)})  {unit:<9} {a / b:.2f}×"
          + ("" if larger_is_better else " (smaller is better)"), flush=True)


def reading():
    """Bytes a second that one thread reads out of memory, as the kernels' bench measures them; None when it does not run."""
    bench = ["cargo", "bench", "--quiet", "--locked", "--package", "whimbrel-kernels", "--bench", "kernels", "--", "read"]
    try:
        lines = output(bench).splitlines()
    except (OSError, subprocess.CalledProcessError):
        return None
    found = [line for line in lines if line.startswith("plain reading, 1 threads")]
    words = found[0].split() if found else []
    return float(words[words.index("GB/s") - 1]) * 1e9 if "GB/s" in words else None


def share(whimbrel, models, rate, limit):
    """What decoding reads a second, as a share of what one thread can read."""
    facts = json.loads(output([whimbrel, "inspect", "--json", f"{models}/q4_0"]))
    variant = facts["manifest"]["variants"][0]
    # Half-precision keys and values of 160 positions on average: 64 tokens are decoded after 128.
    bytes_a_token = variant["bytes_per_token"] + 160 * KV_BYTES_A_POSITION
    print(
        f"  {bytes_a_token / 1e6:.1f} MB a token: {bytes_a_token * rate / 1e9:.1f} GB/s of {limit / 1e9:.1f} GB/s that a thread reads: "
        f"{bytes_a_token * rate / limit:.0%}"
    )


# A text of which the answer repeats nearly everything, and one of which it repeats nothing.
REPEATED = (
    "Repeat the following text word for word, then stop.\n\nThe whimbrel is a large wader of the curlew family. It breeds across much of "
    "subarctic North America, Asia and Europe as far south as Scotland. In winter it flies to the coasts of Africa, South America, and "
    "south Asia into Australasia, and crosses oceans on what it carries. It is fairly gregarious outside the breeding season, and "
    "probes soft mud for small invertebrates with its long curved bill."
)
UNRELATED = "Tell me something about how volcanoes are formed, in your own words."


def speculation(whimbrel, models, rounds):
    """Answers with and without guessing ahead: their rates, and that they are the same."""
    for name, prompt in (("guessing, repeated text", REPEATED), ("guessing, unrelated text", UNRELATED)):
        rates = {True: [], False: []}
        texts = set()
        for guessing in [True, False] * rounds:
            command = [whimbrel, "run", "--json", "--model", f"{models}/shipped", "--threads", "1", "--max-tokens", "110", "--prompt", prompt]
            facts = json.loads(output(command + ([] if guessing else ["--no-speculation"])))
            rates[guessing].append(facts["decode_tokens_per_second"])
            texts.add(facts["text"])
        row(name, "tokens/s", rates[True], rates[False], True)
        if len(texts) != 1:
            sys.exit(f"{name}: the answers differ")


def restoring(whimbrel, models, rounds):
    """Milliseconds to begin with the saved keys and values of 1,000 tokens, beside reading the tokens."""
    command = [whimbrel, "bench", "--json", "--model", f"{models}/q4_0", "--threads", "1", "--repetitions", "1"]
    command += ["--prompt-tokens", "1000", "--decode-tokens", "1"]
    runs = [json.loads(output(command)) for _ in range(rounds)]
    reads = [1e6 / facts["prefill_tokens_per_second"]["median"] for facts in runs]
    row("1,000 tokens, restored", "ms", [facts["prefix_restore_ms"] for facts in runs], reads, False)


def main():
    whimbrel, binaries, models, rounds, *wanted = sys.argv[1:]
    rounds = int(rounds)
    features = json.loads(output([whimbrel, "doctor", "--json"]))
    print("machine:", json.dumps(features)[:600])
    print(f"load before: {os.getloadavg()[0]:.2f}; {rounds} rounds, alternating; median (smallest to largest), ours and llama.cpp's better of -fa 0 and 1\n")
    for name, case in CASES.items():
        if wanted and name not in wanted:
            continue
        if not os.path.exists(f"{models}/{case[0]}.gguf"):
            print(f"{name}: left out, there is no {case[0]}.gguf")
            continue
        a, b = [], []
        for _ in range(rounds):
            a.append(ours(whimbrel, models, case))
            b.append(llama(binaries, models, case))
        row(name, "tokens/s", a, b, True)
        if name == "decode-q4_0-1":
            limits = [limit for limit in (reading() for _ in range(3)) if limit]
            if limits:
                share(whimbrel, models, statistics.median(a), statistics.median(limits))
    if not wanted or "start" in wanted:
        mine = [whimbrel, "run", "--raw", "--model", f"{models}/q4_0", "--prompt", "Hello", "--max-tokens", "1", "--threads", "1"]
        # llama-simple prints the prompt before it computes.
        theirs = [f"{binaries}/llama-simple", "-m", f"{models}/q4_0.gguf", "-n", "1", "Hello"]
        runs = [(start(mine, lambda seen: len(seen) > 0), start(theirs, lambda seen: False)) for _ in range(rounds + 1)][1:]
        row("start to first token", "s", [a[0] for a, _ in runs], [b[0] for _, b in runs], False)
        row("peak memory of that run", "MB", [a[1] for a, _ in runs], [b[1] for _, b in runs], False)
    if not wanted or "ourselves" in wanted:
        print("\nbeside ourselves: with, and without or in the plain way")
        speculation(whimbrel, models, rounds)
        restoring(whimbrel, models, rounds)


main()
