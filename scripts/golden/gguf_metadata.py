"""Reads the metadata of a GGUF file: keys and values, no tensors. Only for the scripts here, which trust their files."""

import struct

SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9


class Reader:
    def __init__(self, file):
        self.file = file

    def scalar(self, code):
        return struct.unpack("<" + code, self.file.read(struct.calcsize("<" + code)))[0]

    def value(self, kind):
        if kind == STRING:
            return self.file.read(self.scalar("Q")).decode()
        if kind == ARRAY:
            kind, count = self.scalar("I"), self.scalar("Q")
            return [self.value(kind) for _ in range(count)]
        return self.scalar(SCALARS[kind])


def metadata(path):
    """All keys of the file with their values."""
    with open(path, "rb") as file:
        reader = Reader(file)
        if file.read(4) != b"GGUF" or reader.scalar("I") not in (2, 3):
            raise SystemExit(f"{path} is not a GGUF file of version 2 or 3")
        _tensors, keys = reader.scalar("Q"), reader.scalar("Q")
        return {reader.value(STRING): reader.value(reader.scalar("I")) for _ in range(keys)}
