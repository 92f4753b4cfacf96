#!/usr/bin/env python3
"""bindings-values.py kotlin|swift [--check]: writes the value types of a package from the records and enums of bindings/ffi.

The Rust sources are the one table: names, fields, defaults and documentation come from there. What a package says otherwise (a duration for
milliseconds, a default in place of an absent value) is in the tables below. With --check nothing is written, and it fails when a file differs.
"""

import re
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "bindings/ffi/src"

# The file in a package by the Rust file. What is not listed has no values.
FILES = {
    "options": "Options",
    "caches": "CacheValues",
    "conversation": "Events",
    "conversations": "ConversationValues",
    "outbox": "OutboxValues",
    "report": "Reports",
    "policy": "Policies",
    "device": "Device",
    "ledger": "Receipts",
    "performance": "PerformanceValues",
    "assistant": "Redaction",
    "system_model": "SystemModelValues",
    "model": "ModelInfo",
    "model_file": "ImportEvents",
    "task": "TaskValues",
    "telemetry": "TelemetryValues",
    "tools": "ToolValues",
    "vault": "VaultLevel",
    "logging": "LogLevel",
}
# Records that the packages write by hand, because they hold an object of the app or become something else.
BY_HAND = {"AssistantOptions", "SystemRequest", "FindingCount"}
# Where values cross the boundary: what is reached from here needs a translation in that direction.
INTO_CORE = [
    "OpenOptions", "ConversationOptions", "AskOptions", "Message", "DeviceUpdate", "EndpointExtras", "PolicyDocument", "Signal",
    "LearningMode", "ReceiptFilter", "Prune", "Host", "SystemCapabilities", "SystemFailure", "VaultLevel", "LogLevel", "Preset",
    "ConversationSummary", "Retention", "RunBudget", "QueuePriority", "CacheBudget", "MemoryPressure", "TaskOptions",
    "ToolResult", "TelemetrySignals",
]  # fmt: skip
OUT_OF_CORE = [
    "ModelInfo", "Message", "Event", "Explanation", "RedactedText", "LearningMode", "Receipt", "LedgerReport", "LedgerStats",
    "Checkpoint", "LogLevel", "ImportEvent", "ConversationSummary", "KeptConversation", "SearchHit", "ImportedConversations", "Repaired",
    "KeyRotation", "QueuedQuestion", "OutboxEvent", "OutboxRun", "CacheUse", "Recovered", "TaskInfo", "Performance", "RequestEnding", "TelemetryStatus",
    "TelemetryRun",
]  # fmt: skip
# Fields whose name differs, in Rust's spelling. A number of milliseconds loses its unit, because it becomes a duration.
RENAMED = {
    ("Report", "partial"): "is_partial",
    ("Report", "recorded"): "is_recorded",
    ("Message", "interrupted"): "is_interrupted",
    ("ConversationSummary", "pinned"): "is_pinned",
    ("Report", "first_token_ms"): "time_to_first_token_ms",
    ("LedgerReport", "intact"): "is_intact",
    ("RequestEnding", "stuck"): "is_stuck",
    ("TelemetryTarget", "metered"): "is_metered_allowed",
    ("Pins", "report_only"): "is_report_only",
    ("Pins", "expires_unix_s"): "expires_unix_seconds",
    ("ModelInfo", "load_ms"): "load_time_ms",
    ("SystemCapabilities", "first_token_ms"): "time_to_first_token_ms",
    ("SystemCapabilities", "tokens_per_s"): "tokens_per_second",
    ("ToolOptions", "result_ms_max"): "result_time_max_ms",
}
# Points in time stay numbers: milliseconds since 1970.
POINTS_IN_TIME = {
    "from_ms", "until_ms", "opened_ms", "closed_ms", "opened_before_ms", "time_ms", "created_ms", "updated_ms", "updated_before_ms", "next_ms",
    "begins_ms", "through_ms", "since_ms", "found_ms", "progress_ms", "alive_ms",
    "given_ms",
}  # fmt: skip
# What an absent value means: the packages have the value itself as the default.
ABSENT_MEANS = {
    ("OpenOptions", "kv_precision"): "Half",
    ("ConversationOptions", "context_policy"): "DropOldest",
    ("AskOptions", "privacy_class"): "Public",
    ("TaskOptions", "privacy_class"): "Public",
    ("EndpointExtras", "token_limit_field"): "MaxTokens",
    ("Tool", "permission"): "Confirm",
    ("Tool", "result_class"): "Public",
    ("ToolOptions", "choice"): "Auto",
}
# Numbers that use all 64 bits.
ANY_BITS = {("GenerationOptions", "seed")}
# Fields that become one map from an enum's values to those that are not 0.
GROUPS = {
    "LedgerStats": {
        "answers": (
            "PlaceKind",
            "Answers by kind of place; kinds without answers are left out.",
            {
                "answers_on_device": "OnDevice",
                "answers_system_model": "SystemModel",
                "answers_own_device": "OwnDevice",
                "answers_organisation": "Organisation",
                "answers_public_cloud": "PublicCloud",
            },
        ),
        "ends": (
            "Outcome",
            "Requests without an answer, by outcome; outcomes that did not occur are left out.",
            {
                "cancelled": "Cancelled",
                "failed": "Failed",
                "denied": "Denied",
                "deferred": "Deferred",
                "interrupted": "Interrupted",
            },
        ),
    },
}


def grouped(default: str) -> str:
    """A default; the digits of long numbers in groups of three."""
    return f"{int(default):_}" if default.isdigit() and len(default) > 6 else default


@dataclass
class Field:
    name: str
    type: str
    doc: str
    default: str | None = None


@dataclass
class Variant:
    name: str
    doc: str
    fields: list[Field] = field(default_factory=list)


@dataclass
class Item:
    """A record or an enum."""

    kind: str
    name: str
    doc: str
    members: list
    file: str

    @property
    def is_flat(self) -> bool:
        return self.kind == "enum" and not any(variant.fields for variant in self.members)


def read(path: Path) -> list[Item]:
    items = []
    pattern = re.compile(
        r"((?:^///[^\n]*\n)+)(?:^//[^\n]*\n)?((?:^#\[[^\n]*\]\n)+)^pub (struct|enum) (\w+) \{\n(.*?)^\}", re.M | re.S
    )
    for doc, attributes, kind, name, body in pattern.findall(path.read_text()):
        kind_derived = re.search(r"uniffi::(Record|Enum)\b", attributes)
        if not kind_derived or name in BY_HAND:
            continue
        members = read_fields(body, 1) if kind == "struct" else read_variants(body)
        items.append(Item("record" if kind == "struct" else "enum", name, joined(doc), members, path.stem))
    return items


def joined(doc: str) -> str:
    return " ".join(line.strip().removeprefix("///").strip() for line in doc.strip().splitlines())


def read_fields(body: str, depth: int) -> list[Field]:
    indent = "    " * depth
    pattern = re.compile(
        rf"((?:^{indent}///[^\n]*\n)+)((?:^{indent}#\[[^\n]*\]\n)*)^{indent}(?:pub )?(\w+): ([^\n]+),\n", re.M
    )
    fields = []
    for doc, attributes, name, kind in pattern.findall(body):
        default = re.search(r"#\[uniffi\(default(?: = (.*))?\)\]", attributes)
        given = None if default is None else default.group(1) or "()"
        fields.append(Field(name, kind.replace("crate::", ""), joined(doc), given))
    return fields


def read_variants(body: str) -> list[Variant]:
    pattern = re.compile(r"((?:^    ///[^\n]*\n)+)^    (\w+)(?: \{\n(.*?)^    \})?,\n", re.M | re.S)
    return [Variant(name, joined(doc), read_fields(inner, 2)) for doc, name, inner in pattern.findall(body)]


def camel(snake: str) -> str:
    head, *tail = snake.split("_")
    return head + "".join(part.capitalize() for part in tail)


def screaming(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()


def lower_first(name: str) -> str:
    return name[0].lower() + name[1:]


def inner(kind: str) -> tuple[str, str]:
    """What a type is wrapped in, and the type itself."""
    match = re.fullmatch(r"(Option|Vec)<(.*)>", kind)
    return (match.group(1), match.group(2)) if match else ("", kind)


def bare(kind: str) -> str:
    while True:
        wrap, rest = inner(kind)
        if not wrap:
            return rest
        kind = rest


@dataclass
class Shown:
    """A field as a package shows it."""

    core: str
    name: str
    type: str
    doc: str
    default: str | None
    is_duration: bool
    absent_means: str | None


class Language:
    """What Kotlin and Swift have in common."""

    comment = "// scripts/bindings-values.py writes this from bindings/ffi/src/{}.rs: change that, then run  make bindings."

    def __init__(self, items: list[Item]):
        self.items = {item.name: item for item in items}
        self.into_core = self.reached(INTO_CORE)
        self.out_of_core = self.reached(OUT_OF_CORE)

    def reached(self, roots: list[str]) -> set[str]:
        found, waiting = set(), list(roots)
        while waiting:
            name = waiting.pop()
            if name in found or name not in self.items:
                continue
            found.add(name)
            for member in self.items[name].members:
                fields = member.fields if isinstance(member, Variant) else [member]
                waiting += [bare(each.type) for each in fields]
        return found

    def shown(self, item: Item, fields: list[Field]) -> list[Shown]:
        grouped = {name for _, _, members in GROUPS.get(item.name, {}).values() for name in members}
        return [self.show(item, each) for each in fields if each.name not in grouped]

    def show(self, item: Item, given: Field) -> Shown:
        renamed = RENAMED.get((item.name, given.name), given.name)
        is_duration = renamed.endswith("_ms") and given.name not in POINTS_IN_TIME
        doc = given.doc
        if is_duration:
            renamed = renamed.removesuffix("_ms")
            doc = re.sub(r",? in milliseconds", "", doc).replace("Milliseconds that", "Time that")
        absent_means = ABSENT_MEANS.get((item.name, given.name))
        if absent_means:
            doc = re.sub(r"; without it `\w+`", "", doc)
        return Shown(given.name, camel(renamed), given.type, self.names(item, given, doc), given.default, is_duration, absent_means)

    def type(self, each: Shown) -> str:
        if each.is_duration:
            return "Duration?" if each.type.startswith("Option") else "Duration"
        return self.type_of(each.type).removesuffix("?" if each.absent_means else "\0")

    def type_of(self, kind: str) -> str:
        wrap, rest = inner(kind)
        if wrap == "Vec" and rest == "FindingCount":
            return self.counts
        if wrap == "Option":
            return self.type_of(rest) + "?"
        if wrap == "Vec":
            return self.list_of.format(self.type_of(rest))
        return self.simple.get(rest, rest)

    def names(self, item: Item, given: Field | None, doc: str) -> str:
        """Documentation with the names that this language has."""
        own = self.items.get(bare(given.type)) if given else None
        variants = {each.name for owner in (item, own) if owner and owner.kind == "enum" for each in owner.members}
        fields = {each.name for each in item.members if isinstance(each, Field)}
        doc = re.sub(r"`(\w+)`", lambda found: self.name_in_text(found.group(1), variants, fields), doc)
        return doc

    def name_in_text(self, name: str, variants: set[str], fields: set[str]) -> str:
        if name in variants:
            return f"`{self.variant(name)}`"
        return f"`{camel(name)}`" if name in fields else f"`{name}`"

    def item_doc(self, item: Item) -> str:
        doc = item.doc
        if any(isinstance(each, Field) and self.show(item, each).is_duration for each in item.members):
            doc = re.sub(r",? in milliseconds", "", doc)
        return self.names(item, None, doc)

    def variant_doc(self, item: Item, variant: Variant) -> str:
        # The names of fields that are to become unknown.
        if re.fullmatch(r"`\w+`", variant.doc):
            return f"`{camel(variant.doc.strip('`').removesuffix('_ms'))}`"
        return self.names(item, None, variant.doc)


class Kotlin(Language):
    package = "bindings/kotlin/whimbrel/src/main/kotlin/org/whimbrel"
    extension = "kt"
    width = 120
    simple = {"bool": "Boolean", "String": "String", "f32": "Float", "f64": "Double", "u8": "Int", "u32": "Int", "u64": "Long"}
    counts = "Map<String, Long>"
    list_of = "List<{}>"
    # A nested class of the name would hide the enum.
    variants_renamed = {("PolicyDocument", "Preset"): "OfPreset"}

    def variant(self, name: str) -> str:
        return screaming(name)

    def default(self, each: Shown) -> str | None:
        if each.absent_means:
            return f"{bare(each.type)}.{screaming(each.absent_means)}"
        if each.default is None:
            return None
        if each.is_duration and each.default != "None":
            return f"{int(each.default)}.milliseconds"
        if each.type == "f32":
            return f"{float(each.default):g}f"
        return {"None": "null", "[]": "emptyList()", "()": f"{each.type}()"}.get(each.default, grouped(each.default))

    def doc(self, text: str, indent: str = "", tags: list[tuple[str, str]] = ()) -> list[str]:
        one = f"{indent}/** {text} */"
        if not tags and len(one) <= self.width:
            return [one]
        width = self.width - len(indent) - 3
        lines = wrapped(text, width)
        if tags:
            lines.append("")
        for name, tag in tags:
            lines += wrapped(f"@property {name} {lower_first(tag)}", width, "  ")
        return [f"{indent}/**"] + [f"{indent} * {line}".rstrip() for line in lines] + [f"{indent} */"]

    def declaration(self, item: Item) -> list[str]:
        if item.kind == "record":
            return self.record(item, item.name, item.members, "")
        lines = self.doc(self.item_doc(item))
        if item.is_flat:
            lines.append(f"public enum class {item.name} {{")
            blocks = [self.doc(self.variant_doc(item, each), "    ") + [f"    {screaming(each.name)},"] for each in item.members]
        else:
            lines.append(f"public sealed interface {item.name} {{")
            blocks = [self.variant_class(item, each) for each in item.members]
        for index, block in enumerate(blocks):
            lines += ([""] if index else []) + block
        return lines + ["}"]

    def variant_class(self, item: Item, variant: Variant) -> list[str]:
        name = self.variants_renamed.get((item.name, variant.name), variant.name)
        if variant.fields:
            return self.record(item, name, variant.fields, "    ", self.variant_doc(item, variant), f" : {item.name}")
        return self.doc(self.variant_doc(item, variant), "    ") + [f"    public data object {name} : {item.name}"]

    def record(self, item: Item, name: str, fields: list[Field], indent: str, doc: str = "", parent: str = "") -> list[str]:
        shown = self.shown(item, fields)
        groups = GROUPS.get(item.name, {})
        tags = [(each.name, each.doc) for each in shown]
        rows = [(each.name, self.type(each), self.default(each)) for each in shown]
        for position, (group, (kind, text, _)) in enumerate(groups.items()):
            tags.insert(position + 1, (group, text))
            rows.insert(position + 1, (group, f"Map<{kind}, Long>", None))
        lines = self.doc(doc or self.item_doc(item), indent, tags)
        lines.append(f"{indent}public data class {name}(")
        for row, kind, default in rows:
            lines.append(f"{indent}    public val {row}: {kind}" + (f" = {default}," if default else ","))
        return lines + [f"{indent}){parent}"]

    def into(self, each: Shown, item: Item) -> str:
        """The field of a public value as the core takes it."""
        wrap, rest = inner(each.type)
        safe = "?." if wrap == "Option" and not each.absent_means else "."
        option = f'"{each.name}"'
        if each.is_duration:
            return f"{each.name}{safe}toCoreMs({option})" + (f"{safe}toULong()" if rest == "u64" else "")
        if "Vec<" in each.type:
            return f"{each.name}{safe}map {{ it.toCore() }}" if bare(rest) in self.items else each.name
        if rest == "u8":
            return f"{each.name}{safe}percent({option})"
        if rest == "u64" and (item.name, each.core) in ANY_BITS:
            return f"{each.name}{safe}toULong()"
        if rest in ("u32", "u64"):
            return f"{each.name}{safe}atLeastZero({option})"
        return f"{each.name}{safe}toCore()" if rest in self.items else each.name

    def out(self, each: Shown) -> str:
        """The field of the core's value as the package gives it."""
        wrap, rest = inner(each.type)
        core = camel(each.core)
        safe = "?." if wrap == "Option" else "."
        if each.is_duration:
            return f"{core}{safe}milliseconds" if rest == "f64" else f"{core}{safe}toLong(){safe}milliseconds"
        if rest == "FindingCount":
            return f"{core}.toPublic()"
        if "Vec<" in each.type:
            if bare(rest) in self.items:
                return f"{core}{safe}map {{ it.toPublic() }}"
            number = {"u8": "toInt", "u32": "toInt", "u64": "toLong"}.get(bare(rest))
            return f"{core}{safe}map {{ it.{number}() }}" if number else core
        number = {"u8": "toInt", "u32": "toInt", "u64": "toLong"}.get(rest)
        if number:
            return f"{core}{safe}{number}()"
        return f"{core}{safe}toPublic()" if rest in self.items else core

    def conversions(self, item: Item) -> list[list[str]]:
        blocks = []
        if item.name in self.into_core:
            blocks.append(self.conversion(item, f"internal fun {item.name}.toCore(): Core{item.name} =", True))
        if item.name in self.out_of_core:
            blocks.append(self.conversion(item, f"internal fun Core{item.name}.toPublic(): {item.name} =", False))
        return blocks

    def conversion(self, item: Item, head: str, is_into: bool) -> list[str]:
        target = f"Core{item.name}" if is_into else item.name
        source = item.name if is_into else f"Core{item.name}"
        if item.kind == "record":
            return [head, f"    {target}("] + self.arguments(item, item.members, is_into, "        ") + ["    )"]
        lines = [head, "    when (this) {"]
        for index, each in enumerate(item.members):
            ours = screaming(each.name) if item.is_flat else self.variants_renamed.get((item.name, each.name), each.name)
            theirs = screaming(each.name) if item.is_flat else each.name
            pattern, result = (ours, theirs) if is_into else (theirs, ours)
            condition = f"{source}.{pattern}" if item.is_flat or not each.fields else f"is {source}.{pattern}"
            values = ", ".join(line.strip().rstrip(",").split(" = ", 1)[1] for line in self.arguments(item, each.fields, is_into, ""))
            lines.append(f"        {condition} -> {target}.{result}" + (f"({values})" if each.fields else ""))
        return lines + ["    }"]

    def arguments(self, item: Item, fields: list[Field], is_into: bool, indent: str) -> list[str]:
        lines = []
        for each in self.shown(item, fields):
            if is_into:
                lines.append(f"{indent}{camel(each.core)} = {self.into(each, item)},")
            else:
                lines.append(f"{indent}{each.name} = {self.out(each)},")
        for name, (kind, _, members) in GROUPS.get(item.name, {}).items():
            lines += [f"{indent}{name} =", f"{indent}    present("]
            lines += [f"{indent}        {kind}.{screaming(value)} to {camel(member)}," for member, value in members.items()]
            lines.append(f"{indent}    ),")
        return lines

    def files(self) -> dict[str, str]:
        written, blocks, cores = {}, [], set()
        for stem, name in FILES.items():
            items = [item for item in self.items.values() if item.file == stem]
            declarations = [self.declaration(item) for item in items]
            body = "\n\n".join("\n".join(lines) for lines in declarations)
            imports = self.duration_imports(body)
            written[f"{name}.kt"] = f"{self.comment.format(stem)}\npackage org.whimbrel\n\n{imports}{body}\n"
            for item in items:
                found = self.conversions(item)
                blocks += found
                cores |= {item.name} if found else set()
        body = "\n\n".join("\n".join(lines) for lines in blocks)
        milliseconds = "import kotlin.time.Duration.Companion.milliseconds\n" if ".milliseconds" in body else ""
        imports = milliseconds + "".join(f"import org.whimbrel.ffi.{name} as Core{name}\n" for name in sorted(cores))
        written["ValueTranslation.kt"] = f"{self.comment.format('*')}\npackage org.whimbrel\n\n{imports}\n{body}\n"
        return written

    def duration_imports(self, body: str) -> str:
        lines = ["import kotlin.time.Duration"] if re.search(r": Duration\b", body) else []
        lines += ["import kotlin.time.Duration.Companion.milliseconds"] if ".milliseconds" in body else []
        return "".join(f"{line}\n" for line in lines) + ("\n" if lines else "")


class Swift(Language):
    package = "bindings/swift/Sources/Whimbrel"
    extension = "swift"
    width = 120
    simple = {"bool": "Bool", "String": "String", "f32": "Float", "f64": "Double", "u8": "Int", "u32": "Int", "u64": "Int"}
    counts = "[String: Int]"
    list_of = "[{}]"
    keywords = {"public", "private", "internal", "default", "defer", "is", "as", "in", "repeat", "return", "throw", "self", "init"}

    def variant(self, name: str) -> str:
        return f".{lower_first(name)}"

    def case(self, name: str) -> str:
        name = lower_first(name)
        return f"`{name}`" if name in self.keywords else name

    def default(self, each: Shown) -> str | None:
        if each.absent_means:
            return f".{lower_first(each.absent_means)}"
        if each.default is None:
            return None
        if each.is_duration and each.default != "None":
            return f".milliseconds({int(each.default)})"
        if each.type == "f32":
            return f"{float(each.default):g}"
        return {"None": "nil", "()": f"{each.type}()"}.get(each.default, grouped(each.default))

    def doc(self, text: str, indent: str = "") -> list[str]:
        return [f"{indent}/// {line}" for line in wrapped(text, self.width - len(indent) - 4)]

    def rows(self, item: Item) -> list[tuple[str, str, str | None, str]]:
        rows = [(each.name, self.type(each), self.default(each), each.doc) for each in self.shown(item, item.members)]
        for position, (group, (kind, text, _)) in enumerate(GROUPS.get(item.name, {}).items()):
            rows.insert(position + 1, (group, f"[{kind}: Int]", None, text))
        return rows

    def declaration(self, item: Item) -> list[str]:
        lines = self.doc(self.item_doc(item))
        if item.kind == "record":
            rows = self.rows(item)
            lines.append(f"public struct {item.name}: Sendable, Equatable {{")
            for name, kind, _, doc in rows:
                lines += self.doc(doc, "    ") + [f"    public var {name}: {kind}"]
            lines += ["", "    /// Takes every value; those with a default can be left out.", "    public init("]
            parameters = [f"        {name}: {kind}" + (f" = {default}" if default else "") for name, kind, default, _ in rows]
            lines += ",\n".join(parameters).split("\n") + ["    ) {"]
            return lines + [f"        self.{name} = {name}" for name, _, _, _ in rows] + ["    }", "}"]
        hashable = "Hashable, CaseIterable" if item.is_flat else "Equatable"
        lines.append(f"public enum {item.name}: Sendable, {hashable} {{")
        for each in item.members:
            lines += self.doc(self.variant_doc(item, each), "    ") + self.cases(item, each)
        return lines + ["}"]

    def cases(self, item: Item, variant: Variant) -> list[str]:
        if not variant.fields:
            return [f"    case {self.case(variant.name)}"]
        parts = []
        for each in self.shown(item, variant.fields):
            default = self.default(each)
            parts.append(f"{each.name}: {self.type(each)}" + (f" = {default}" if default else ""))
        return [f"    case {self.case(variant.name)}({', '.join(parts)})"]

    def can_fail(self, kind: str) -> bool:
        """Whether a value of this type may be outside what the core takes."""
        item = self.items.get(bare(kind))
        if item is None or bare(kind) in BY_HAND:
            return False
        fields = [each for member in item.members for each in (member.fields if isinstance(member, Variant) else [member])]
        return any(
            (bare(each.type) in ("u8", "u32", "u64") and (item.name, each.name) not in ANY_BITS)
            or self.show(item, each).is_duration
            or self.can_fail(each.type)
            for each in fields
        )

    def into(self, each: Shown, item: Item) -> str:
        wrap, rest = inner(each.type)
        is_optional = wrap == "Option" and not each.absent_means
        attempt = "try " if self.can_fail(each.type) else ""
        option = f'"{each.name}"'
        if each.is_duration:
            kind = {"u32": "UInt32", "u64": "UInt64"}[rest]
            call = f"coreMilliseconds({{}}, {option}) as {kind}"
        elif "Vec<" in each.type:
            optional = "?" if is_optional else ""
            return f"{attempt}{each.name}{optional}.map {{ {attempt}$0.toCore() }}" if bare(rest) in self.items else each.name
        elif (item.name, each.core) in ANY_BITS:
            call = "UInt64(bitPattern: Int64({}))"
            return f"{each.name}.map {{ {call.format('$0')} }}" if is_optional else call.format(each.name)
        elif rest == "u8":
            call = f"corePercent({{}}, {option})"
        elif rest in ("u32", "u64"):
            kind = {"u32": "UInt32", "u64": "UInt64"}[rest]
            call = f"coreNumber({{}}, {option}) as {kind}"
        elif rest in self.items:
            return f"{attempt}{each.name}{'?' if is_optional else ''}.toCore()"
        else:
            return each.name
        return f"try {each.name}.map {{ try {call.format('$0')} }}" if is_optional else f"try {call.format(each.name)}"

    def out(self, each: Shown) -> str:
        wrap, rest = inner(each.type)
        core = camel(each.core)
        if each.is_duration:
            return f"{core}.map {{ .milliseconds($0) }}" if wrap == "Option" else f".milliseconds({core})"
        if rest == "FindingCount":
            return f"counts({core})"
        if "Vec<" in each.type:
            optional = "?" if wrap == "Option" else ""
            if bare(rest) in ("u8", "u32", "u64"):
                return f"{core}{optional}.map {{ Int(clamping: $0) }}"
            return f"{core}{optional}.map {{ $0.toPublic() }}" if bare(rest) in self.items else core
        if rest in ("u8", "u32", "u64"):
            return f"{core}.map {{ Int(clamping: $0) }}" if wrap == "Option" else f"Int(clamping: {core})"
        return f"{core}{'?' if wrap == 'Option' else ''}.toPublic()" if rest in self.items else core

    def conversions(self, item: Item) -> list[list[str]]:
        blocks = []
        if item.name in self.into_core:
            throws = " throws" if self.can_fail(item.name) else ""
            head = f"    func toCore(){throws} -> WhimbrelCore.{item.name} {{"
            blocks.append([f"extension {item.name} {{", *self.conversion(item, head, True), "}"])
        if item.name in self.out_of_core:
            head = f"    func toPublic() -> Whimbrel.{item.name} {{"
            blocks.append([f"extension WhimbrelCore.{item.name} {{", *self.conversion(item, head, False), "}"])
        return blocks

    def conversion(self, item: Item, head: str, is_into: bool) -> list[str]:
        target = f"WhimbrelCore.{item.name}" if is_into else f"Whimbrel.{item.name}"
        convert = (lambda each: self.into(each, item)) if is_into else self.out
        label = (lambda each: camel(each.core)) if is_into else (lambda each: each.name)
        if item.kind == "record":
            arguments = [f"            {label(each)}: {convert(each)}" for each in self.shown(item, item.members)]
            for position, (name, (_, _, members)) in enumerate(GROUPS.get(item.name, {}).items()):
                pairs = [f"                .{lower_first(value)}: {camel(member)}," for member, value in members.items()]
                arguments.insert(position + 1, "\n".join([f"            {name}: present([", *pairs, "            ])"]))
            return [head, f"        {target}(", *",\n".join(arguments).split("\n"), "        )", "    }"]
        lines = [head, "        switch self {"]
        for each in item.members:
            shown = self.shown(item, each.fields)
            bound = [f"let {camel(field.core) if not is_into else field.name}" for field in shown]
            pattern = f".{lower_first(each.name)}" + (f"({', '.join(bound)})" if shown else "")
            values = ", ".join(f"{label(field)}: {convert(field)}" for field in shown)
            result = f".{lower_first(each.name)}" + (f"({values})" if shown else "")
            line = f"        case {pattern}: {result}"
            lines += [line] if len(line) <= self.width else [f"        case {pattern}:", f"            {result}"]
        return [*lines, "        }", "    }"]

    def files(self) -> dict[str, str]:
        written, blocks = {}, []
        for stem, name in FILES.items():
            items = [item for item in self.items.values() if item.file == stem]
            body = "\n\n".join("\n".join(self.declaration(item)) for item in items)
            written[f"{name}.swift"] = f"{self.comment.format(stem)}\n\n{body}\n"
            for item in items:
                blocks += self.conversions(item)
        body = "\n\n".join("\n".join(lines) for lines in blocks)
        written["ValueTranslation.swift"] = f"{self.comment.format('*')}\n\ninternal import WhimbrelCore\n\n{body}\n"
        return written


def wrapped(text: str, width: int, indent: str = "") -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def main() -> int:
    arguments = sys.argv[1:]
    if not arguments or arguments[0] not in ("kotlin", "swift"):
        print(__doc__, file=sys.stderr)
        return 2
    items = [item for stem in FILES for item in read(SOURCES / f"{stem}.rs")]
    language = {"kotlin": Kotlin, "swift": Swift}[arguments[0]](items)
    differing = 0
    for name, text in language.files().items():
        path = ROOT / language.package / name
        if path.exists() and path.read_text() == text:
            continue
        if "--check" in arguments:
            print(f"{path.relative_to(ROOT)} is not what bindings/ffi says: run  make bindings  and commit what it writes", file=sys.stderr)
            differing += 1
        else:
            path.write_text(text)
            print(f"wrote {path.relative_to(ROOT)}", file=sys.stderr)
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
