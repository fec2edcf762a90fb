#!/usr/bin/env python3
"""Makes a stream of questions for `mneme cache eval --examples`: what a smaller model can do with an example beside it, and what
it cannot.

    python3 scripts/make_example_data.py [COUNT [SEED]] > examples.jsonl        240 questions of seed 1
    mneme cache eval examples.jsonl --examples --model smollm2

A line is {"question": …, "answer": what is right, "large": what the large model says}. Kinds in an order drawn from the seed:
records in three forms that only an example tells, a queue for a message, sums of three numbers, and the same questions again. One
in eight of the large model's records is worded freely, which is wrong, and no good example. One author; nothing is of real users.
"""
import json
import random
import sys

FIRST = "Anna Bela Carl Dora Emil Frida Gina Hans Ida Jan Klara Lars Mona Nils Olga Paul Rosa Sven Tilda Uwe".split()
LAST = "Berg Dahl Ek Fors Gran Holm Ivar Krog Lund Moe Nord Palm Quist Rud Sand Toft Vik Wold Aas Bruun".split()
CITIES = "Oslo Bergen Turku Lund Odense Bremen Ghent Graz Brno Porto Malmo Vaasa Aarhus Tartu Split".split()
THINGS = "lamp desk chair kettle tent radio clock rug bench mirror".split()
QUEUES = {
    "SHIP": ["My parcel with the {} has not arrived.", "The courier lost my {}.", "Where is the {} that I ordered?"],
    "BILL": ["I was charged twice for the {}.", "The invoice for the {} is wrong.", "Please refund what I paid for the {}."],
    "TECH": ["The {} does not work any more.", "My {} broke on the first day.", "The {} makes a strange noise."],
}


def record(draw):
    """A person's record, in one of three forms."""
    first, last, city, year = draw.choice(FIRST), draw.choice(LAST), draw.choice(CITIES), draw.randint(1940, 2005)
    kind = draw.randrange(3)
    if kind == 0:
        return (f"Card for {first} {last}, born {year}, of {city}.", f"{last.upper()}, {first} | {city} | {year}",
                f"{first} {last} was born in {year} and lives in {city}.")
    if kind == 1:
        return (f"Badge for {first} {last} from {city}.", f"[{first} {last} / {city}]", f"A badge for {first} {last}.")
    thing, price = draw.choice(THINGS), draw.randint(5, 95)
    return (f"Label for a {thing} at {price} euros, made in {city}.", f"{thing} - {price} EUR - {city}",
            f"This {thing} from {city} costs {price} euros.")


def stream(count, seed):
    draw = random.Random(f"mneme examples {seed}")
    asked = []
    for number in range(count):
        kind = draw.random()
        if kind < 0.15 and asked:
            question, answer, large = draw.choice(asked)
        elif kind < 0.6:
            question, answer, loose = record(draw)
            large = loose if draw.random() < 1 / 8 else answer
        elif kind < 0.8:
            answer = draw.choice(list(QUEUES))
            question = "Queue of this message: " + draw.choice(QUEUES[answer]).format(draw.choice(THINGS))
            large = answer
        else:
            numbers = [draw.randint(100, 999) for _ in range(3)]
            question, answer = "Sum of {}, {} and {}.".format(*numbers), str(sum(numbers))
            large = answer
        asked.append((question, answer, large))
        yield {"question": question, "answer": answer, "large": large}


if __name__ == "__main__":
    if len(sys.argv) > 3 or not all(word.isdigit() for word in sys.argv[1:]):
        sys.exit(__doc__)
    for line in stream(*[int(word) for word in sys.argv[1:]] + [240, 1][len(sys.argv) - 1:]):
        print(json.dumps(line))
