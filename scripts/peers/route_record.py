#!/usr/bin/env python3
"""Asks two models 200 questions whose answers a rule can judge, and writes the lines that `mneme cache eval --route` reads.

    mneme serve --model smollm2 --port 8431 &  mneme serve --model gemma.gguf --port 8432 &
    scripts/peers/route_record.py http://127.0.0.1:8431/v1 http://127.0.0.1:8432/v1 > routes.jsonl
    mneme cache eval routes.jsonl --route --threshold 0.7

A third of the questions ask for a fact of a short text, a third for a sum, a difference or a product, a third for how often a
word stands in a list. They are made from a fixed seed. An answer is right if the last number in it, or the one name of the
text's that it holds, is the expected one. `confidence` is the mean probability of the small model's tokens, as the cascade of
`mneme proxy` has it; `judged` is the large model's share of "Yes" against "No" when it is asked whether the question is easy.
Both complete the same prompt with three examples, so that a model without a chat template can answer; greedily, 12 tokens at
most. Standard library alone.
"""
import functools
import json
import math
import random
import re
import sys
import urllib.request

NAMES = "Ada Bruno Clara Dmitri Elif Farid Greta Hugo Ines Jonas Kira Leo".split()
THINGS = "bicycle piano kayak telescope loom guitar typewriter drone accordion tent".split()
PLACES = "cellar attic garage kitchen shed hallway".split()
FRUITS = "apple plum pear fig lemon cherry".split()


def questions(count, random=random.Random(7)):
    """Questions with what is right, kinds in turn, easy and hard ones mixed."""
    for number in range(count):
        kind = number % 3
        if kind == 0:
            people = random.sample(NAMES, random.randint(2, 5))
            things = random.sample(THINGS, len(people))
            facts = [f"{who} keeps the {what} in the {random.choice(PLACES)}." for who, what in zip(people, things)]
            asked = random.randrange(len(people))
            yield f"{' '.join(facts)} Who keeps the {things[asked]}? Answer with the name alone.", people[asked], people
        elif kind == 1:
            digits = random.randint(1, 3)
            a, b = (random.randint(10 ** (digits - 1), 10**digits - 1) for _ in range(2))
            sign = random.choice("+-" if digits > 1 else "+-*")
            a, b = max(a, b), min(a, b)
            value = {"+": a + b, "-": a - b, "*": a * b}[sign]
            yield f"What is {a} {sign} {b}? Answer with the number alone.", str(value), None
        else:
            words = [random.choice(FRUITS) for _ in range(random.randint(3, 9))]
            word = random.choice(words)
            yield (
                f"How often does the word {word} stand in this list: {', '.join(words)}? Answer with the number alone.",
                str(words.count(word)), None)


@functools.cache
def model(url):
    """The name of an endpoint's model."""
    with urllib.request.urlopen(url + "/models", timeout=60) as answer:
        return json.load(answer)["data"][0]["id"]


EXAMPLES = """Q: Olga keeps the canoe in the barn. Pete keeps the flute in the pantry. Who keeps the flute? Answer with the name alone.
A: Pete
Q: What is 14 + 5? Answer with the number alone.
A: 19
Q: How often does the word kiwi stand in this list: kiwi, mango, kiwi? Answer with the number alone.
A: 2
"""


def ask(url, text, tokens=12):
    """How a model completes a prompt, its tokens' logarithms of probability, and the likeliest first tokens."""
    body = {
        "model": model(url), "temperature": 0, "max_tokens": tokens, "logprobs": 5, "stop": ["\n"], "prompt": text,
    }
    request = urllib.request.Request(
        url + "/completions", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=300) as answer:
        choice = json.load(answer)["choices"][0]
    return choice["text"], choice["logprobs"]["token_logprobs"], choice["logprobs"]["top_logprobs"]


def is_right(answer, expected, names):
    """A rule's judgement: the last number, or the one name."""
    if names:
        return [name for name in names if name in answer] == [expected]
    numbers = re.findall(r"-?\d+", answer.replace(",", ""))
    words = "zero one two three four five six seven eight nine".split()
    if not numbers:
        numbers = [str(words.index(word)) for word in re.findall(r"[a-z]+", answer.lower()) if word in words]
    return bool(numbers) and numbers[-1] == expected


def main(small, large, count=200):
    for text, expected, names in questions(count):
        prompt = f"{EXAMPLES}Q: {text}\nA:"
        given, tokens, _ = ask(small, prompt)
        other, _, _ = ask(large, prompt)
        _, _, first = ask(large, f"Question: {text}\nIs this question easy? Yes or No:", 1)
        odds = {token.strip().lower(): math.exp(value) for token, value in first[0].items()}
        yes = odds.get("yes", 0) / ((odds.get("yes", 0) + odds.get("no", 0)) or 1)
        print(json.dumps({
            "question": text, "small": is_right(given, expected, names), "large": is_right(other, expected, names),
            "confidence": sum(map(math.exp, tokens)) / max(1, len(tokens)), "judged": yes,
        }), flush=True)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) == 4 else 200)
