#!/usr/bin/env bash
# Runs the commands below on this machine and draws what the terminal showed as docs/demo.svg, the picture in the README.
source "$(dirname "$0")/common.sh"

model=smollm2-135m-instruct
whimbrel=${CARGO_TARGET_DIR:-target}/release/whimbrel

cargo build --release --locked --package whimbrel-cli
"$whimbrel" models pull "$model" >&2
python3 - "$whimbrel" docs/demo.svg "$model" <<'PYTHON'
import html, subprocess, sys, textwrap

program, picture, model = sys.argv[1:]
COLUMNS, LINE, CHARACTER, MARGIN = 104, 19, 7.83, 18
RECORDED = [
    ["demo"],
    ["run", "--model", model, "--threads", "1", "--stats", "--prompt", "What is the capital of France?"],
    ["bench", "--model", model, "--threads", "1"],
]

lines = []
for arguments in RECORDED:
    shown = " ".join(f'"{word}"' if " " in word else word for word in arguments)
    # Broken before a flag, where a shell takes it too.
    rows = ["$ whimbrel"]
    for part in shown.replace(" --", "\n--").split("\n"):
        fits = len(rows[-1]) + len(part) + 3 <= COLUMNS
        rows[-1:] = [f"{rows[-1]} {part}"] if fits else [f"{rows[-1]} \\", f"    {part}"]
    lines += [("command", row) for row in rows]
    ended = subprocess.run([program, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    # `measuring` is what progress becomes when nobody watches.
    errors = [line for line in ended.stderr.splitlines() if line != "measuring"]
    for kind, text in [("answer", ended.stdout.rstrip("\n").splitlines()), ("figures", errors)]:
        for line in text:
            lines += [(kind, part) for part in textwrap.wrap(line, COLUMNS, drop_whitespace=False) or [""]]
    lines.append(("answer", ""))
lines.pop()

width, height = round(COLUMNS * CHARACTER) + 2 * MARGIN, len(lines) * LINE + 2 * MARGIN
colours = {"command": "#8ec07c", "answer": "#ebdbb2", "figures": "#928374"}
with open(picture, "w", encoding="utf-8") as file:
    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">', file=file)
    print("<title>whimbrel in a terminal</title>", file=file)
    print(f'<rect width="{width}" height="{height}" rx="8" fill="#1d2021"/>', file=file)
    print('<g font-family="ui-monospace, Menlo, Consolas, DejaVu Sans Mono, monospace" font-size="13" xml:space="preserve">', file=file)
    for row, (kind, text) in enumerate(lines):
        y = MARGIN + LINE * row + 13
        print(f'<text x="{MARGIN}" y="{y}" fill="{colours[kind]}">{html.escape(text)}</text>', file=file)
    print("</g>\n</svg>", file=file)
PYTHON
say "docs/demo.svg is new"
