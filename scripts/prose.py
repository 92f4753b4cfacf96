#!/usr/bin/env python3
"""prose.py [FILE…]: looks for the phrases of scripts/prose.txt in the documentation and the messages, and prints each with its position
and advice.

It reads the Markdown files, the documentation of public items in Rust, Kotlin and Swift, the help of the command, the app's strings, and
every string of at least three words outside of tests. It does not read code or names in backquotes. Without arguments it reads all of them.
It fails if it finds a phrase.
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
    "bindings/swift/Sources/Whimbrel/*.swift", "android-app/app/src/main/res/values/strings.xml",
]  # fmt: skip
# The tools that tests share are not public.
LEFT_OUT = ("rust-core/testing/", "/tests/", "/tests.rs")
COMMAND = "rust-core/cli/"
COMMENT = {".rs": r"\s*(//!|///(?!/))", ".swift": r"\s*(///)", ".kt": r"\s*(/\*\*|\*)"}
PRIVATE_ITEM = re.compile(r"(pub\(|((async|unsafe|const|static) )*(fn|struct|enum|trait|mod|type|impl|use|let|union|macro_rules!)\b|(const|static)\b)")
# A comment or a character, which may contain quotes, or a string.
LITERAL = re.compile(r"""//[^\n]*|/\*.*?\*/|'(?:[^'\\\n]|\\[^'\n]+|\\')'|r(#*)"(?P<raw>.*?)"\1|"(?P<text>(?:[^"\\]|\\.)*)["]""", re.DOTALL)
ELEMENT = re.compile(r"<!--.*?-->|<(?:string|item)\b[^>]*>(?P<text>.*?)</", re.DOTALL)
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


def comments(lines: list[str], kind: str, private: bool = False) -> Blocks:
    """The paragraphs of documentation; in Rust, of public items only unless `private`."""
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
        if private or kind != ".rs" or mark[1] == "//!" or is_public(lines, end, outer):
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


def strings(text: str, kind: str) -> Blocks:
    """The strings of at least three words, each as one line with the number of its first one. Names of values in them are left out."""
    text = text.partition("\n#[cfg(test)]\nmod tests {")[0]
    for match in (ELEMENT if kind == ".xml" else LITERAL).finditer(text):
        words = match.groupdict().get("raw") or match["text"] or ""
        words = re.sub(r"\\?\s*\n\s*", " ", words)
        words = re.sub(r"\{[^{}]*\}|%\d\$[.\d]*\w", "_", words)
        if len(re.findall(r"[A-Za-z]{2,}", words)) >= 3:
            yield text.count("\n", 0, match.start()), [words]


def blocks(path: Path) -> Blocks:
    """Everything in a file that a person reads."""
    text = path.read_text()
    lines = text.splitlines()
    if path.suffix == ".md":
        yield from paragraphs(lines)
        return
    yield from strings(text, path.suffix)
    if path.suffix in COMMENT:
        # The help of the command has no full stop, unlike the rest of its documentation, which only we read.
        is_help = path.is_relative_to(ROOT / COMMAND)
        yield from (block for block in comments(lines, path.suffix, is_help) if not (is_help and block[1][-1].endswith((".", ":"))))


def problems(path: Path, listed: list[tuple[re.Pattern, str]]) -> Iterator[str]:
    for first, block in blocks(path):
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
