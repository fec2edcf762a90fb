#!/usr/bin/env python3
"""Kills processes that write an index's tables with SIGKILL at random moments, and compares what the next ones answer.

    python3 scripts/index_kill.py --mneme .build/release/mneme --rounds 200
    python3 scripts/index_kill.py --mneme .build/release/mneme --rounds 200 --store postgres://mneme@db.example/made-for-this

A store of 6,000 memories grows by some hundred in each round, of which some change and one is erased; the process that
takes them in writes a segment of tables and merges segments, and is killed on the way. Then questions must be answered as
from a copy of the store without an index, and what was erased must be in no file of the index. With a database another
process of the same folder asks meanwhile, and is killed as well; and another machine, which is another folder, learns of
each erasure when it asks next. Prints JSON; exit status 1 if one was not.
"""
import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

THINGS = ["boat", "kettle", "violin", "ladder", "parrot", "anvil", "tunnel", "quilt", "harbour", "lantern", "saddle"]
PLACES = ["Lisbon", "Oslo", "Porto", "Graz", "Kyoto"]
QUESTIONS = ["Who repaired the kettle in Lisbon?", "house 17 parrot", "What happened on 20 November 2023?"]


def lines(first, count, chance):
    """So many memories from a number on, as JSON lines: conversations of twenty, ten minutes apart."""
    made = []
    for i in range(first, first + count):
        text = (f"We talked about the {chance.choice(THINGS)} of house {i % 97} in {chance.choice(PLACES)}, "
                f"and Carla repaired the {chance.choice(THINGS)} number {i}.")
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1_700_000_000 + i * 600))
        made.append(json.dumps({"text": text, "session": f"talk {i // 20}", "time": when}))
    return "\n".join(made) + "\n"


class Store:
    """A store in a folder, asked through the program."""

    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        self.environment = {**os.environ, "MNEME_HOME": folder}

    def command(self, *arguments):
        return [self.program, *arguments, "--no-embedder"]

    def run(self, *arguments, text=None):
        done = subprocess.run(
            self.command(*arguments), env=self.environment, input=text, capture_output=True, text=True)
        assert done.returncode == 0, (arguments, done.stderr)
        return done.stdout

    def answers(self):
        # From an index, not from the candidates that a database finds where there is none in files.
        found = [json.loads(self.run("recall", question, "--json", "--limit", "20", "--mode", "rrf")) for question in QUESTIONS]
        return [[item["memory"]["id"] for item in answer["memories"]] for answer in found]

    def start(self, *arguments):
        """Runs a command in the background."""
        return subprocess.Popen(
            self.command(*arguments), env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def killed(self, seconds, *arguments):
        """Runs a command for at most so many seconds, then kills it; tells whether that was needed."""
        process = self.start(*arguments)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            return True
        return False

    def index(self):
        folder = self.folder + "/memory.db.index"
        return [f"{folder}/{name}" for name in os.listdir(folder)] if os.path.isdir(folder) else []

    def copied(self, folder):
        """A copy of the store in another folder, without an index."""
        empty(folder)
        for end in ("", "-wal"):
            if os.path.exists(f"{self.folder}/memory.db{end}"):
                shutil.copy(f"{self.folder}/memory.db{end}", f"{folder}/memory.db{end}")
        return Store(self.program, folder)


class DatabaseStore(Store):
    """A store in a database; the folder is a machine's, with the index files that it has."""

    def __init__(self, program, folder, url):
        super().__init__(program, folder)
        self.url = url
        self.environment["MNEME_STORE"] = url

    def index(self):
        found = os.walk(self.folder + "/index")
        return [f"{at}/{name}" for at, _, names in found for name in names if not name.endswith(".lock")]

    def copied(self, folder):
        empty(folder)
        return DatabaseStore(self.program, folder, self.url)


def empty(folder):
    """Removes all that is in a folder."""
    for name in os.listdir(folder):
        path = f"{folder}/{name}"
        shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)


def holds(store, identifier):
    """Tells whether a file of the index has a memory's id."""
    for path in store.index():
        try:
            with open(path, "rb") as bytes_:
                if identifier.encode() in bytes_.read():
                    return True
        except FileNotFoundError:
            pass  # a writer that ended, or gave the file its name
    return False


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mneme", default=".build/release/mneme")
    parser.add_argument("--rounds", type=int, default=200, help="kills")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--store", help="a database instead of files, postgres://…; schemas of it stay")
    a = parser.parse_args()
    chance = random.Random(a.seed)
    failures, kills, rounds, partial, held = [], 0, 0, 0, 0
    with tempfile.TemporaryDirectory() as root:
        file = root + "/lines.jsonl"
        while kills < a.rounds:
            if rounds % 20 == 0:
                # A new store, as the comparison reads all memories of a grown one.
                here, there, elsewhere = (f"{root}/{name}{rounds}" for name in "abc")
                for folder in (here, there, elsewhere):
                    os.makedirs(folder, mode=0o700)
                url = a.store and f"{a.store}{'&' if '?' in a.store else '?'}mneme_schema=kill{os.getpid()}_{rounds}"
                store = DatabaseStore(a.mneme, here, url) if url else Store(a.mneme, here)
                far = DatabaseStore(a.mneme, elsewhere, url) if url else None
                count = 6_000
                with open(file, "w") as out:
                    out.write(lines(0, count, chance))
                store.run("import", file)
                if far:
                    far.answers()
                started = time.monotonic()
                store.answers()
                whole = (time.monotonic() - started) / len(QUESTIONS)
            rounds += 1
            # An import keeps the index itself: it is killed, and its lines come again.
            size = chance.randint(300, 1_500)
            with open(file, "w") as out:
                out.write(lines(count, size, chance))
            beside = store.start("recall", QUESTIONS[0], "--mode", "rrf") if far else None
            kills += store.killed(chance.uniform(0.3, 3) * whole * 2, "import", file)
            if beside:
                kills += beside.poll() is None
                beside.kill()
                beside.wait()
            store.run("import", file)
            count += size
            secret = f"secret number {rounds * 7919}"
            made = json.loads(store.run("remember", f"Zyxwv qwertz plugh: {secret}", "--json"))
            store.run("recall", "What is the secret number?")
            known = store.answers()[0]
            store.run("correct", known[-1], f"The {chance.choice(THINGS)} of house 17 burned in round {rounds}")
            identifier = made["memories"][0]["id"]
            if rounds % 2:
                # One that files may have.
                identifier = store.answers()[1][rounds % 7]
            held += holds(store, identifier)
            store.run("erase", identifier)
            if holds(store, identifier):
                failures.append(f"round {rounds}: a file holds what was erased right afterwards")
            if far:
                far.run("recall", QUESTIONS[1], "--mode", "rrf")
                if holds(far, identifier):
                    failures.append(f"round {rounds}: a file of the other machine holds what was erased")
            kills += store.killed(chance.uniform(0.2, 1.5) * whole, "recall", QUESTIONS[rounds % len(QUESTIONS)])
            partial += sum(name.endswith(".tmp") for name in store.index())
            got = store.answers()
            if got != store.copied(there).answers():
                failures.append(f"round {rounds}: other answers than without an index")
            if holds(store, identifier):
                failures.append(f"round {rounds}: a file holds what was erased")
            if rounds % 20 == 0:
                store.run("doctor")
    report = {"rounds": rounds, "kills": kills, "parts left by kills": partial,
              "erased that files held before": held, "failures": failures}
    print(json.dumps(report, indent=1))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
