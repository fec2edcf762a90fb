#!/usr/bin/env python3
"""Turns other people's attacks into files for `mneme guard eval`.

    git clone https://github.com/sleeepeer/PoisonedRAG; git clone https://github.com/microsoft/BIPIA
    scripts/peers/guard_data.py poisonedrag PoisonedRAG/results/adv_targeted_results/hotpotqa.json > hotpotqa.jsonl
    scripts/peers/guard_data.py bipia BIPIA/benchmark/email/test.jsonl BIPIA/benchmark/text_attack_test.json > bipia.jsonl
    mneme guard eval hotpotqa.jsonl

poisonedrag: 100 questions (Zou et al. 2025). The store has three notes with the right answer each, in other words, and then the
five poisoned texts: every second one behind the question, as the paper's black-box attack has it, the others without.
bipia: mails as they are, and mails with an instruction at the end (Yi et al. 2025), a kind each. Neither is part of this repository.
"""
import json
import random
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


def bipia(mails, attacks):
    chosen = random.Random(3)
    mails = [json.loads(line) for line in open(mails, encoding="utf-8")]
    for mail in mails:
        yield dict(text=mail["context"], label="honest", kind="mail", question=mail["question"].removeprefix("Q: "))
    for kind, texts in json.load(open(attacks, encoding="utf-8")).items():
        for text in texts:
            mail = chosen.choice(mails)
            yield dict(text=f"{mail['context']}\n{text}", label="attack", kind=kind, question=mail["question"].removeprefix("Q: "))


if __name__ == "__main__":
    for row in {"poisonedrag": poisonedrag, "bipia": bipia}[sys.argv[1]](*sys.argv[2:]):
        print(json.dumps(row, ensure_ascii=False))
