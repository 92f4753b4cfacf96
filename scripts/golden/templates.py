#!/usr/bin/env python3
"""Renders real chat templates with Python's jinja2, for the engine's test to compare with.

    scripts/golden/templates.py FOLDER OUTPUT.jsonl

FOLDER holds templates (`*.jinja`). Each line of the output is a template with its conversations: plain, with a system message, with tools (JSON
as text, whose order is kept), with calls of them and their results, with thinking switched off. A conversation has the text, or null where the template refuses it. A template that has no place for a system message is
given its text in front of the first question, as the engine does.

Needs the package jinja2 (3.1). The environment is that of `transformers`, except that tools and documents are undefined where there are
none, as in llama.cpp: some templates fail on none. The packages of jinja2 may lie in the folder or archives that PYTHONPATH names.
"""

import datetime
import json
import pathlib
import sys

import jinja2.ext
import jinja2.sandbox

NOW = 1770091506
BOS, EOS = "<s>", "</s>"
QUESTIONS = [
    {"role": "user", "content": "Which bird crosses oceans?"},
    {"role": "assistant", "content": "The whimbrel \u2014 \"a wader\"."},
    {"role": "user", "content": "  And then?\n<b>Tell</b> me & mine. "},
]
SYSTEM = "You are a careful librarian."
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "find_book",
            "description": "Finds a book by its title & author; it's \u201cfast\u201d.",
            "parameters": {
                "type": "object",
                "properties": {
                    "title": {"type": "string", "description": "The title"},
                    "author": {"type": "string", "description": "Who wrote it", "enum": ["Ann", "Bo"]},
                    "count": {"type": "integer", "default": 3},
                },
                "required": ["title"],
            },
        },
    },
    {
        "type": "function",
        "function": {"name": "now", "description": "The time.", "parameters": {"type": "object", "properties": {}}},
    },
]

STEPS = [
    {
        "call": {"name": "find_book", "arguments": '{"title": "The \u201cWhimbrel\u201d & co", "count": 2}'},
        "result": '{"shelf": "B7", "note": "it\'s <lent>"}',
    },
    {"call": {"name": "now", "arguments": "{}"}, "result": "It is noon."},
]


class Generation(jinja2.ext.Extension):
    """`{% generation %}`, which marks what the model wrote and adds nothing."""

    tags = {"generation"}

    def parse(self, parser):
        next(parser.stream)
        return parser.parse_statements(["name:endgeneration"], drop_needle=True)


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def strftime_now(words):
    return datetime.datetime.fromtimestamp(NOW, datetime.timezone.utc).strftime(words)


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def environment():
    made = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols, Generation]
    )
    made.filters["tojson"] = tojson
    made.globals["raise_exception"] = raise_exception
    made.globals["strftime_now"] = strftime_now
    return made


def render(template, messages, **more):
    """The text, or none where the template refuses the conversation, for whatever reason."""
    try:
        return template.render(messages=messages, add_generation_prompt=True, bos_token=BOS, eos_token=EOS, **more)
    except Exception:  # noqa: BLE001
        return None


def called(template):
    """The conversation with what was called, and what came of it, since the question."""
    messages = list(QUESTIONS)
    for index, step in enumerate(STEPS, 1):
        name, arguments = step["call"]["name"], json.loads(step["call"]["arguments"])
        identity = f"call{index:05}"
        function = {"name": name, "arguments": arguments}
        calls = [{"type": "function", "id": identity, "function": function}]
        messages.append({"role": "assistant", "content": "", "tool_calls": calls})
        messages.append({"role": "tool", "tool_call_id": identity, "name": name, "content": step["result"]})
    return render(template, messages, tools=TOOLS)


def conversations(template):
    yield {"name": "plain", "messages": QUESTIONS, "text": render(template, QUESTIONS)}
    question = QUESTIONS[0]
    system = [{"role": "system", "content": SYSTEM}, question]
    text = render(template, system)
    if (text is None or SYSTEM not in text) and render(template, [question]) is not None:
        merged = {"role": "user", "content": f"{SYSTEM}\n\n{question['content']}"}
        text = render(template, [merged])
    yield {"name": "system", "messages": system, "text": text}
    tools = {"tools": json.dumps(TOOLS), "text": render(template, QUESTIONS, tools=TOOLS)}
    yield {"name": "tools", "messages": QUESTIONS, **tools}
    yield {"name": "calls", "messages": QUESTIONS, "steps": STEPS, "tools": json.dumps(TOOLS), "text": called(template)}
    off = {"enable_thinking": False, "thinking": False}
    yield {"name": "thinking off", "messages": QUESTIONS, "thinking": False, "text": render(template, QUESTIONS, **off)}


def main():
    if len(sys.argv) != 3:
        raise SystemExit("usage: templates.py FOLDER OUTPUT.jsonl")
    lines = []
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*.jinja")):
        source = path.read_text(encoding="utf-8")
        cases = list(conversations(environment().from_string(source)))
        line = {"name": path.stem, "now": NOW, "bos_token": BOS, "eos_token": EOS, "source": source, "cases": cases}
        lines.append(json.dumps(line, separators=(",", ":")))
    pathlib.Path(sys.argv[2]).write_text("".join(line + "\n" for line in lines), encoding="ascii")
    print(f"{len(lines)} templates", file=sys.stderr)


if __name__ == "__main__":
    main()
