#!/usr/bin/env python3
"""prose.py [FILE…]: looks for the phrases of scripts/prose.txt in the documentation, and prints each with its position and advice.

It reads the Markdown files and the documentation of public items in Rust, Kotlin and Swift, but not code or names in backquotes. Without
arguments it reads all of them. It fails if it finds a phrase.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILES = [
    "README.md", "CONTRIBUTING.md", "SECURITY.md", "android-app/README.md", "rust-core/privacy/data/README.md", "docs/*.md",
    "rust-core/*/src/*.rs", "bindings/ffi/src/*.rs", "bindings/kotlin/whimbrel/src/main/*.kt", "bindings/kotlin/android/src/main/*.kt",
    "bindings/swift/Sources/Whimbrel/*.swift",
]  # fmt: skip
# The command's documentation comments are its help, and the tools that tests share are not public.
LEFT_OUT = ("rust-core/cli/", "rust-core/testing/", "/tests/", "/tests.rs")
COMMENT = {".rs": r"\s*(//!|///(?!/))", ".swift": r"\s*(///)", ".kt": r"\s*(/\*\*|\*)"}
PRIVATE_ITEM = re.compile(r"(pub\(|((async|unsafe|const|static) )*(fn|struct|enum|trait|mod|type|impl|use|let|union|macro_rules!)\b|(const|static)\b)")
Blocks = Iterator[tuple[int, list[str]]]


def phrases() -> list[tuple[re.Pattern, str]]:
    lines = (ROOT / "scripts/prose.txt").read_text().splitlines()
    pairs = (line.split("\t") for line in lines if line and not line.startswith("#"))
    return [(re.compile(pattern, re.I | re.M), advice) for pattern, advice in pairs]


def paragraphs(lines: list[str], first: int = 0) -> Blocks:
    """The paragraphs outside of code, each with the number of its first line."""
    block: list[str] = []
    is_code = False
    for number, line in enumerate([*lines, ""], first):
        is_fence = line.lstrip().startswith("```")
        if line.strip() and not is_fence and not is_code:
            block.append(line)
        elif block:
            yield number - len(block), block
            block = []
        is_code ^= is_fence


def comments(lines: list[str], kind: str) -> Blocks:
    """The paragraphs of documentation; in Rust, of public items only."""
    comment = re.compile(COMMENT[kind])
    outer = ""
    number = 0
    while number < len(lines):
        mark = comment.match(lines[number])
        if not mark:
            if re.match(r"[a-z]", lines[number]):
                outer = lines[number]
            if lines[number].startswith("mod tests {"):
                return
            number += 1
            continue
        end = number
        while end < len(lines) and (each := comment.match(lines[end])) and (kind == ".kt" or each[1] == mark[1]):
            end += 1
        if kind != ".rs" or mark[1] == "//!" or is_public(lines, end, outer):
            yield from paragraphs([re.sub(r"^ |\*/\s*$", "", comment.sub("", line, 1)) for line in lines[number:end]], number)
        number = end


def is_public(lines: list[str], number: int, outer: str) -> bool:
    """Whether other crates see the item whose attributes or first line are at `number`, inside the item that starts with the line `outer`."""
    depth = 0
    while number < len(lines) and (depth > 0 or lines[number].lstrip().startswith("#[")):
        depth += lines[number].count("[") - lines[number].count("]")
        number += 1
    item = lines[number].lstrip() if number < len(lines) else ""
    if PRIVATE_ITEM.match(item):
        return item.startswith("fn ") and outer.startswith("pub trait")
    return item.startswith("pub ") or outer.startswith("pub enum")


def problems(path: Path, listed: list[tuple[re.Pattern, str]]) -> Iterator[str]:
    lines = path.read_text().splitlines()
    for first, block in paragraphs(lines) if path.suffix == ".md" else comments(lines, path.suffix):
        original = "\n".join(block)
        # Names and addresses are not prose. A phrase may go over the end of a line, but not from one row of a table to the next. Lengths stay.
        text = re.sub(r"`[^`\n]*`|\]\([^)\n]*\)", lambda part: "_" * len(part.group()), original)
        text = re.sub(r"\n(?![|\-#]|\d+\.)", " ", text)
        for pattern, advice in listed:
            for match in pattern.finditer(text):
                line = first + original[: match.start()].count("\n") + 1
                yield f'{path.relative_to(ROOT)}:{line}: "{match.group().strip()}": {advice}'


def main() -> int:
    paths = [Path(name).resolve() for name in sys.argv[1:]]
    if not paths:
        command = ["git", "-C", str(ROOT), "ls-files", "--", *FILES]
        names = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
        paths = [ROOT / name for name in names if not any(part in name for part in LEFT_OUT)]
    listed = phrases()
    found = [problem for path in paths for problem in problems(path, listed)]
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
