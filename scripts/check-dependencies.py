#!/usr/bin/env python3
"""Checks every package of the workspace against deny.toml: licences, banned crates, sources.

Needs cargo and Python 3.11 only. `cargo deny` reads the same file and knows more; it takes minutes to build, so it is not required.
"""

import json
import pathlib
import re
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent


def allowed(expression, permitted):
    """Whether an SPDX expression can be satisfied by permitted licences alone. `/` is the old spelling of OR."""
    tokens = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))

    def either():
        value = both()
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            value = both() or value
        return value

    def both():
        value = single()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            value = single() and value
        return value

    def single():
        token = tokens.pop(0)
        if token == "(":
            value = either()
            tokens.pop(0)
            return value
        if tokens and tokens[0] == "WITH":
            tokens.pop(0)
            token = f"{token} WITH {tokens.pop(0)}"
        return token in permitted

    return either()


def banned(package, rule):
    """Whether a rule of the form `name` or `name@<major.minor` names this package."""
    name, _, bound = rule.partition("@<")
    if package["name"] != name:
        return False
    numbers = [int(part) for part in package["version"].split("-")[0].split("+")[0].split(".")]
    return not bound or numbers < [int(part) for part in bound.split(".")]


def problems(packages, policy):
    permitted = set(policy["licenses"]["allow"])
    for package in packages:
        label = f"{package['name']} {package['version']}"
        licence = package["license"]
        if licence is None:
            yield f"{label}: states no licence"
        elif not allowed(licence, permitted):
            yield f"{label}: licence {licence} is not allowed"
        for rule in policy["bans"]["deny"]:
            if banned(package, rule["crate"]):
                yield f"{label}: banned by deny.toml"
        if (package["source"] or "registry+").startswith("git+"):
            yield f"{label}: comes from a git repository"


def main():
    policy = tomllib.loads((ROOT / "deny.toml").read_text())
    # The check itself is checked first: a parser that lets everything through would never be noticed.
    for expression, expected in [
        ("MIT", True),
        ("GPL-3.0", False),
        ("GPL-3.0 OR MIT", True),
        ("GPL-3.0 AND MIT", False),
        ("(MIT OR Apache-2.0) AND GPL-3.0", False),
        ("(MIT OR GPL-3.0) AND Apache-2.0", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("GPL-3.0 WITH GCC-exception-3.1", False),
        ("MIT/GPL-3.0", True),
    ]:
        assert allowed(expression, set(policy["licenses"]["allow"])) == expected, expression
    output = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--all-features", "--locked"], cwd=ROOT, check=True, stdout=subprocess.PIPE
    )
    packages = json.loads(output.stdout)["packages"]
    found = sorted(problems(packages, policy))
    print(*found, sep="\n", end="\n" if found else "")
    print(f"{len(packages)} packages checked against deny.toml, {len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
