"""Makes strings, asks llama.cpp's llama-tokenize for their tokens and writes both as JSON lines. See tokenizer.sh.

The tool is started once for hundreds of strings: they are joined by a control token. llama.cpp cuts a text at control tokens
before it does anything else, so each string is tokenised by itself, provided that no string contains the separator and that no
special token can lie across a separator's edge. Both are checked here. Strings with one separator's text go with the other one.
Strings that are to be read without special tokens cannot be joined that way; each of them is a run of its own.
"""

import json
import random
import subprocess
import sys
import tempfile

from gguf_metadata import metadata

SEPARATORS = ["<|endoftext|>", "<|im_end|>"]
CONTROL = 3
WHITESPACE = "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2003\u2007\u200a\u2028\u2029\u202f\u205f\u3000"
DIGITS = "0123456789" + "\u0663\u0967\u09ea\uff11\u00b2\u00bd\u2167\u3007\u2460\U0001d7d8\u0f33"
# First and last code points of some blocks, so that scripts appear in more than single characters.
BLOCKS = [
    (0x20, 0x7E), (0xA1, 0x17F), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x4FF), (0x5D0, 0x5EA), (0x600, 0x6FF),
    (0x900, 0x97F), (0xE00, 0xE7F), (0x1C80, 0x1C8F), (0x1E00, 0x1EFF), (0x2000, 0x206F), (0x20A0, 0x20CF),
    (0x2100, 0x218F), (0x2190, 0x22FF), (0x2460, 0x24FF), (0x3040, 0x30FF), (0x4E00, 0x9FFF), (0xA7C0, 0xA7FF),
    (0xAC00, 0xD7A3), (0xE000, 0xE00F), (0xFB00, 0xFB4F), (0xFE00, 0xFE0F), (0xFF00, 0xFFEF), (0x10D40, 0x10D90),
    (0x13000, 0x1345F), (0x13460, 0x134FF), (0x1D400, 0x1D7FF), (0x1F1E6, 0x1F1FF), (0x1F300, 0x1FAFF), (0x20000, 0x200FF),
    (0xE0100, 0xE01EF), (0xF0000, 0xF000F),
]
WORDS = (
    "the of and to in is that for it as was with be by on not he his but at are this have from or had an they which one you "
    "were all her she there would their we him been has when who will no more if out so up said what its about than into them "
    "can only other time new some could these two may first then do any like my now over such our man me even most made after "
    "capital France Paris island ocean migration bird phone model answer question function return while naïve café über "
    "Straße señor 東京 москва ελλάδα"
).split()
PIECES = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'LL", "'", "\"", ",", ".", "...", "!", "?!", ";", ":", " -- ",
          "—", "(", ")", "[", "]", "{", "}", "</", ">", "/>", "#include", "->", "==", "!=", "&&", "::", "\\n", "\t", "\n",
          "\r\n", "\n\n", "  ", "    ", "€", "%", "$5", "@", "_", "__init__", "http://", "👍", "👩‍👩‍👧", "e\u0301"]


def any_character(chance):
    while True:
        code = chance.randrange(0x110000)
        if not 0xD800 <= code <= 0xDFFF:
            return chr(code)


def strings(chance, specials):
    """The strings to tokenise, in a fixed order."""
    yield from ["", " ", "a", "Hello world", "Hello, y'all! How are you 😁 ?我想在apple工作1314151天～", "\x00", "\x00\x01\x02\x03"]
    for _ in range(220):
        yield "".join(any_character(chance) for _ in range(chance.randint(1, 24)))
    for _ in range(260):
        out = ""
        for _ in range(chance.randint(1, 5)):
            low, high = chance.choice(BLOCKS)
            out += "".join(chr(chance.randint(low, high)) for _ in range(chance.randint(1, 8)))
            out += chance.choice(["", "", " ", "\n", "'s", "7"])
        yield out
    for _ in range(160):
        runs = (chance.choice(WHITESPACE) * chance.choice([1, 1, 2, 3, 8]) for _ in range(chance.randint(1, 5)))
        yield chance.choice(["", "x", "1", "."]).join(runs) + chance.choice(["", "end", "2", "!"])
    for count in [1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 32, 33, 64, 127, 128, 129, 300]:
        yield from (" " * count, "\n" * count, "\t" * count, " " * count + "x", "a" * count, "=" * count, "7" * count)
    for _ in range(160):
        digits = "".join(chance.choice(DIGITS) for _ in range(chance.randint(1, 10)))
        yield chance.choice(["", " ", "  ", "x", "-", "$"]) + digits + chance.choice(["", " ", "%", "km", ",5", "\n"])
    for _ in range(260):
        out = ""
        for _ in range(chance.randint(2, 16)):
            out += chance.choice([" ", " ", " ", ""]) + chance.choice(chance.choice([WORDS, WORDS, PIECES]))
        yield out
    yield from specials
    for _ in range(160):
        out = ""
        for _ in range(chance.randint(1, 5)):
            special = chance.choice(specials)
            start, end = sorted(chance.randint(0, len(special)) for _ in range(2))
            out += chance.choice([special, special, special[:end], special[start:], " ", "\n", "user", "x", "<", "|>"])
        yield out
    for _ in range(60):
        yield "".join(chr(chance.randint(0, 0x9F)) for _ in range(chance.randint(1, 12)))


def literal_strings(specials):
    """Strings that are read without special tokens."""
    yield from specials
    yield "<|im_start|>system\nYou are<|im_end|>\n<|im_start|>user\n"
    yield "a <|endoftext|> b<|endoftext|><repo_name>x"


def tokenize(tool, model, text, *options):
    """The ids that the tool gives for a text."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(text.encode())
        file.flush()
        command = [tool, "-m", model, "-f", file.name, "--ids", "--no-bos", "--no-escape", "--log-disable", *options]
        result = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return json.loads(result.stdout)


def joined(tool, model, texts, separator, separator_id):
    """The ids of every text, from one run."""
    ids, lists = tokenize(tool, model, separator.join(texts)), [[]]
    for token in ids:
        if token == separator_id:
            lists.append([])
        else:
            lists[-1].append(token)
    if len(lists) != len(texts):
        raise SystemExit(f"{len(texts)} strings, but {len(lists)} lists of tokens")
    return lists


def main():
    if len(sys.argv) not in (4, 6):
        raise SystemExit("usage: tokenizer.sh LLAMA_TOKENIZE MODEL.gguf OUTPUT.jsonl [SEPARATOR SEPARATOR]")
    tool, model, output, *separators = sys.argv[1:]
    SEPARATORS[:] = separators or SEPARATORS
    keys = metadata(model)
    tokens = keys["tokenizer.ggml.tokens"]
    specials = [text for text, kind in zip(tokens, keys["tokenizer.ggml.token_type"]) if kind == CONTROL]
    if any(text.rfind("<") != 0 or text.find(">") != len(text) - 1 for text in specials):
        raise SystemExit("a special token could lie across a separator's edge")
    cases = {}
    for text in strings(random.Random(20261122), specials):
        separators = [separator for separator in SEPARATORS if separator not in text]
        if separators:
            cases.setdefault(text, separators[0])
    ids = {}
    for separator in SEPARATORS:
        texts = [text for text, chosen in cases.items() if chosen == separator]
        ids.update(zip(texts, joined(tool, model, texts, separator, tokens.index(separator))))
    lines = [{"text": text, "parse_special": True, "ids": ids[text]} for text in cases]
    for text in literal_strings(specials):
        found = tokenize(tool, model, text, "--no-parse-special")
        lines.append({"text": text, "parse_special": False, "ids": found})
    with open(output, "w", encoding="ascii", newline="\n") as file:
        for line in lines:
            file.write(json.dumps(line, separators=(",", ":")) + "\n")
    print(f"{len(lines)} strings, {sum(len(line['ids']) for line in lines)} tokens")


if __name__ == "__main__":
    main()
