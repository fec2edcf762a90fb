#!/usr/bin/env python3
"""Golden values of LoCoBench-Agent's nine metrics, by its authors' evaluator, on sessions of our own.

    git clone https://github.com/SalesforceAIResearch/LoCoBench-Agent CHECKOUT
    python3 scripts/make_golden_agent.py CHECKOUT > Tests/MnemeBenchTests/Golden/agent-sessions.json

Only the modules that the evaluator needs are loaded (psutil is one: pip install psutil). What is kept are our sessions
and numbers.
"""
import asyncio
import importlib
import json
import logging
import pathlib
import sys
import types

PRICING = '''"""Prices."""
import json
from decimal import Decimal
from .voucher import Voucher

LIMITS = [1, 2, 3]


def unit_price(item_price, voucher_share):
    try:
        return Decimal(item_price) * (1 - voucher_share)
    except ValueError:
        return None


def total_price(all_items):
    known = set(all_items)
    for item in known:
        for part in item.parts:
            yield unit_price(part.price, item.share)


def load_prices(file_name):
    with open(file_name) as handle:
        return json.load(handle)
'''
SERVICE = '''import os, sys
from shop.pricing import unit_price
from (broken)

def handleRequest(requestBody):
    global counter
    while requestBody:
        for partOfBody in requestBody:
            for letterOfPart in partOfBody:
                for bitOfLetter in letterOfPart:
                    print(bitOfLetter)
    rows = open("rows.txt").readlines(); cells = [row.split(",") for row in rows for cell in row if cell in list(rows)]
    return eval(cells[0][0]) if cells else undefinedName (requestBody, "a text that makes this line longer than others")

def late():
    import time
    return time.time()
'''
NOTES = "# Notes\r\n\r\nünïcode_name and Straße: définir(x), def  spaced  (y), def def z(q)\r\n\x1c\r\nfor for\n"


def call(turn, phase, function, **parameters):
    return {"turn": turn, "phase": phase, "tool_call": {
        "tool_name": "file", "function_name": function, "parameters": parameters}}


def said(role, content):
    return {"role": role, "content": content}


SESSIONS = [
    {"scenario_id": "nothing", "conversation_history": [], "tool_usage_log": [], "modified_files": {}},
    {"scenario_id": "reads-alone",
     "conversation_history": [
         said("user", "Look around."), said("assistant", "The project prices items and vouchers."),
         said("user", "And then?"), said("assistant", "As mentioned, pricing rounds items; vouchers take shares."),
         said("user", "More."), said("assistant", "Earlier findings hold: pricing rounds items twice."),
         said("assistant", "The vouchers of the project take shares, pricing rounds items.")],
     "tool_usage_log": [
         call(1, "exploration", "list_directory", path="."), call(1, "exploration", "semantic_search", query="rounding"),
         call(1, "exploration", "system_copy_77_read_file", path="shop/pricing.py"),
         call(2, "exploration", "read_file", path="shop/order.py"), call(2, "exploration", "run_it", target_file="x.py")],
     "modified_files": {}, "error_rate": 0.2},
    {"scenario_id": "writes",
     "conversation_history": [
         said("system", "You are an agent."), said("user", "Mend it."), said("assistant", "I read pricing first."),
         said("assistant", "Changing pricing and service together."), said("user", "Fine?"),
         said("assistant", "Remember that service calls pricing."), said("assistant", "Pricing and service changed."),
         said("user", "Done?"), said("tool", "ok"), said("assistant", "Service and pricing changed together.")],
     "tool_usage_log": [
         call(1, "solution", "read_file", path="shop/pricing.py"), call(1, "solution", "read_file", path="README.md"),
         call(1, "solution", "write_file", path="README.md", content="x"),
         call(2, "solution", "write_file", path="shop/pricing.py", content=PRICING),
         call(2, "solution", "write_file", path="shop/service.py", content=SERVICE),
         call(3, "solution", "compiler", file_path="shop/service.py"), call(3, "solution", "grep", path="docs/notes.md"),
         call(3, "solution", "create_file", path="docs/notes.md", content=NOTES)],
     "modified_files": {"shop/pricing.py": PRICING, "shop/service.py": SERVICE, "docs/notes.md": NOTES},
     "error_rate": 0.125},
    {"scenario_id": "one-file",
     "conversation_history": [said("user", "Write."), said("assistant", "Written.")],
     "tool_usage_log": [call(1, "implementation", "write_file", path="a.py", content=PRICING)],
     "modified_files": {"a.py": PRICING}},
    {"scenario_id": "empty-file",
     "conversation_history": [said("user", "Write."), said("user", "Write!"), said("user", "Well?")],
     "tool_usage_log": [call(1, "implementation", "edit_file", file_path="a.py")],
     "modified_files": {"a.py": "", "b.py": SERVICE}, "error_rate": 1.5},
    {"scenario_id": "reads-first",
     "conversation_history": [said("user", "Go."), said("assistant", "Ok."), said("user", "On."), said("assistant", "")],
     "tool_usage_log": [
         call(1, "x", "read_file", path="a.py"), call(1, "x", "read_file", path="b.py"),
         call(1, "x", "write_file", path="c.py", content=""), call(1, "x", "write_file", path="b.py", content=""),
         call(1, "x", "write_file", path="a.py", content="")],
     "modified_files": {name: f"import {name[0]}\nvalue_of_it = {name[0]}.value_of_it()\n" for name in
                        ("a.py", "b.py", "c.py", "d.py", "e.py", "f.py", "g.py", "h.py")}},
]


def evaluator(checkout):
    """The authors' evaluator, its packages' own initialisers left out: they load clients of model servers."""
    for name in ("locobench", "locobench.core", "locobench.evaluation"):
        package = types.ModuleType(name)
        package.__path__ = [str(pathlib.Path(checkout, *name.split(".")))]
        sys.modules[name] = package
    return importlib.import_module("locobench.evaluation.bias_free_evaluator").BiasFreEvaluator()


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    logging.disable(logging.CRITICAL)
    judge = evaluator(sys.argv[1])
    golden = []
    for session in SESSIONS:
        results = asyncio.run(judge._calculate_all_metrics({}, {}, session))
        scores = judge._calculate_lcba_scores(results)
        metrics = {name: result.score for name, result in results.items()}
        metrics |= {"comprehension": scores.comprehension_score, "efficiency": scores.efficiency_score,
                    "overall": scores.overall_score}
        golden.append({"session": session, "metrics": metrics})
    print(json.dumps(golden, indent=1, ensure_ascii=True))


main()
