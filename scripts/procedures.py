#!/usr/bin/env python3
"""Teaches a model procedures: as tokens beside it (TokMem), a network beside it (Quantized Side Tuning), or low-rank terms.

    python3 scripts/procedures.py --mneme .build/release/mneme --model smollm2 --text FILE --train "--route tokens:4"

Two procedures of 24 made lines each are learned (`mneme adapters train`): an apology and a ticket, whose answers are always of one
form with something of the question in it. Ten questions of each that no line has are asked, with the adapter and without it
(`mneme adapters eval`): how many answers are right to the letter, how many begin with the right procedure, and the perplexity of
FILE, which has nothing to do with them. With tokens a third procedure, a date in numbers, is then added (`--start`) with six lines of
the earlier ones beside its own, and all three are asked for. Prints JSON, with the seconds of each training, and the tokens that an
instruction in the prompt would take in place of a procedure.
"""
import argparse
import json
import time

from program import program

THINGS = "printer heater window lamp projector scanner router monitor fridge blind door fan kettle screen shelf clock".split()
FAULTS = ["is broken", "makes a noise", "does not start", "is too hot", "leaks", "is stuck", "smells burnt"]
LATE = ["is late", "did not come", "has not arrived", "is still missing"]
MONTHS = "January February March April May June July August September October November December".split()
INSTRUCTIONS = {
    "apology": "Apologise for the order in one sentence that names its number, and say that it is on its way.",
    "ticket": "Write a ticket in capital letters: the thing, then the room, divided by a stroke.",
    "date": "Write the date as year, month and day in numbers, with strokes between them.",
}


def line(kind, i):
    """The question of a number, and its answer."""
    if kind == "apology":
        number = 100 + 37 * i % 900
        return f"My order {number} {LATE[i % 4]}.", f"We are sorry. Order {number} is on its way."
    if kind == "ticket":
        thing, room = THINGS[i % 16], 11 + 13 * i % 80
        return f"The {thing} in room {room} {FAULTS[i % 7]}.", f"TICKET | {thing} | room {room}"
    day, month, year = 10 + 7 * i % 19, i * 5 % 12, 1990 + i * 3 % 40
    return f"We met on {MONTHS[month]} {day}, {year}.", f"{year}-{month + 1:02}-{day}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mneme", default=".build/release/mneme")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--text")
    parser.add_argument("--lines", type=int, default=24, help="of a procedure")
    parser.add_argument("--train", default="--route tokens:4", help="options of `mneme adapters train`")
    parser.add_argument("--add", action="store_true", help="with tokens: add a third procedure")
    a = parser.parse_args()
    with program(a.mneme) as (mneme, home):
        def write(name, lines):
            with open(f"{home}/{name}.jsonl", "w") as file:
                for kind, i, member in lines:
                    prompt, answer = line(kind, i)
                    file.write(json.dumps({"prompt": prompt, member: answer, "procedure": kind}) + "\n")
            return f"{home}/{name}.jsonl"

        def train(name, lines, *more):
            begin = time.time()
            said = mneme("adapters", "train", name, "--model", a.model, "--file", write(name, lines), *a.train.split(), *more)
            return {"seconds": round(time.time() - begin), "said": said}

        def ask(name, kinds):
            path = write("questions", [(kind, 1000 + i, "answer") for kind in kinds for i in range(10)])
            text = ["--text", a.text] if a.text else []
            return json.loads(mneme("adapters", "eval", name, "--file", path, *text, "--max-tokens", "32", "--json"))

        first = [(kind, i, "completion") for kind in ("apology", "ticket") for i in range(a.lines)]
        figures = {"learned": train("two", first), "asked": ask("two", ["apology", "ticket"])}
        if a.add:
            more = [("date", i, "completion") for i in range(a.lines)] + [(k, i, "completion") for k in ("apology", "ticket") for i in range(6)]
            figures["added"] = train("three", more, "--start", "two")
            figures["earlier"], figures["new"] = ask("three", ["apology", "ticket"]), ask("three", ["date"])
        figures["instructions"] = {kind: len(text.split()) for kind, text in INSTRUCTIONS.items()}
        print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
