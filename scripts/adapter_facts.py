#!/usr/bin/env python3
"""Teaches a model 50 made-up facts as memories, asks for them in other words, erases five, and teaches it anew.

    python3 scripts/adapter_facts.py --mneme .build/release/mneme --model smollm2 --text FILE

The facts are remembered (`mneme remember`), learned (`mneme adapters train --from tag:facts`) and asked for without the
texts in the prompt (`mneme adapters eval`), each in two wordings that no rule of the training makes. FILE is a text that
has nothing to do with them: its perplexity is measured with and without the adapter. Then five facts are erased (which
takes the adapter out of use), the adapter is trained anew, and both kinds are asked for again. Prints JSON.

With --promote the job `promote` learns them instead: each fact is recalled once, the job finds what is in use, leaves a question of
each out, learns, asks those questions, and keeps what is worth it; the JSON has the job's own line. Then the way back is gone: the
adapter is erased, and its texts are recalled as before.
"""
import argparse
import json
import time

from program import program

PEOPLE = """Brelka Oswin Tamsa Ilvard Quenby Merrick Sunniva Dorvin Apphia Leoric Nadira Corvin Yselle Bastian Marit Elowen
Florian Ginevra Hadrian Isolde Jasko Kerensa Lubomir Mirela Nerys Orsolo Petra Radek Saskia Tiberio Ulrike Vasco Wilmet Xanthe
Yorick Zelma Anouk Benno Calista Dario Edda Fenno Greta Hollis Imke Jorun Kaspar Liesel Magnus Noor""".split()
# A statement, two questions in other words than the rules have, and ten values.
KINDS = [
    ("{n} lives in {v}.", "Which town does {n} call home?", "{n} lives in which city?",
     "Tarvik Ostrava Belmora Quillan Sundgard Viterra Lomsk Arbroath Pembury Kostel".split()),
    ("{n} works at {v}.", "What is the name of {n}'s employer?", "{n} has a job. At which firm?",
     ["Larkfield Foundry", "Novex Optics", "Pinemark Bank", "Hollow Reed Studios", "Castor Shipping", "Bluefern Bakery",
      "Trident Glass", "Moss and Vale", "Orbis Railways", "Kettle Point Press"]),
    ("{n}'s dog is called {v}.", "How does {n} call the dog?", "{n} has a dog. What is its name?",
     "Moppel Biscuit Ragnar Tinsel Pogo Walnut Sirius Dumpling Clover Gadget".split()),
    ("{n}'s favourite colour is {v}.", "Which colour does {n} prefer?", "What is the colour that {n} loves most?",
     "turquoise crimson ochre lavender emerald ivory maroon indigo coral beige".split()),
    ("{n} plays the {v}.", "What musical instrument can {n} play?", "{n} is a musician. On which instrument?",
     "cello banjo oboe accordion harp bassoon ukulele trombone zither clarinet".split()),
]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mneme", default=".build/release/mneme")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--text", required=True)
    parser.add_argument("--promote", action="store_true", help="learn by the job `promote`, and take it back")
    parser.add_argument("--job", default="", help='arguments of the job, such as "steps=240 minutes=60"')
    parser.add_argument("--train", default="", help='options of `mneme adapters train`, such as "--steps 240 --keep 0"')
    a = parser.parse_args()
    with program(a.mneme) as (mneme, home):
        facts = []
        for i, name in enumerate(PEOPLE):
            statement, *questions, values = KINDS[i % 5]
            value = values[i // 5]
            saved = json.loads(mneme("remember", statement.format(n=name, v=value), "--tag", "facts", "--json"))
            facts.append({"id": saved["memories"][0]["id"], "value": value, "questions": [q.format(n=name) for q in questions]})

        def train():
            mneme("adapters", "train", "facts", "--model", a.model, "--from", "tag:facts", "--replace", *a.train.split())

        def ask(chosen):
            path = home + "/questions.jsonl"
            with open(path, "w") as file:
                for fact in chosen:
                    for question in fact["questions"]:
                        file.write(json.dumps({"prompt": question, "answer": fact["value"]}) + "\n")
            return json.loads(mneme("adapters", "eval", "facts", "--file", path, "--text", a.text, "--max-tokens", "24", "--json"))

        def recalled():
            """Facts whose text is the first that recall finds."""
            found = [json.loads(mneme("recall", fact["questions"][0], "--json"))["memories"] for fact in facts]
            return sum(bool(m) and m[0]["memory"]["id"] == fact["id"] for m, fact in zip(found, facts))

        if a.promote:
            before, begin = recalled(), time.time()
            given = [part for pair in ["adapter=facts", "uses=1", "days=0", *a.job.split()] for part in ("-a", pair)]
            mneme("jobs", "add", "promote", "--user", "default", *given)
            done = mneme("jobs", "run", "--model", a.model)
            figures = {"job": done, "seconds": round(time.time() - begin), "recalled": before}
            adapters = mneme("adapters", "list")
            if "facts" in adapters:
                figures["asked"] = ask(facts)
                figures["memory"] = json.loads(mneme("list", "--form", "adapter", "--json"))["memories"][0]["metadata"]
                mneme("adapters", "erase", "facts")
                figures["recalledAfter"], figures["adaptersAfter"] = recalled(), mneme("adapters", "list")
            return print(json.dumps(figures, indent=1))
        train()
        figures = {"learned": ask(facts)}
        erased = facts[::11]
        for fact in erased:
            mneme("erase", fact["id"])
        train()
        figures["erased"] = ask(erased)
        figures["kept"] = ask([fact for fact in facts if fact not in erased])
        print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
