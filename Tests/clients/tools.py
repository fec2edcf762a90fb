#!/usr/bin/env python3
"""Counts in how many cases a served model calls the right tool, with arguments that fit its schema.

    mneme serve --model smollm2 &
    python3 Tests/clients/tools.py http://127.0.0.1:8377 develop

Of the cases `develop` (50) and `more` (50 with other tools) are for working on prompts and choices, `held` (50) is for the figure
that is told: run it once. A number as third argument takes only so many cases. Each case offers three to six tools with `tool_choice: "required"`. Needs jsonschema.
"""
import json
import pathlib
import sys
import urllib.request

import jsonschema


def call(base, case, tools):
    body = {"messages": [{"role": "user", "content": case["ask"]}], "tools": [tools[name] for name in case["tools"]],
            "tool_choice": "required", "temperature": 0, "max_tokens": 200}
    request = urllib.request.Request(base + "/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["choices"][0]["message"]["tool_calls"][0]["function"]


def fits(function, tools):
    try:
        jsonschema.validate(json.loads(function["arguments"]), tools[function["name"]]["function"]["parameters"])
        return True
    except (ValueError, jsonschema.ValidationError):
        return False


base, part = sys.argv[1:3]
data = json.loads((pathlib.Path(__file__).parent / "tool_cases.json").read_text())
tools = {tool["function"]["name"]: tool for tool in data["tools"]}
cases = [case for case in data["cases"] if case["set"] == part][:int(sys.argv[3]) if sys.argv[3:] else None]
right = valid = 0
for case in cases:
    function = call(base, case, tools)
    is_right, is_valid = function["name"] == case["want"], fits(function, tools)
    right += is_right
    valid += is_valid
    if not (is_right and is_valid):
        print(case["ask"], "->", function["name"], function["arguments"], f"(wanted: {case['want']})")
print(f"{part}: {len(cases)} cases, right tool {right}, arguments valid {valid}")
