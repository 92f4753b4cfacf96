#!/usr/bin/env python3
"""maskbench-data.py REPOSITORY FILE: draws the fixed part of MaskBench that the bench `masks` looks at, 1,500 of its 11,306 schemas.

REPOSITORY is a git directory of guidance-ai/jsonschemabench. Nothing of it is committed here, because no licence stands in it.
`WHIMBREL_MASKBENCH=FILE cargo bench -p whimbrel-engine --bench masks` then measures on the part."""

import gzip
import hashlib
import json
import subprocess
import sys

COMMIT = "ba103c73"
FOLDER = "maskbench/data/"
PART = 1500


def git(repository, *arguments, text=None):
    command = ["git", "-C", repository, *arguments]
    return subprocess.run(command, input=text, capture_output=True, check=True).stdout


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    repository, target = sys.argv[1:]
    names = git(repository, "ls-tree", "-r", "--name-only", COMMIT, FOLDER).decode().split()
    # By their hashes: a part that nobody chose, and everybody can draw again.
    names.sort(key=lambda name: hashlib.sha256(name.encode()).digest())
    names = names[:PART]
    wanted = "".join(f"{COMMIT}:{name}\n" for name in names).encode()
    found = git(repository, "cat-file", "--batch", text=wanted)
    with gzip.GzipFile(target, "wb", mtime=0) as file:
        for name in names:
            head, found = found.split(b"\n", 1)
            size = int(head.split()[2])
            case = json.loads(found[:size])
            found = found[size + 1 :]
            case["name"] = name.removeprefix(FOLDER)
            file.write((json.dumps(case, ensure_ascii=False) + "\n").encode())
    print(f"{len(names)} schemas in {target}")


if __name__ == "__main__":
    main()
