"""gemma_pieces.py GEMMA4_VOCABULARY.gguf OUTPUT.gguf: the 262,144 tokens of Gemma's vocabulary as a sentencepiece vocabulary.

llama.cpp's source has Gemma's tokens only as Gemma 4 has them, with merges. Gemma 3 has pieces with scores, which fall with the number of the
piece. What is written here is read as Gemma 3's file is, and serves for `tokenizer.sh`.
"""

import struct
import sys

from gguf_metadata import ARRAY, STRING, metadata

UINT32, INT32, FLOAT32, BOOL = 4, 5, 6, 7


def string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def array(kind, values, packed):
    return struct.pack("<IIQ", ARRAY, kind, len(values)) + packed


def main():
    source, output = sys.argv[1:]
    keys = metadata(source)
    tokens, kinds = keys["tokenizer.ggml.tokens"], keys["tokenizer.ggml.token_type"]
    scores = [-float(number) for number in range(len(tokens))]
    entries = []
    # The shape of the network, which llama.cpp reads before the vocabulary.
    for key, value in keys.items():
        if key.startswith("tokenizer."):
            continue
        if isinstance(value, str):
            entries.append(string(key) + struct.pack("<I", STRING) + string(value))
        elif isinstance(value, bool):
            entries.append(string(key) + struct.pack("<I?", BOOL, value))
        elif isinstance(value, int):
            entries.append(string(key) + struct.pack("<II", UINT32, value))
        elif isinstance(value, float):
            entries.append(string(key) + struct.pack("<If", FLOAT32, value))
        elif isinstance(value[0], bool):
            entries.append(string(key) + array(BOOL, value, struct.pack(f"<{len(value)}?", *value)))
        else:
            entries.append(string(key) + array(INT32, value, struct.pack(f"<{len(value)}i", *value)))
    entries.append(string("tokenizer.ggml.model") + struct.pack("<I", STRING) + string("llama"))
    entries.append(string("tokenizer.ggml.tokens") + array(STRING, tokens, b"".join(string(token) for token in tokens)))
    entries.append(string("tokenizer.ggml.scores") + array(FLOAT32, scores, struct.pack(f"<{len(scores)}f", *scores)))
    entries.append(string("tokenizer.ggml.token_type") + array(INT32, kinds, struct.pack(f"<{len(kinds)}i", *kinds)))
    for name in ("bos", "eos", "unknown", "padding"):
        entries.append(string(f"tokenizer.ggml.{name}_token_id") + struct.pack("<II", UINT32, keys[f"tokenizer.ggml.{name}_token_id"]))
    entries.append(string("tokenizer.ggml.add_space_prefix") + struct.pack("<I?", BOOL, False))
    with open(output, "wb") as file:
        file.write(b"GGUF" + struct.pack("<IQQ", 3, 0, len(entries)) + b"".join(entries))


if __name__ == "__main__":
    main()
