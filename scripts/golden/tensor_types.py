#!/usr/bin/env python3
"""tensor_types.py OUTPUT: random blocks of every tensor type that an import decodes, with the values that GGML's own Python package makes of them."""

import json
import sys

import numpy
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize

# Where a block has half-precision numbers.
HALVES = {
    "Q4_0": [0],
    "Q4_1": [0, 2],
    "Q5_0": [0],
    "Q5_1": [0, 2],
    "Q8_0": [0],
    "Q2_K": [80, 82],
    "Q3_K": [108],
    "Q4_K": [0, 2],
    "Q5_K": [0, 2],
    "Q6_K": [208],
    "IQ4_NL": [0],
    "IQ4_XS": [0],
}


def main(output):
    random = numpy.random.default_rng(1)
    rows = []
    for name, halves in HALVES.items():
        tensor_type = GGMLQuantizationType[name]
        values, size = GGML_QUANT_SIZES[tensor_type]
        blocks = random.integers(0, 256, (max(1, 64 // values), size), dtype=numpy.uint8)
        for block in blocks:
            for place in halves:
                half = numpy.float16(random.uniform(-0.1, 0.1))
                block[place : place + 2] = numpy.frombuffer(half.tobytes(), dtype=numpy.uint8)
        decoded = dequantize(blocks.reshape(-1), tensor_type)
        rows.append({"type": name, "blocks": blocks.tobytes().hex(), "values": [float(value) for value in decoded.reshape(-1)]})
    with open(output, "w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
