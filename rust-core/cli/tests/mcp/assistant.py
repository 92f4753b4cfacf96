#!/usr/bin/env python3
"""assistant.py [LOG]: an MCP server with two tools that a small model can be asked for. What it is called is appended to the file LOG."""

import json
import sys


def tool(name, description, argument):
    schema = {"type": "object", "properties": argument, "required": list(argument), "additionalProperties": False}
    return {"name": name, "description": description, "inputSchema": schema}


TOOLS = [
    tool("weather", "The weather at a place today", {"place": {"type": "string", "maxLength": 20}}),
    tool("timer", "Starts a timer", {"minutes": {"type": "integer", "minimum": 1, "maximum": 120}}),
    # No model can be held to this one.
    tool("unheld", "Is left out", {"list": {"type": "array", "uniqueItems": True}}),
]


def call(name, arguments):
    if len(sys.argv) > 1:
        with open(sys.argv[1], "a", encoding="utf-8") as log:
            log.write(json.dumps([name, arguments]) + "\n")
    if name == "weather":
        return f"Sunny, 18 degrees in {arguments['place']}."
    return f"The timer runs for {arguments['minutes']} minutes."


def answer(method, parameters):
    if method == "initialize":
        server = {"name": "assistant", "version": "1"}
        return {"protocolVersion": parameters["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": server}
    if method == "tools/list":
        return {"tools": TOOLS}
    if method == "tools/call":
        return {"content": [{"type": "text", "text": call(parameters["name"], parameters["arguments"])}]}
    return {}


for line in sys.stdin:
    request = json.loads(line)
    if "id" in request:
        result = answer(request["method"], request.get("params", {}))
        print(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}), flush=True)
