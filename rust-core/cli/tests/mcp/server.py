#!/usr/bin/env python3
"""server.py [KIND] [ARGUMENT…]: an MCP server over standard input and output for the tests, with the standard library alone.

Without a kind, and as `good`, it behaves. Every other kind has one peculiarity or fault, at the branch with its name.
"""

import json
import os
import signal
import subprocess
import sys
import time

KIND = sys.argv[1] if len(sys.argv) > 1 else "good"
NAME = "test server"
TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
PAGES = [
    [
        {"name": "echo", "description": "Says a text again.\nThe second line.", "inputSchema": TEXT},
        {"name": "with blanks!", "inputSchema": {"type": "object"}},
    ],
    [
        {"name": "fail", "description": "Fails.", "inputSchema": {"type": "object"}},
        {"name": "picture", "description": "x" * 3000, "inputSchema": {"type": "object"}},
        {"name": "structured", "inputSchema": {"type": "object"}},
        {"name": "environment", "inputSchema": {"type": "object"}},
    ],
]


def write(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def complain(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def answer(number: object, result: object) -> None:
    write(json.dumps({"jsonrpc": "2.0", "id": number, "result": result}))


def refuse(number: object, message: str, code: int = -32602) -> None:
    write(json.dumps({"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": message}}))


def text(said: str, **more: object) -> dict:
    return {"content": [{"type": "text", "text": said}], **more}


def call(number: object, name: str, arguments: dict) -> None:
    if KIND == "dies":
        os._exit(3)
    elif KIND == "silent-call":
        pass
    elif KIND == "stubborn":
        complain("called")
    elif KIND == "wrong-ids":
        answer(number + 1000, text("for another request"))
    elif KIND == "deep":
        write('{"jsonrpc":"2.0","id":%d,"result":{"content":%s%s}}' % (number, "[" * 10_000, "]" * 10_000))
    elif KIND == "huge":
        answer(number, text("x" * 10_000_000))
    elif KIND == "endless-line":
        while True:
            sys.stdout.write("x" * 65536)
    elif name == "echo" and "text" in arguments:
        answer(number, text(arguments["text"]))
    elif name == "echo":
        refuse(number, "text is missing")
    elif name == "with blanks!":
        answer(number, text(f"called as {name}"))
    elif name == "fail":
        answer(number, text("it did not work", isError=True))
    elif name == "picture":
        answer(number, {"content": [{"type": "image", "data": "aGVsbG8=", "mimeType": "image/png"}]})
    elif name == "structured":
        answer(number, {"content": [], "structuredContent": {"degrees": 21}})
    elif name == "environment":
        answer(number, text(os.environ.get("MCP_TEST", "not set")))
    else:
        refuse(number, f"there is no {name}")


def handle(message: dict) -> None:
    method, number = message.get("method"), message.get("id")
    parameters = message.get("params") or {}
    if method == "initialize":
        version = parameters["protocolVersion"]
        answer(number, {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": {"name": NAME, "version": "1"}})
    elif method == "tools/list" and KIND == "many":
        answer(number, {"tools": [{"name": f"tool{count}", "inputSchema": {"type": "object"}} for count in range(10_000)]})
    elif method == "tools/list" and KIND == "endless-pages":
        answer(number, {"tools": [], "nextCursor": "more"})
    elif method == "tools/list" and KIND == "long-schema":
        answer(number, {"tools": [{"name": "long", "inputSchema": {"type": "object", "description": "x" * 70_000}}]})
    elif method == "tools/list" and KIND == "no-tools":
        refuse(number, "no such method", -32601)
    elif method == "tools/list":
        page = int(parameters.get("cursor") or 0)
        result = {"tools": PAGES[page]}
        if page + 1 < len(PAGES):
            result["nextCursor"] = str(page + 1)
        answer(number, result)
    elif method == "tools/call":
        call(number, parameters["name"], parameters.get("arguments") or {})
    elif method == "notifications/cancelled" and KIND == "stubborn":
        complain("cancelled")
    elif number is not None and method is not None:
        refuse(number, "no such method", -32601)


def main() -> None:
    if KIND == "exits":
        complain("first line\nthe configuration is missing")
        sys.exit(4)
    elif KIND == "garbage":
        while True:
            write("this is not a message")
    elif KIND == "malformed":
        write('{"jsonrpc": "2.0", "id": 0, "result": ')
    elif KIND == "silent":
        complain("reading")
        while sys.stdin.readline():
            pass
        return
    elif KIND == "closes-output":
        os.close(1)
        time.sleep(600)
    elif KIND == "chatty":
        # Lines of a log, a blank line, a notification that nobody knows, and requests that a client may decline.
        write('starting\n\n{"level": "info", "message": "ready"}')
        write('{"jsonrpc": "2.0", "method": "notifications/novelty", "params": {"a": 1}}')
    elif KIND == "stubborn":
        # Neither the end of its input nor SIGTERM ends it, and it starts another one like it.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen(["sleep", "600"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        with open(sys.argv[2], "w") as file:
            print(os.getpid(), child.pid, file=file)
    for line in sys.stdin:
        if KIND == "wrong-ids-at-start":
            answer(1000, {})
        else:
            handle(json.loads(line))
        if KIND == "chatty":
            print("a line of the log")
            write('{"jsonrpc": "2.0", "id": "q", "method": "sampling/createMessage", "params": {"messages": [], "maxTokens": 1}}')
    if KIND == "stubborn":
        time.sleep(600)


if __name__ == "__main__":
    main()
