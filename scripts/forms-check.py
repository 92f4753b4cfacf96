#!/usr/bin/env python3
"""forms-check.py FILE: checks answers under forms, a line of JSON each, and fails if one that is called finished does not have its form."""

import json
import re
import sys
from collections import Counter

from jsonschema import Draft202012Validator


def has_form(form: dict, text: str) -> bool:
    [(kind, wanted)] = form.items()
    if kind == "choice":
        return text in wanted
    if kind == "regex":
        return re.fullmatch(wanted, text) is not None
    try:
        value = json.loads(text)
    except ValueError:
        return False
    validator = Draft202012Validator(json.loads(wanted), format_checker=Draft202012Validator.FORMAT_CHECKER)
    return validator.is_valid(value)


def main() -> None:
    counts: Counter = Counter()
    with open(sys.argv[1], encoding="utf-8") as lines:
        for line in lines:
            answer = json.loads(line)
            [kind] = answer["form"]
            outcome = "unfinished" if not answer["finished"] else "valid" if has_form(answer["form"], answer["text"]) else "INVALID"
            counts[kind, outcome] += 1
            if outcome != "valid":
                print(f"{outcome}: {line.strip()}")
    for (kind, outcome), count in sorted(counts.items()):
        print(f"{kind:12} {outcome:10} {count:5}")
    sys.exit(any(outcome == "INVALID" for _, outcome in counts))


if __name__ == "__main__":
    main()
