#!/usr/bin/env python3
"""Servers that share a database, while servers, database and network fail at random: a checker of what clients are told.

    python3 Tests/clients/postgres_faults.py .build/release/mneme [--rounds 200] [--seed 1] [--first 1] [--clients 8] [--servers 3] [--keep]

Each round is one fault, chosen by the seed and the round's number: `--first N` begins with the N-th of the same seed. Clients
remember (with idempotency keys, and repeat a request until it is answered), change, erase, get, list and recall, each as a
user of its own, on any of the servers. What is checked:

- what was acknowledged is read later, on every server, once; what was not, never or once;
- who has seen a change does not see the text before again; what was erased stays erased;
- no answer has a memory of somebody else's;
- jobs end, each run by one server at a time;
- `mneme audit verify` and `mneme doctor` find nothing on any server;
- no erased word stands in a table of the schema, nor in a file (indexes, logs) of a server.

PostgreSQL's own files keep erased rows until its vacuum: they are not looked into. Exit code 1 if something is wrong.
"""
import argparse, http.client, json, os, random, re, shutil, signal, subprocess, sys, threading, time, traceback

from database import Database
from harness import BINARY, Folder
from network import Network

LETTERS = "bcdfghjklmnpqrstvwxz"


class Node:
    """A server behind a network of its own. It is started again after it was killed, in the same folder."""

    def __init__(self, number, database, schema, keys):
        self.number, self.folder, self.url = number, Folder().__enter__(), None
        self.network = Network(database.port)
        self.store = database.url(schema).replace(f":{database.port}/", f":{self.network.port}/")
        self.log = open(self.folder.path + "/server.log", "ab")
        if keys: shutil.copy(keys, self.folder.path + "/keys.json")

    def start(self):
        end = time.time() + 60
        while True:
            self.process = subprocess.Popen([BINARY, "serve", "--port", "0", "--store", self.store, "--no-embedder", "--rate-limit", "0"],
                                            env=self.folder.environment, stdout=subprocess.PIPE, stderr=self.log)
            line = self.process.stdout.readline()
            found = re.search(rb"http://(127\.0\.0\.1):(\d+)", line)
            if found: break
            # Nothing to connect to while the database starts.
            self.process.wait()
            assert time.time() < end, f"server {self.number} does not start: see {self.folder.path}/server.log"
            time.sleep(0.3)
        self.url = (found.group(1).decode(), int(found.group(2)))

        def drain(stream=self.process.stdout):
            for line in stream: self.log.write(line)
        threading.Thread(target=drain, daemon=True).start()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try: self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"server {self.number} did not end within 30 s of SIGTERM")


class Unknown(Exception):
    """No answer, or one that says that nobody knows."""


class Client(threading.Thread):
    """A user, who does one thing after the other.

    `known` has, for each memory, the texts that it may have now, the oldest first; None is for erased. There is one, unless the
    answer to a change was lost: then the memory is only looked at from there on."""

    def __init__(self, number, nodes, secret, seed):
        super().__init__(daemon=True)
        self.number, self.nodes, self.secret = number, nodes, secret
        self.random = random.Random(f"{seed}-client-{number}")
        self.known, self.given_up, self.words, self.erased_words = {}, set(), {}, set()
        self.problems, self.counts, self.times, self.done = [], {}, [], False

    def ask(self, method, path, body=None, node=None, key=None):
        """An answer of a server as (status, JSON). Raises Unknown where there is none."""
        node = node or self.random.choice(self.nodes)
        headers = {"Content-Type": "application/json", "Authorization": "Bearer " + self.secret}
        if key: headers["Idempotency-Key"] = key
        began = time.time()
        try:
            connection = http.client.HTTPConnection(*node.url, timeout=90)
            try:
                connection.request(method, path, json.dumps(body) if body is not None else None, headers)
                answer = connection.getresponse()
                text = answer.read()
            finally: connection.close()
        except (OSError, http.client.HTTPException) as error: raise Unknown(str(error))
        finally: self.times.append(time.time() - began)
        if answer.status in (429, 500, 502, 503, 504):
            if answer.status == 500: self.wrong(f"{method} {path}: {answer.status} {text[:300]!r}")
            raise Unknown(text[:200].decode())
        return answer.status, json.loads(text) if text else {}

    def wrong(self, text):
        self.problems.append(f"client {self.number}: {text}")

    def word(self):
        return "".join(self.random.choice(LETTERS) for _ in range(12))

    def text(self, word):
        return f"Client {self.number} keeps the note {word}."

    def mine(self, memories):
        for each in memories:
            if f"Client {self.number} " not in each["text"]: self.wrong(f"was answered with another's: {each}")
        return memories

    def present(self):
        return [id for id, texts in self.known.items() if len(texts) == 1 and texts[0] is not None]

    def remember(self):
        word, key = self.word(), f"{self.number}-{self.word()}"
        text = self.text(word)
        for attempt in range(8):
            try: status, answer = self.ask("POST", "/v1/memories", {"text": text}, key=key)
            except Unknown:
                time.sleep(0.1 * 2 ** min(attempt, 4))
                continue
            if status not in (200, 201): return self.wrong(f"remember: {status} {answer}")
            memories = self.mine([each["memory"] for each in answer["memories"]])
            if len(memories) != 1: return self.wrong(f"remember made {len(memories)} memories of {text!r}: {answer}")
            self.known[memories[0]["id"]], self.words[memories[0]["id"]] = [text], {word}
            return None
        self.given_up.add(text)

    def change(self):
        id = self.random.choice(self.present())
        word = self.word()
        text = self.text(word)
        self.words[id].add(word)
        self.known[id].append(text)
        status, answer = self.ask("PATCH", f"/v1/memories/{id}", {"text": text})
        if status != 200: return self.wrong(f"change of {id}: {status} {answer}")
        self.known[id] = [text]

    def erase(self):
        id = self.random.choice(self.present())
        self.known[id].append(None)
        status, answer = self.ask("POST", f"/v1/memories/{id}/erase", {})
        if status != 200: return self.wrong(f"erase of {id}: {status} {answer}")
        self.known[id] = [None]
        self.erased_words |= self.words[id]

    def seen(self, id, text, how):
        """A memory was seen with a text; None is for not at all. Who has seen a change sees nothing older."""
        if text not in self.known[id]: return self.wrong(f"{id} is {how} as {text!r}, not as one of {self.known[id]}")
        self.known[id] = self.known[id][self.known[id].index(text):]
        if self.known[id] == [None]: self.erased_words |= self.words[id]

    def get(self, node=None):
        if not self.known: return None
        id = self.random.choice(list(self.known))
        status, answer = self.ask("GET", f"/v1/memories/{id}", node=node)
        if status not in (200, 404): return self.wrong(f"get of {id}: {status} {answer}")
        text = answer["memory"]["text"] if status == 200 else None
        if text is not None: self.mine([answer["memory"]])
        self.seen(id, text, "read")

    def list(self, node=None):
        """All that there is, in pages, compared with what is known."""
        found, after = {}, ""
        while True:
            status, answer = self.ask("GET", f"/v1/memories?limit=1000{after}", node=node)
            if status != 200: return self.wrong(f"list: {status} {answer}")
            for each in self.mine(answer["memories"]): found[each["id"]] = each["text"]
            if not answer.get("next"): break
            after = "&after=" + answer["next"]
        for id in self.known: self.seen(id, found.get(id), "listed")
        texts = list(found.values())
        if len(texts) != len(set(texts)): self.wrong("a text is listed twice")
        strange = {text for id, text in found.items() if id not in self.known} - self.given_up
        if strange: self.wrong(f"there are texts that nobody wrote: {strange}")
        return found

    def recall(self, node=None):
        if not self.known: return None
        id = self.random.choice(list(self.known))
        word = self.random.choice(sorted(self.words[id]))
        status, answer = self.ask("POST", "/v1/memories/search", {"query": f"note {word}"}, node=node)
        if status != 200: return self.wrong(f"recall: {status} {answer}")
        found = {each["memory"]["id"]: each["memory"]["text"] for each in answer["memories"]}
        self.mine([each["memory"] for each in answer["memories"]])
        for other, text in found.items():
            if other in self.known: self.seen(other, text, "recalled")
        # What is certain is found by the one word that no other has.
        certain = self.known[id][0] if len(self.known[id]) == 1 else None
        if certain and word in certain and id not in found: self.wrong(f"{id} was not recalled by its word {word}")

    def run(self):
        while not self.done:
            choices = [self.remember] * 4 + [self.get] * 3 + [self.recall] * 2 + [self.list]
            if self.present(): choices += [self.change] * 2 + [self.erase]
            step = self.random.choice(choices)
            try:
                step()
                self.counts[step.__name__] = self.counts.get(step.__name__, 0) + 1
            except Unknown:
                self.counts["unanswered"] = self.counts.get("unanswered", 0) + 1
                time.sleep(0.05)
            except Exception: self.wrong(traceback.format_exc())


class Faults:
    """What goes wrong, one thing a round."""

    def __init__(self, server, nodes, seed):
        self.server, self.nodes, self.seed = server, nodes, seed

    def round(self, number):
        chance = random.Random(f"{self.seed}-round-{number}")
        node = chance.choice(self.nodes)
        kind = chance.choice(["kill", "kill", "database", "cut", "cut", "stall", "lose", "slow", "away"])
        seconds = chance.uniform(0.2, 2.5)
        getattr(self, kind)(node, seconds)
        time.sleep(chance.uniform(0.2, 1))
        return f"{kind:8}  server {node.number}  {seconds:.1f} s"

    def kill(self, node, seconds):
        """A server is killed, and starts again later."""
        node.kill()
        time.sleep(seconds / 3)
        node.start()

    def database(self, node, seconds):
        """The database is killed, and recovers."""
        self.server.crash()

    def cut(self, node, seconds):
        """Connections end, again and again."""
        for _ in range(3):
            node.network.cut()
            time.sleep(seconds / 3)

    def stall(self, node, seconds):
        """Connections hang, and go on."""
        node.network.stall()
        time.sleep(2 * seconds)
        node.network.heal()

    def lose(self, node, seconds):
        """Connections are half-open: what is said is lost, and nobody is told."""
        node.network.lose()
        time.sleep(3 * seconds)

    def slow(self, node, seconds):
        """Each message takes its time."""
        node.network.delay = seconds / 20
        time.sleep(seconds)
        node.network.heal()

    def away(self, node, seconds):
        """Nothing passes, new connections neither."""
        node.network.blocked = True
        time.sleep(2 * seconds)
        node.network.heal()


def run(f, *arguments):
    result = subprocess.run([BINARY, *arguments], env=f.environment, capture_output=True, text=True, timeout=300)
    return result.returncode, result.stdout + result.stderr


def check(nodes, clients, database, schema, jobs, problems):
    """All servers agree, in the end, with what clients were told; nothing that was erased is anywhere."""
    for client in clients:
        found = []
        for node in nodes:
            for _ in range(20):
                try:
                    found.append(client.list(node))
                    break
                except Unknown as error: time.sleep(0.5)
            else: problems.append(f"server {node.number} does not answer in the end: {error}")
        if any(each != found[0] for each in found): problems.append(f"servers list different memories of client {client.number}")
        for _ in range(10):
            try: client.recall(client.random.choice(nodes))
            except Unknown as error: problems.append(f"recall does not answer in the end: {error}")
    url = database.url(schema)
    keys = []
    for node in nodes:
        key = re.search(r"^key  ([0-9a-f]{64})", run(node.folder, "audit", "verify", "--store", url)[1], re.M)
        if key: keys += ["--key", key.group(1)]
    for node in nodes:
        for arguments in (["audit", "verify", *keys], ["doctor"]):
            code, text = run(node.folder, *arguments, "--store", url)
            if code: problems.append(f"mneme {arguments[0]} on server {node.number}: {text[:2000]}")
    # Jobs end once they can.
    end = time.time() + 60
    while True:
        code, text = run(nodes[0].folder, "jobs", "list", "--limit", "1000", "--store", url, "--json")
        states = {each["id"]: each for each in json.loads(text)} if code == 0 else {}
        waiting = [each for each in jobs if states.get(each, {}).get("state") != "done"]
        if not waiting or time.time() > end: break
        time.sleep(1)
    for each in waiting: problems.append(f"job {each} did not end: {states.get(each)}")
    # Erased words, as they stand in rows and as they stand in bytes.
    words = {word for client in clients for word in client.erased_words}
    rows = database.rows(schema)
    places = [(f"table {table}", text.encode()) for table, text in rows.items()]
    for node in nodes:
        node.log.flush()
        for folder, _, files in os.walk(node.folder.path):
            if "/models" in folder: continue
            for name in files:
                with open(os.path.join(folder, name), "rb") as file: places.append((os.path.join(folder, name), file.read()))
    hidden = re.compile("|".join(re.escape(word) for word in words).encode()) if words else None
    bytes_ = re.compile("|".join(word.encode().hex() for word in words).encode()) if words else None
    for name, content in places:
        for pattern in (hidden, bytes_):
            hit = pattern.search(content) if pattern else None
            if hit: problems.append(f"{name} holds an erased word: …{content[max(0, hit.start() - 80):hit.end() + 40]!r}")
    return len(words), {name: len(text) for name, text in rows.items()}


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--rounds", type=int, default=200)
    options.add_argument("--seed", default="1")
    options.add_argument("--first", type=int, default=1, help="the round to begin with")
    options.add_argument("--clients", type=int, default=8)
    options.add_argument("--servers", type=int, default=3)
    options.add_argument("--seconds", type=float, help="begin no further round after so many seconds")
    options.add_argument("--keep", action="store_true", help="leave the servers' folders, with their logs")
    options = options.parse_args(sys.argv[2:])
    with Folder() as f:
        if "without PostgreSQL" in f.run("stats", "--store", "postgres://127.0.0.1:1/x", "--no-embedder", check=False).stderr:
            return print("skipped: this mneme was built without libpq") or 0
        database = Database().start()
        if not database: return print("skipped: there is no PostgreSQL: scripts/postgres.sh fetch") or 0
        secrets = [f.run("keys", "create", f"client-{i}", "--user", f"user-{i}", "--tenant", f"tenant-{i % 3}", "--permissions", "read,write,erase").stdout.strip()
                   for i in range(options.clients)]
        admin = f.run("keys", "create", "admin", "--permissions", "read,write,admin").stdout.strip()
        schema = "faults"
        nodes = [Node(i, database, schema, f.path + "/keys.json") for i in range(options.servers)]
    problems, jobs, began = [], [], time.time()
    clients = [Client(i, nodes, secrets[i], options.seed) for i in range(options.clients)]
    try:
        for each in nodes: each.start()
        for each in clients: each.start()
        faults = Faults(database, nodes, options.seed)
        boss = Client(-1, nodes, admin, options.seed)
        time.sleep(1)
        last = options.first - 1
        for number in range(options.first, options.first + options.rounds):
            if options.seconds and time.time() - began > options.seconds: break
            asked = random.Random(f"{options.seed}-job-{number}").randrange(options.clients)
            try:
                status, answer = boss.ask("POST", "/v1/jobs", {"kind": "expire", "user": f"user-{asked}", "tenant": f"tenant-{asked % 3}"})
                if status in (200, 201, 202): jobs.append(answer["job"]["id"])
                else: problems.append(f"a job was refused: {status} {answer}")
            except Unknown: pass
            what, last = faults.round(number), number
            total = {}
            for each in clients:
                for name, count in each.counts.items(): total[name] = total.get(name, 0) + count
            wrong = sum(len(each.problems) for each in clients)
            print(f"{number:4}/{options.first + options.rounds - 1}  {what}   {time.time() - began:5.0f} s  "
                  + "  ".join(f"{name} {count}" for name, count in sorted(total.items())) + (f"  WRONG {wrong}" if wrong else ""), flush=True)
            if wrong > 20: break
        for each in nodes: each.network.heal()
        for each in clients: each.done = True
        for each in clients: each.join(timeout=200)
        if any(each.is_alive() for each in clients): problems.append("a client got no answer within 200 s")
        # A server that hears from the database again.
        time.sleep(2)
        words, sizes = check(nodes, clients, database, schema, set(jobs), problems)
        for each in nodes: each.stop()
    finally:
        for each in nodes:
            if each.process.poll() is None: each.process.kill()
        for each in clients: problems += each.problems
    times = sorted(time for each in clients for time in each.times)
    print(f"{last - options.first + 1} faults in {time.time() - began:.0f} s, seed {options.seed}: {len(times)} requests, the longest {times[-1]:.1f} s, 99 % within {times[len(times) * 99 // 100]:.2f} s; "
          f"{sum(len(each.known) for each in clients)} memories acknowledged, {sum(len(each.given_up) for each in clients)} texts without an answer, "
          f"{len(set(jobs))} jobs; {words} erased words looked for in {len(sizes)} tables ({sum(sizes.values()) >> 10} KiB) and the servers' files")
    for each in problems[:40]: print("WRONG  " + each)
    print(f"{len(problems)} wrong" if problems else "nothing wrong")
    for each in nodes:
        if options.keep: print(f"server {each.number}: {each.folder.path}")
        else: each.folder.__exit__()
    return 1 if problems else 0


if __name__ == "__main__": sys.exit(main())
