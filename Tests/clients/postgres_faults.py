#!/usr/bin/env python3
"""Servers that share a database, while servers, database and network fail at random: a checker of what clients are told.

    python3 Tests/clients/postgres_faults.py .build/release/mneme [--rounds 200] [--seed 1] [--first 1] [--clients 8] [--servers 3] [--keep]

Each round is one fault, chosen by the seed and the round's number: `--first N` begins with the N-th of the same seed. The
database has a standby, which a commit waits for and which takes over when the primary is killed; servers' clocks are hours
off, and are set while they run. Clients remember (with idempotency keys, and repeat a request until it is answered), claim,
import, change, erase, share, get, list and recall, each as a user of its own, on any of the servers; vaults are imported and
the store is copied by commands that are killed, and repeated. What is checked:

- what was acknowledged is read later, on every server, once; what was not, never or once;
- who has seen a change does not see the text before again; what was erased stays erased;
- of claims the last holds; what was shared is in the list of grants, and what was taken back is not;
- times of memories are right by the database's clock, however wrong a server's is;
- no answer has a memory of somebody else's;
- jobs end, each run by one server at a time;
- a package that was imported, and a copy of the store, are whole, however often they were killed on the way;
- `mneme audit verify` and `mneme doctor` find nothing on any server;
- no erased word stands in a table of the schema, nor in a file (indexes, logs) of a server.

In the end the standby takes over without the last commits, which clients were told of and servers' indexes hold: then all
servers answer with what the database has.

PostgreSQL's own files keep erased rows until its vacuum: they are not looked into. Exit code 1 if something is wrong.
"""
import argparse, datetime, http.client, json, os, random, re, shutil, signal, subprocess, sys, threading, time, traceback

from clock import Clock
from database import Database
from harness import BINARY, Folder
from network import Networks

LETTERS = "bcdfghjklmnpqrstvwxz"
# A word wherever it begins.
WORD = re.compile(rf"(?=([{LETTERS}]{{12}}))".encode())
NAMES = ["Ana", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gus", "Hana", "Ida", "Jon", "Kim", "Lea"]
HOUR = 3600


class Node:
    """A server behind a network of its own, and with a clock of its own. It is started again after it was killed, in the same
    folder."""

    def __init__(self, number, database, schema, keys):
        self.number, self.folder, self.url = number, Folder().__enter__(), None
        self.clock = Clock(self.folder.path)
        self.network = Networks(database.ports)
        self.store = database.url(schema)
        for port, network in zip(database.ports, self.network.all): self.store = self.store.replace(f":{port}", f":{network.port}")
        self.log = open(self.folder.path + "/server.log", "ab")
        if keys: shutil.copy(keys, self.folder.path + "/keys.json")

    def start(self):
        end = time.time() + 60
        while True:
            self.process = subprocess.Popen([BINARY, "serve", "--port", "0", "--store", self.store, "--no-embedder", "--rate-limit", "0"],
                                            env=self.clock.environment(self.folder.environment), stdout=subprocess.PIPE, stderr=self.log)
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
        # Ids of claims, the earliest first, and whether one is missing; grants by number, None for those that nobody knows of.
        self.claims, self.claims_certain, self.grants, self.grants_certain = [], True, {}, True
        self.name = NAMES[number] if number < len(NAMES) else f"N{number}"
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
            if f"Client {self.number} " not in each["text"] and not each["text"].startswith(self.name + " lives in "):
                self.wrong(f"was answered with another's: {each}")
        return memories

    def timely(self, memory, began):
        """What was recorded within a request has its time, to the two seconds that clocks may differ by."""
        time_ = datetime.datetime.fromisoformat(memory["updatedTime"].replace("Z", "+00:00")).timestamp()
        if not began - 2 <= time_ <= time.time() + 2: self.wrong(f"{memory['id']} was recorded {time_ - began:+.0f} s from when it was asked for")

    def present(self):
        return [id for id, texts in self.known.items() if len(texts) == 1 and texts[0] is not None]

    def insist(self, path, body, what, key=None):
        """Repeats a request until it is answered; None if it never is."""
        for attempt in range(8):
            try: status, answer = self.ask("POST", path, body, key=key)
            except Unknown:
                time.sleep(0.1 * 2 ** min(attempt, 4))
                continue
            if status in (200, 201): return answer
            self.wrong(f"{what}: {status} {answer}")
            return None
        return None

    def remember(self, text=None, word=None):
        word, key, began = word or self.word(), f"{self.number}-{self.word()}", time.time()
        text = text or self.text(word)
        answer = self.insist("/v1/memories", {"text": text}, "remember", key)
        if answer is None: return self.given_up.add(text)
        memories = self.mine([each["memory"] for each in answer["memories"]])
        if len(memories) != 1: return self.wrong(f"remember made {len(memories)} memories of {text!r}: {answer}")
        self.timely(memories[0], began)
        self.known[memories[0]["id"]], self.words[memories[0]["id"]] = [text], {word}
        return memories[0]["id"]

    def claim(self):
        """Somebody has moved: what was claimed before does not hold any more."""
        word = self.word()
        id = self.remember(f"{self.name} lives in {word.capitalize()}.", word.capitalize())
        if id: self.claims.append(id)
        else: self.claims_certain = False

    def take_in(self):
        """Three texts at once, which are imported again where nobody knows whether they were."""
        words = [self.word() for _ in range(3)]
        texts = {self.text(word): word for word in words}
        self.given_up |= set(texts)
        data = "\n".join(json.dumps({"text": text}) for text in texts)
        if self.insist("/v1/import", {"data": data, "format": "jsonl"}, "import") is None: return None
        for attempt in range(8):
            try:
                found = self.list()
                break
            except Unknown: time.sleep(0.1 * 2 ** min(attempt, 4))
        else: return None
        for text, word in texts.items():
            ids = [id for id, each in found.items() if each == text]
            if len(ids) != 1: self.wrong(f"{text!r} was imported, and is listed {len(ids)} times")
            for id in ids: self.known[id], self.words[id] = [text], {word}
        self.given_up -= set(texts)

    def share(self):
        """A grant to somebody who never asks, or one taken back."""
        held = [id for id, isThere in self.grants.items() if isThere]
        if held and self.random.random() < 0.4:
            id = self.random.choice(held)
            self.grants[id] = None
            status, answer = self.ask("DELETE", f"/v1/grants/{id}")
            if status not in (200, 204): return self.wrong(f"unshare of {id}: {status} {answer}")
            self.grants[id] = False
        else:
            self.grants_certain, certain = False, self.grants_certain
            status, answer = self.ask("POST", "/v1/grants", {"with": f"user:guest-{self.word()}"})
            if status not in (200, 201): return self.wrong(f"share: {status} {answer}")
            self.grants[answer["grant"]["id"]], self.grants_certain = True, certain

    def shared(self, node=None):
        """Grants as they are listed, compared with what is known."""
        status, answer = self.ask("GET", "/v1/grants", node=node)
        if status != 200: return self.wrong(f"grants: {status} {answer}")
        found = {each["id"] for each in answer["grants"]}
        for id, isThere in self.grants.items():
            if isThere is not None and (id in found) != isThere: self.wrong(f"grant {id} is {'' if isThere else 'still '}{'missing' if isThere else 'there'}")
        if self.grants_certain and found - set(self.grants): self.wrong(f"there are grants that nobody gave: {found - set(self.grants)}")

    def change(self):
        id = self.random.choice([each for each in self.present() if each not in self.claims])
        word, began = self.word(), time.time()
        text = self.text(word)
        self.words[id].add(word)
        self.known[id].append(text)
        status, answer = self.ask("PATCH", f"/v1/memories/{id}", {"text": text})
        if status != 200: return self.wrong(f"change of {id}: {status} {answer}")
        self.known[id] = [text]
        self.timely(answer["memory"], began)

    def erase(self):
        id = self.random.choice([each for each in self.present() if each not in self.claims])
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
        found, ended, after = {}, set(), ""
        while True:
            status, answer = self.ask("GET", f"/v1/memories?limit=1000{after}", node=node)
            if status != 200: return self.wrong(f"list: {status} {answer}")
            for each in self.mine(answer["memories"]):
                found[each["id"]] = each["text"]
                if each.get("validUntil"): ended.add(each["id"])
            if not answer.get("next"): break
            after = "&after=" + answer["next"]
        for id in self.known: self.seen(id, found.get(id), "listed")
        texts = list(found.values())
        if len(texts) != len(set(texts)): self.wrong("a text is listed twice")
        strange = {text for id, text in found.items() if id not in self.known} - self.given_up
        if strange: self.wrong(f"there are texts that nobody wrote: {strange}")
        # Somebody lives where was said last.
        holds = [id for id in self.claims if id not in ended]
        if self.claims_certain and holds != self.claims[-1:]: self.wrong(f"of the claims {self.claims} hold {holds}")
        return found

    def recall(self, node=None):
        if not self.known: return None
        id = self.random.choice(list(self.known))
        word = self.random.choice(sorted(self.words[id]))
        status, answer = self.ask("POST", "/v1/memories/search", {"query": word if id in self.claims else f"note {word}"}, node=node)
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
            choices = [self.remember] * 4 + [self.get] * 3 + [self.recall] * 2 + [self.list, self.claim, self.take_in, self.share, self.shared]
            if len(self.present()) > len(self.claims): choices += [self.change] * 2 + [self.erase]
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

    def __init__(self, server, nodes, seed, problems):
        self.server, self.nodes, self.seed, self.problems = server, nodes, seed, problems
        self.schema = nodes[0].store.split("mneme_schema=")[1]

    def round(self, number):
        chance = random.Random(f"{self.seed}-round-{number}")
        node = chance.choice(self.nodes)
        kinds = ["kill", "kill", "database", "failover", "failover", "cut", "cut", "stall", "lose", "slow", "away", "clock", "copy", "vault"]
        kind = chance.choice([each for each in kinds if each != "clock" or Clock.library])
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

    def failover(self, node, seconds):
        """The primary is killed, and its standby takes over."""
        networks = [each.network.all[self.server.primary] for each in self.nodes]
        for each in networks: each.refuse()
        self.server.fail_over()
        for each in networks: each.accept()

    def clock(self, node, seconds):
        """A server's clock is set to another hour."""
        node.clock.set(int((seconds - 1.3) * 2 * HOUR))

    def command(self, seconds, *arguments):
        """Runs a command that is killed on the way, three times at most."""
        for attempt in range(3):
            process = subprocess.Popen([BINARY, *arguments], env=self.nodes[0].folder.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            try: return process.communicate(timeout=seconds / (10 - 4 * attempt))
            except subprocess.TimeoutExpired: process.kill()
            process.communicate()

    def copy(self, node, seconds):
        """The store is copied to a file, by a command that is killed: either nothing is there, or all."""
        target = node.folder.path + f"/copy-{time.time()}.db"
        self.command(seconds, "store", "copy", self.server.url(self.schema), target)
        code, text = run(node.folder, "store", "copy", self.server.url(self.schema), target)
        # The last of the commands may have been done already.
        if code and "holds something already" not in text: self.problems.append(f"a copy that was killed is not taken up: {text[:500]}")
        code, text = run(node.folder, "doctor", "--store", target)
        if code: self.problems.append(f"a copy that was killed is damaged: {text[:500]}")
        for suffix in ("", "-wal", "-shm"):
            if os.path.exists(target + suffix): os.unlink(target + suffix)

    def vault(self, node, seconds):
        """Memories in a package are imported by a command that is killed: repeated, they are all there once."""
        user, package = f"vault-{time.time()}", node.folder.path + "/vault.package"
        with Folder() as other:
            lines = "".join(json.dumps({"text": f"The vault {user} has the line {i}."}) + "\n" for i in range(300))
            with open(other.path + "/lines.jsonl", "w") as file: file.write(lines)
            other.run("import", other.path + "/lines.jsonl", "--format", "jsonl", "--user", user, "--no-embedder")
            other.run("vault", "export", user, "-o", package)
        url = self.server.url(self.schema)
        self.command(seconds, "vault", "import", package, "--store", url, "--no-embedder")
        code, text = run(node.folder, "vault", "import", package, "--store", url, "--no-embedder")
        if code: self.problems.append(f"an import that was killed is not taken up: {text[:500]}")
        code, text = run(node.folder, "export", "--user", user, "--store", url)
        texts = [json.loads(line)["text"] for line in text.splitlines()] if code == 0 else []
        if len(texts) != 300 or len(set(texts)) != 300: self.problems.append(f"a vault has {len(texts)} memories, {len(set(texts))} of them different, of 300: {text[:300] if code else ''}")
        os.unlink(package)

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
        node.network.set(delay=seconds / 20)
        time.sleep(seconds)
        node.network.heal()

    def away(self, node, seconds):
        """Nothing passes, new connections neither."""
        node.network.set(blocked=True)
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
                    client.shared(node)
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
    erased = {word.encode() for word in words}
    for name, content in places:
        # Columns of bytes stand there in hexadecimal digits.
        for part in [content, *map(bytes.fromhex, (each.decode() for each in re.findall(rb"(?:[0-9a-f]{2}){12,}", content)))]:
            for hit in WORD.finditer(part.lower()):
                if hit.group(1) in erased: problems.append(f"{name} holds an erased word: …{part[max(0, hit.start() - 80):hit.start() + 52]!r}")
    return len(words), {name: len(text) for name, text in rows.items()}


def lose_commits(nodes, clients, database):
    """The standby takes over without what clients were told last. All servers' indexes hold it; others get its places."""
    for client in clients:
        client.recall()
        for node in nodes: client.list(node)
    database.lag()
    lost, kept = {}, {}
    for client in clients:
        word = client.word()
        client.insist("/v1/memories", {"text": client.text(word)}, "remember")
        lost[client] = word
        for node in nodes: client.ask("POST", "/v1/memories/search", {"query": f"note {word}"}, node=node)
    networks = [each.network.all[database.primary] for each in nodes]
    for each in networks: each.refuse()
    database.fail_over()
    for each in networks: each.accept()
    for client in clients:
        word = client.word()
        if client.insist("/v1/memories", {"text": client.text(word)}, "remember") is None: client.wrong("is not answered after a fail-over")
        kept[client] = word
    for client in clients:
        for node in nodes:
            for word, isThere in ((lost[client], False), (kept[client], True)):
                for attempt in range(8):
                    try:
                        status, answer = client.ask("POST", "/v1/memories/search", {"query": f"note {word}"}, node=node)
                        break
                    except Unknown: time.sleep(0.1 * 2 ** attempt)
                texts = [each["text"] for each in client.mine([each["memory"] for each in answer["memories"]])]
                if any(word in each for each in texts) != isThere:
                    client.wrong(f"server {node.number}: what was {'written after' if isThere else 'lost with'} a fail-over is {'not ' if isThere else ''}recalled")
    return len(lost)


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
        database = Database(pair=True).start()
        if not database: return print("skipped: there is no PostgreSQL: scripts/postgres.sh fetch") or 0
        secrets = [f.run("keys", "create", f"client-{i}", "--user", f"user-{i}", "--tenant", f"tenant-{i % 3}", "--permissions", "read,write,erase,share").stdout.strip()
                   for i in range(options.clients)]
        admin = f.run("keys", "create", "admin", "--permissions", "read,write,admin").stdout.strip()
        schema = "faults"
        nodes = [Node(i, database, schema, f.path + "/keys.json") for i in range(options.servers)]
    problems, jobs, began = [], [], time.time()
    words, sizes, lost = 0, {}, 0
    if Clock.prepare():
        for each, hours in zip(nodes, [0, 2, -2]): each.clock.set(hours * HOUR)
    clients = [Client(i, nodes, secrets[i], options.seed) for i in range(options.clients)]
    try:
        for each in nodes: each.start()
        for each in clients: each.start()
        faults = Faults(database, nodes, options.seed, problems)
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
        lost = lose_commits(nodes, clients, database)
        for each in nodes: each.stop()
    except Exception: problems.append(traceback.format_exc())
    finally:
        for each in nodes:
            if each.process.poll() is None: each.process.kill()
        Clock.remove()
        for each in clients: problems += each.problems
    times = sorted(time for each in clients for time in each.times)
    print(f"{last - options.first + 1} faults in {time.time() - began:.0f} s, seed {options.seed}: {len(times)} requests, the longest {times[-1]:.1f} s, 99 % within {times[len(times) * 99 // 100]:.2f} s; "
          f"{sum(len(each.known) for each in clients)} memories acknowledged, {sum(len(each.given_up) for each in clients)} texts without an answer, "
          f"{len(set(jobs))} jobs, {sum(len(each.claims) for each in clients)} claims, {sum(len(each.grants) for each in clients)} grants, {lost} commits lost in the end; {words} erased words looked for in {len(sizes)} tables ({sum(sizes.values()) >> 10} KiB) and the servers' files")
    for each in problems[:40]: print("WRONG  " + each)
    print(f"{len(problems)} wrong" if problems else "nothing wrong")
    for each in nodes:
        if options.keep: print(f"server {each.number}: {each.folder.path}")
        else: each.folder.__exit__()
    return 1 if problems else 0


if __name__ == "__main__": sys.exit(main())
