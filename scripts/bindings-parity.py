#!/usr/bin/env python3
"""bindings-parity.py [--list]: lists the public members of the Kotlin and the Swift package side by side, and fails on a member that only one of
them has, unless a table here says why. It reads Kotlin's recorded interface and Swift's sources, so it needs neither toolchain.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KOTLIN = ROOT / "bindings/kotlin/whimbrel/api/whimbrel.api"
SWIFT = ROOT / "bindings/swift/Sources/Whimbrel"

# Kotlin's name of a type, and Swift's: an error is an exception in one language and an error in the other.
TYPES = {
    "WhimbrelException": "WhimbrelError",
    "KeyVaultException": "KeyVaultError",
    "SystemModelException": "SystemModelFailure",
}
# Kotlin's name of a member, and Swift's, where the languages have other customs.
MEMBERS = {
    "PolicyDocument.ofPreset": "PolicyDocument.preset",
    "PolicyDocument.ofPreset.preset": "PolicyDocument.preset.preset",
    "PolicyDocument.ofPreset.endpoints": "PolicyDocument.preset.endpoints",
    "Assistant.open": "Assistant.init",
    "Conversations.answeredBy": "Conversations.answered",
}
# Members that one package has alone, and why. A name ending in * stands for all that begin so.
ONLY_KOTLIN = {
    "Assistant.RECEIPTS_A_PAGE": "a constant for a default; Swift's default is in the signature",
    "Conversations.CONVERSATIONS_A_PAGE": "a constant for a default; Swift's default is in the signature",
    "Conversations.HITS_OF_A_SEARCH": "a constant for a default; Swift's default is in the signature",
    "WhimbrelError.message": "Kotlin's exceptions have it from their base",
    "WhimbrelError.*": "Kotlin's cases carry their fields as properties, Swift's as associated values: WhimbrelError.swift",
    "KeyVaultError.*": "an exception with a code and a flag; Swift throws the cases locked and failed",
    "LogSink*": "Swift's sink is a closure: WhimbrelLog.Sink",
    "KeyVault.level": "a property in Kotlin and a function in Swift",
    "Description*": "an annotation of a serializable class; Swift's types say it in their schema",
    "Length*": "an annotation, as above",
    "Items*": "an annotation, as above",
    "Range*": "an annotation, as above",
    "String.ToolFunction": "a function that stands for a constructor with a type; Swift's constructors may have types",
}
ONLY_SWIFT = {
    "KeychainVault*": "Apple's key store; Android's is KeystoreVault in the Android module",
    "KeyVault.level": "a property in Kotlin and a function in Swift",
    "KeyVaultError.*": "an exception with a code and a flag in Kotlin",
    "WhimbrelError.*": "Swift's cases carry associated values",
    "WhimbrelLog.Sink": "Kotlin's is the interface LogSink",
    "defaultContextLength": "Kotlin's default is in the signature",
    "Respondable*": "Kotlin's types are serializable: their schema comes from the serializer",
    **dict.fromkeys(
        [f"Schema.{part}" for part in "any array boolean choice described dictionary integer integerMax number object optional string".split()],
        "what a schema is built of; Kotlin's comes from the serializer",
    ),
    "String.schema": "a type that is Respondable",
    "Int.schema": "as above",
    "Double.schema": "as above",
    "Bool.schema": "as above",
    "Array.schema": "as above",
    "Dictionary.schema": "as above",
    "Optional.schema": "as above",
}
# What every data class or enum has without being asked.
IMPLIED = {"equals", "hashCode", "toString", "copy", "values", "valueOf", "entries", "invoke", "description", "allCases", "rawValue", "INSTANCE"}


def lower_first(name: str) -> str:
    return name[0].lower() + name[1:]


def from_screaming(name: str) -> str:
    head, *tail = name.lower().split("_")
    return head + "".join(part.capitalize() for part in tail)


def kotlin() -> set[str]:
    """`Type`, `Type.member`, and for cases with fields `Type.case.field`."""
    rows, kinds = set(), {}
    text = KOTLIN.read_text()
    blocks = re.findall(r"^public .*?(?:class|interface) org/whimbrel/(\S+)(?: : ([^{\n]*))? \{\n(.*?)^\}", text, re.M | re.S)
    for name, parents, _ in blocks:
        kinds[name] = parents
    for name, parents, body in blocks:
        path = name.split("$")
        if path[-1] in ("Companion", "DefaultImpls"):
            path = path[:-1]
        if len(path) > 1:
            # A case of a sealed interface or class.
            path = [path[0], *map(lower_first, path[1:])]
        path[0] = TYPES.get(path[0], path[0])
        if path[0].endswith("Kt"):
            # Extensions: of a flow, or of an enum that the first parameter names.
            rows |= {extension(line) for line in body.splitlines() if "static final fun" in line}
            continue
        rows.add(".".join(path))
        for member in members_of(body):
            rows.add(".".join([*path, member]))
    return {MEMBERS.get(row, row) for row in rows}


def extension(line: str) -> str:
    name, receiver = re.search(r"fun (\S+) \(L([\w/]+);", line).groups()
    owner = "Answer" if receiver.endswith("/Flow") else receiver.rsplit("/", 1)[-1]
    return f"{owner}.{property_name(name)}"


def property_name(name: str) -> str:
    return lower_first(name[3:]) if re.match(r"get[A-Z]", name) else name


def members_of(body: str) -> set[str]:
    found = set()
    for line in body.splitlines():
        if "synthetic" in line:
            continue
        match = re.search(r"\b(fun|field) (\S+) ", line)
        if not match:
            continue
        kind, name = match.groups()
        name = re.sub(r"-[\w-]+$", "", name)
        if kind == "field":
            name = name if " static final field" in line and "Lorg/whimbrel" not in line else from_screaming(name)
            if match.group(2) in ("Companion", "INSTANCE"):
                continue
        elif name in ("<init>",) or re.fullmatch(r"component\d+", name):
            continue
        else:
            name = property_name(name)
        if name not in IMPLIED:
            found.add(name)
    return found


def swift() -> set[str]:
    rows = set()
    for path in sorted(SWIFT.glob("*.swift")):
        rows |= swift_file(path.read_text())
    return rows


def swift_file(text: str) -> set[str]:
    rows, owners = set(), []
    text = re.sub(r"//[^\n]*", "", text)
    # A signature over several lines becomes one.
    text = re.sub(r"\(\s*\n\s*", "(", text)
    text = re.sub(r",\s*\n\s*", ", ", text)
    depth = 0
    for line in text.splitlines():
        while owners and owners[-1][0] >= depth:
            owners.pop()
        name = swift_declaration(line, owners, rows, depth)
        opened = line.count("{") - line.count("}")
        if name and "{" in line:
            owners.append((depth, *name))
        depth += opened
    return rows


def swift_declaration(line: str, owners: list, rows: set[str], depth: int):
    """Adds the row of a line; gives the type that the line opens."""
    is_member = not owners or depth == owners[-1][0] + 1
    owner = owners[-1] if owners else None
    match = re.match(r"\s*(public )?(?:final )?(struct|enum|class|protocol|extension) (\w[\w.]*)", line)
    if match:
        is_public, kind, name = match.groups()
        name = name.removeprefix("Whimbrel.")
        if name.startswith("WhimbrelCore.") or not (is_public or kind == "extension"):
            return (None, None)
        name = "Answer" if name.startswith(("AsyncThrowingStream", "AsyncSequence")) else name
        if kind != "extension":
            rows.add(name)
        return (name, kind)
    if not is_member:
        return None
    if owner and owner[1] is None:
        return None
    prefix = f"{owner[1]}." if owner else ""
    case = re.match(r"\s*(?:indirect )?case `?(\w+)`?(?:\((.*)\))?", line)
    if case and owner and owner[2] == "enum":
        rows.add(prefix + case.group(1))
        for label in re.findall(r"(\w+): ", case.group(2) or ""):
            rows.add(f"{prefix}{case.group(1)}.{label}")
        return None
    public = r"\s*public " if not (owner and owner[2] == "protocol") else r"\s*(?:public )?"
    member = re.match(public + r"(?:static |nonisolated |mutating )*(func|var|let|init|typealias)\b ?`?(\w*)", line)
    if member:
        name = member.group(2) if member.group(1) != "init" else "init"
        if name == "init" and prefix != "Assistant.":
            return None
        if name not in IMPLIED:
            rows.add(prefix + name)
    return None


def is_explained(row: str, table: dict[str, str]) -> bool:
    return any(row == name or name.endswith("*") and row.startswith(name[:-1]) for name in table)


def main() -> int:
    ours, theirs = kotlin(), swift()
    if "--list" in sys.argv:
        for row in sorted(ours | theirs):
            print(f"{row:60} {'kotlin' if row in ours else '':8} {'swift' if row in theirs else ''}")
    missing = [(row, "Swift") for row in sorted(ours - theirs) if not is_explained(row, ONLY_KOTLIN)]
    missing += [(row, "Kotlin") for row in sorted(theirs - ours) if not is_explained(row, ONLY_SWIFT)]
    for row, side in missing:
        print(f"{side}'s package lacks {row}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
