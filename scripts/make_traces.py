#!/usr/bin/env python3
"""Makes the small traces of requests that `mneme serve replay` is tested with, in published formats.

    python3 scripts/make_traces.py [FOLDER]     Tests/MnemeEngineTests/Golden/traces if it is left out

They are drawn by a seeded program and stand for no service: bursts of short questions (`bursts.csv`, Azure's columns),
short prompts with long answers (`answers.csv`, the same), and conversations that share system prompts (`chats.jsonl`,
Mooncake's fields, a hash for each 512 tokens).
"""
import json
import math
import pathlib
import random
import sys


def lengths(draw, median, spread, most):
    """A length of lognormal distribution, 1 to `most`."""
    return max(1, min(most, round(draw.lognormvariate(math.log(median), spread))))


def arrivals(draw, count, rate, burst):
    """Times of arrival: bursts of `burst` requests on average, geometric, `rate` requests a second in the long run."""
    now, times = 0.0, []
    while len(times) < count:
        now += draw.expovariate(rate / burst)
        at = now
        while len(times) < count:
            times.append(at)
            if draw.random() < 1 / burst:
                break
            at += draw.expovariate(20 * rate)
    return sorted(times)


def azure(path, rows):
    """Writes Azure's format: times as it has them, from the day of its first trace on."""
    with open(path, "w", encoding="utf-8") as out:
        out.write("TIMESTAMP,ContextTokens,GeneratedTokens\n")
        for at, prompt, answer in rows:
            minutes, seconds = divmod(at, 60)
            hours, minutes = divmod(int(minutes), 60)
            out.write(f"2023-11-16 {18 + hours:02}:{minutes:02}:{seconds:010.7f},{prompt},{answer}\n")


def chats(path, draw):
    """Writes Mooncake's format: conversations whose turns repeat all before them behind one of four system prompts."""
    rows, names = [], 0
    systems = []
    for _ in range(4):
        systems.append(list(range(names, names + 3)))
        names += 3
    start = 0.0
    for _ in range(48):
        start += draw.expovariate(1 / 12)
        ids, at = list(draw.choice(systems)), start
        length = 512 * len(ids)
        for _ in range(draw.randint(2, 7)):
            length += lengths(draw, 180, 0.8, 1500)
            answer = lengths(draw, 120, 0.7, 600)
            while len(ids) * 512 < length:
                ids.append(names)
                names += 1
            rows.append((round(at * 1000), length, answer, list(ids)))
            # The block that was begun is another one when the answer stands in it.
            if length % 512:
                ids.pop()
            length += answer
            at += 5 + answer * 0.02 + draw.expovariate(1 / 20)
    with open(path, "w", encoding="utf-8") as out:
        for at, prompt, answer, ids in sorted(rows):
            line = {"timestamp": at, "input_length": prompt, "output_length": answer, "hash_ids": ids}
            out.write(json.dumps(line) + "\n")


def main():
    """Writes the three files."""
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "Tests/MnemeEngineTests/Golden/traces")
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(1)
    azure(folder / "bursts.csv", [
        (at, lengths(draw, 300, 0.9, 3000), lengths(draw, 80, 0.8, 800)) for at in arrivals(draw, 240, 0.8, 6)])
    azure(folder / "answers.csv", [
        (at, lengths(draw, 90, 0.8, 1000), lengths(draw, 500, 0.7, 2000)) for at in arrivals(draw, 240, 0.6, 4)])
    chats(folder / "chats.jsonl", draw)


if __name__ == "__main__":
    main()
