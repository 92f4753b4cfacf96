#!/usr/bin/env python3
"""arm-loops.py LISTING [CORE…]: the inner loops of the ARM kernels in a disassembly, and what llvm-mca makes of them.

The listing is `llvm-objdump --demangle` of the kernels. A loop is found by its function's name and its backward branch, and has to contain exactly
the multiply-adds of its tile. `--show NAME` prints the loops whose name contains NAME instead."""

import json
import re
import subprocess
import sys

# The cores whose scheduling model in LLVM is their own, and whether they have matrix products.
CORES = {"cortex-a510": True, "neoverse-n1": False, "neoverse-n2": True, "neoverse-v1": True, "neoverse-v2": True}

# Columns that share a scale, and parts of a block.
FORMATS = {"Q4_0": (32, 1), "Q4_1": (32, 1), "Q5_0": (32, 1), "Q8_0": (32, 1), "Iq4Nl": (32, 1), "Q4K": (32, 8), "Q6K": (16, 16)}
LEVELS = {"with_dot_products": "sdot", "with_matrix_products": "smmla", "with_products": "neon"}
PANEL_ROWS = 16

# Multiply-adds of an instruction.
MULTIPLY_ADDS = {"sdot": 16, "smmla": 32, "smlal": 8, "smlal2": 8, "smull": 8, "smull2": 8}

BRANCH = re.compile(r"(b|b\.\w+|cbn?z|tbn?z)$")
MEMORY = re.compile(r"(.*)\[(\w+)(?:, #(-?0x[0-9a-f]+|-?\d+))?\](!|, #(-?0x[0-9a-f]+|-?\d+))?$")


class Instruction:
    def __init__(self, address, name, operands):
        self.address, self.name, self.operands = address, name, operands
        target = re.search(r"0x([0-9a-f]+)$", operands)
        self.target = int(target[1], 16) if BRANCH.match(name) and target else None

    def __str__(self):
        return f"{self.name} {self.operands}"

    def is_stack_load(self):
        return self.name.startswith("ld") and re.search(r"\[(sp|x29)\b", self.operands) is not None


def functions(listing):
    """Name and instructions of each function."""
    name, body = None, []
    for line in listing:
        head = re.match(r"[0-9a-f]+ <(.*)>:$", line)
        if head:
            if name:
                yield name, body
            name, body = head[1], []
            continue
        found = re.match(r"\s*([0-9a-f]+):\s+(\S+)\s*(.*?)(\s*//.*)?$", line)
        if found and name:
            operands = re.sub(r"\s*<.*>$", "", found[3].replace("\t", " "))
            body.append(Instruction(int(found[1], 16), found[2], operands))
    if name:
        yield name, body


def loops(body):
    """The innermost loops: from a branch's target to the last branch back to it, with no smaller loop inside."""
    ends = {}
    for instruction in body:
        if instruction.target is not None and instruction.target <= instruction.address:
            ends[instruction.target] = max(ends.get(instruction.target, 0), instruction.address)
    for start, end in ends.items():
        if any(other != start and start <= other and last <= end for other, last in ends.items()):
            continue
        yield [each for each in body if start <= each.address <= end]


def path(loop, prefetches):
    """The instructions of one turn: those that a branch inside jumps over are left out where they only prefetch and the tile does not."""
    starts = {each.target for each in loop if each.target is not None}
    blocks = [[]]
    for instruction in loop:
        if instruction.address in starts and blocks[-1]:
            blocks.append([])
        blocks[-1].append(instruction)
        if instruction.target is not None:
            blocks.append([])
    kept = [block for block in blocks if prefetches or not any(each.name == "prfm" for each in block)]
    return [each for block in kept for each in block]


def multiply_adds(loop):
    return sum(MULTIPLY_ADDS.get(each.name, 0) for each in loop)


def tile_loop(body, rows, columns, parts):
    """The loop of a tile: the one with multiply-adds, as many as some whole parts have. Without the prefetches for more than one row."""
    found = [loop for loop in loops(body) if multiply_adds(loop)]
    if len(found) > 1:
        # The compiler made two of it, one of them with the prefetches.
        found = [loop for loop in found if any(each.name == "prfm" for each in loop) == (rows == 1)]
    if len(found) != 1:
        sys.exit(f"{len(found)} loops where one was expected")
    loop = path(found[0], rows == 1)
    # Eight rows take one half of the panel after the other.
    part = PANEL_ROWS * columns * min(rows, 4)
    if multiply_adds(loop) not in [part * count for count in range(1, parts + 1)]:
        sys.exit(f"{multiply_adds(loop)} multiply-adds in a loop whose part has {part}")
    if any(each.name in ("bl", "blr") for each in loop):
        sys.exit("a call in an inner loop")
    return loop


def plain(loop):
    """Assembly of a loop. Loads and stores that also move their pointer, which llvm-mca models badly, become plain ones and an addition."""
    lines = ["turn:"]
    for each in loop:
        memory = MEMORY.match(each.operands)
        if each.target is not None:
            lines.append(f"{each.name} {each.operands[: each.operands.rindex('0x')]}turn")
        elif memory and memory[4]:
            operands, base, offset, moved, by = memory.groups()
            move = f"add {base}, {base}, #{offset if moved == '!' else by}"
            lines += [move, f"{each.name} {operands}[{base}]"] if moved == "!" else [f"{each.name} {operands}[{base}]", move]
        else:
            lines.append(str(each))
    return "\n".join(lines) + "\n"


def analyse(core, assembly):
    """Cycles of a turn, and the ports' limit for it."""
    command = ["llvm-mca-19", "-mtriple=aarch64", f"-mcpu={core}", "-mattr=+dotprod,+i8mm", "-iterations=200", "-json"]
    report = subprocess.run(command, input=assembly, check=True, stdout=subprocess.PIPE, text=True).stdout
    summary = json.loads(report)["CodeRegions"][0]["SummaryView"]
    return summary["TotalCycles"] / summary["Iterations"], summary["BlockRThroughput"]


def tiles(listing):
    """Format, level, rows and loop of each tile of 4 rows and of 1 row."""
    pattern = re.compile(r"::(with_\w+)::tile::<.*::(\w+), (\d+)>")
    for name, body in functions(listing):
        found = pattern.search(name)
        if not found:
            continue
        level, kind, rows = LEVELS[found[1]], found[2], int(found[3])
        if rows in (1, 4, 8):
            columns, parts = FORMATS[kind]
            try:
                yield kind, level, rows, tile_loop(body, rows, columns, parts)
            except SystemExit as error:
                sys.exit(f"{name}: {error}")


def main():
    words = sys.argv[1:]
    show = words[words.index("--show") + 1] if "--show" in words else None
    listing = open(words[0], encoding="utf-8")
    if show is None:
        print("cycles for 256 multiply-adds (the limit of the ports in brackets); loads from the stack, instructions in the loop\n")
        print("| tile | " + " | ".join(CORES) + " | stack loads | instructions |\n|---|" + "---|" * (len(CORES) + 2))
    for kind, level, rows, loop in tiles(listing):
        name = f"{kind} {level} × {rows}"
        if show is not None:
            if show in name:
                print(f"{name}\n{plain(loop)}")
            continue
        scale = 256 / multiply_adds(loop)
        cells = []
        for core, has_matrix_products in CORES.items():
            if level == "smmla" and not has_matrix_products:
                cells.append("")
                continue
            cycles, limit = analyse(core, plain(loop))
            cells.append(f"{cycles * scale:.1f} ({limit * scale:.1f})")
        stack_loads = sum(each.is_stack_load() for each in loop)
        print(f"| {name} | " + " | ".join(cells) + f" | {stack_loads} | {len(loop)} |", flush=True)


main()
