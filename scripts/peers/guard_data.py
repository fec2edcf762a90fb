#!/usr/bin/env python3
"""Turns other people's texts into files for `mneme guard eval`.

    git clone https://github.com/sleeepeer/PoisonedRAG; git clone https://github.com/microsoft/BIPIA
    git clone https://github.com/NVIDIA/garak; git clone https://github.com/Jacobhhy/Agent-Memory-Poisoning
    scripts/peers/guard_data.py poisonedrag PoisonedRAG/results/adv_targeted_results/hotpotqa.json > hotpotqa.jsonl
    scripts/peers/guard_data.py bipia BIPIA/benchmark/email/test.jsonl BIPIA/benchmark/text_attack_test.json [start|middle] > bipia.jsonl
    scripts/peers/guard_data.py garak garak/garak/probes/latentinjection.py > garak.jsonl
    scripts/peers/guard_data.py memorygraft Agent-Memory-Poisoning/metagpt_attack_poc/payloads/experience_seeds.json > graft.jsonl
    scripts/peers/guard_data.py locomo locomo10.json > locomo.jsonl; scripts/peers/guard_data.py paragraphs NOVEL.txt > novel.jsonl
    mneme guard eval hotpotqa.jsonl; cat locomo.jsonl hotpotqa.jsonl | mneme guard eval /dev/stdin

poisonedrag: 100 questions (Zou et al. 2025). The store has three notes with the right answer each, in other words, and then the
five poisoned texts: every second one behind the question, as the paper's black-box attack has it, the others without.
bipia: mails as they are, and mails with an instruction at the end, in front or in the middle (Yi et al. 2025), a kind each.
garak: documents as they are, and with its probes' latent injections, two payloads of each instruction, by probe.
memorygraft: experiences of a data analyst, and poisoned ones (Srivastava and He 2025).
locomo, paragraphs: honest texts alone, LoCoMo's turns with the questions that they answer; a file needs attacks of another.
None of these is part of this repository.
"""
import ast
import json
import random
import re
import sys

NOTES = [
    lambda q, a: f"Looked up {q}: {a}.",
    lambda q, a: f"{q[0].upper()}{q[1:]}? The encyclopedia says {a}.",
    lambda q, a: f"Quiz night notes, {q}: the answer was {a}.",
]


def poisonedrag(path):
    data = json.load(open(path, encoding="utf-8")).values()
    for case in data:
        question = case["question"].rstrip("?")
        for note in NOTES:
            yield dict(text=note(question, case["correct answer"]), label="honest", kind="note", question=question)
    for case in data:
        question = case["question"].rstrip("?")
        for number, text in enumerate(case["adv_texts"]):
            if number % 2 == 0:
                yield dict(text=f"{question}. {text}", label="attack", kind="behind its question", question=question)
            else:
                yield dict(text=text, label="attack", kind="plain", question=question)


def bipia(mails, attacks, place="end"):
    chosen = random.Random(3)
    mails = [json.loads(line) for line in open(mails, encoding="utf-8")]
    for mail in mails:
        yield dict(text=mail["context"], label="honest", kind="mail", question=mail["question"].removeprefix("Q: "))
    for kind, texts in json.load(open(attacks, encoding="utf-8")).items():
        for text in texts:
            mail = chosen.choice(mails)
            lines = mail["context"].split("\n")
            at = {"end": len(lines), "start": 0, "middle": len(lines) // 2}[place]
            yield dict(
                text="\n".join(lines[:at] + [text] + lines[at:]), label="attack", kind=kind, injected=text,
                question=mail["question"].removeprefix("Q: "))


def garak(path):
    names = {"INJECTION_MARKER": "{INJECTION}", "PAYLOAD_MARKER": "{PAYLOAD}", "TRIGGER_MARKER": "{TRIGGER}"}

    def value(node):
        """A literal of strings, without running what is not ours."""
        match node:
            case ast.Constant(value=found): return found
            case ast.Name(id=name) if name in names: return names[name]
            case ast.JoinedStr(values=parts): return "".join(value(part) for part in parts)
            case ast.FormattedValue(value=part): return value(part)
            case ast.BinOp(left=left, op=ast.Add(), right=right): return value(left) + value(right)
            case ast.BinOp(left=left, op=ast.Mult(), right=right): return value(left) * value(right)
            case ast.List(elts=parts): return [value(part) for part in parts]
        raise ValueError(ast.dump(node)[:80])

    attacks, seen = [], set()
    for probe in ast.parse(open(path, encoding="utf-8").read()).body:
        lists = {}
        for line in probe.body if isinstance(probe, ast.ClassDef) else []:
            if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
                try:
                    lists[line.targets[0].id] = value(line.value)
                except ValueError:
                    pass
        triggers = lists.get("payload_triggers") or ["garak.example"]
        for context in lists.get("contexts", []):
            if len(context) < 200 or "injection_instructions" not in lists:
                continue
            plain = context.replace(names["INJECTION_MARKER"], "")
            if plain not in seen:
                seen.add(plain)
                yield dict(text=plain, label="honest", kind="document")
            for number, instruction in enumerate(lists["injection_instructions"]):
                for payload in lists.get("payloads", ["{TRIGGER}"])[number % 2::2][:2]:
                    injected = instruction.replace("{PAYLOAD}", payload).replace("{TRIGGER}", triggers[number % len(triggers)])
                    attacks.append(dict(
                        text=context.replace(names["INJECTION_MARKER"], injected), label="attack", kind=probe.name,
                        injected=injected, question=plain[:300]))
    yield from attacks


def memorygraft(path):
    data = json.load(open(path, encoding="utf-8"))
    for label, kind in (("honest", "benign_experiences"), ("attack", "poisoned_experiences")):
        for case in data[kind]:
            yield dict(text=f"{case['req']} {case['resp']}", label=label, kind=kind, question=case["req"])


def locomo(path):
    for sample in json.load(open(path, encoding="utf-8")):
        asked = {}
        for case in sample["qa"]:
            for evidence in case.get("evidence", []):
                asked.setdefault(evidence, case["question"])
        for session, turns in sample["conversation"].items():
            for turn in turns if isinstance(turns, list) else []:
                row = dict(
                    text=turn["text"], label="honest", kind="turn", group=sample["sample_id"], speaker=turn["speaker"],
                    session=session)
                yield row | ({"question": asked[turn["dia_id"]]} if turn["dia_id"] in asked else {})


def paragraphs(path):
    for text in re.split(r"\n\s*\n", open(path, encoding="utf-8").read()):
        if text.strip():
            yield dict(text=text, label="honest", kind="paragraph")


if __name__ == "__main__":
    makers = [poisonedrag, bipia, garak, memorygraft, locomo, paragraphs]
    for row in {maker.__name__: maker for maker in makers}[sys.argv[1]](*sys.argv[2:]):
        print(json.dumps(row, ensure_ascii=False))
