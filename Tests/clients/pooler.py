#!/usr/bin/env python3
"""Tests of stores in PostgreSQL behind PgBouncer, in each of its modes.

    python3 Tests/clients/pooler.py .build/release/mneme [NAME …]

`pgbouncer` is looked for in PATH and /usr/sbin; without it, without PostgreSQL (`scripts/postgres.sh fetch`), or with a program
that was built without libpq, all are skipped. Root may not run PgBouncer: then it runs as nobody.
"""
import concurrent.futures, json, os, re, shutil, socket, subprocess, time, urllib.error, urllib.request

from harness import Folder, Server, eventually, metric, post, run_tests, with_database

POOLER = shutil.which("pgbouncer", path=os.environ["PATH"] + ":/usr/sbin")
# Prepared statements and their removal are followed since 1.22.
VERSION = tuple(map(int, re.search(r"(\d+)\.(\d+)", subprocess.run([POOLER, "--version"], capture_output=True, text=True).stdout).groups())) if POOLER else (0, 0)


class Pooler:
    """PgBouncer before a database."""

    def __init__(self, f, database, mode, *lines):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.database, self.folder = database, f.path + f"/pooler-{self.port}"
        os.mkdir(self.folder)
        for path in (f.path, self.folder): os.chmod(path, 0o755)
        with open(self.folder + "/users", "w") as out: out.write('"mneme" "mneme"\n')
        with open(self.folder + "/ini", "w") as out:
            print("[databases]", f"mneme = host=127.0.0.1 port={database.port} dbname=mneme", "[pgbouncer]", "listen_addr = 127.0.0.1",
                  f"listen_port = {self.port}", "unix_socket_dir =", "auth_type = scram-sha-256", f"auth_file = {self.folder}/users",
                  f"pool_mode = {mode}", *lines, *(["user = nobody"] if os.geteuid() == 0 else []), sep="\n", file=out)

    def __enter__(self):
        with open(self.folder + "/log", "ab") as log: self.process = subprocess.Popen([POOLER, self.folder + "/ini"], stdout=log, stderr=log)
        for _ in range(100):
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)) == 0: return self
            assert self.process.poll() is None, open(self.folder + "/log").read()
            time.sleep(0.1)
        raise AssertionError("PgBouncer does not listen")

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def restart(self):
        self.__exit__()
        self.__enter__()

    def url(self, direct):
        return direct.replace(f":{self.database.port}/", f":{self.port}/")


def with_pooler(function):
    def run(f, database): return function(f, database) if POOLER else "there is no pgbouncer"
    run.__name__ = function.__name__
    return with_database(run)


def served(f, urls, following):
    """Two servers behind the pooler on each store: what one writes and erases the other knows, no store has another's, jobs are
    done, notices come or do not, and all is sound, also after the pooler was killed."""
    nodes = []
    try:
        for url in urls:
            for _ in range(2):
                g = Folder().__enter__()
                nodes.append((g, Server(g, "--store", url, "--no-embedder", "--rate-limit", "0").__enter__()))
        pairs = [[server for _, server in nodes[2 * i:2 * i + 2]] for i in range(len(urls))]

        def write(i):
            place = i % len(urls)
            return place, post(pairs[place][i // len(urls) % 2], "/v1/memories", {"text": f"Note {i} of store {place} about apples.", "user": "ana"}, f"key-{i}")
        with concurrent.futures.ThreadPoolExecutor(8) as threads: written = list(threads.map(write, range(60)))
        for place, (one, other) in enumerate(pairs):
            made = [answer["memories"][0]["id"] for each, answer in written if each == place]
            def asked(server, text): return {each["memory"]["id"]: each["memory"]["text"] for each in post(server, "/v1/memories/search", {"query": text, "user": "ana", "limit": 100})["memories"]}
            for server in (one, other):
                found = asked(server, "apples")
                assert set(found) <= set(made) and all(f"store {place} " in text for text in found.values()), found
            f.run("erase", made[0], "--user", "ana", "--server", one.url)
            assert made[0] not in asked(other, "apples")
            assert f.json("stats", "--user", "ana", "--server", other.url)["memories"] == len(made) - 1
            assert eventually(lambda: metric(other, "mneme_following") == following), metric(other, "mneme_following")
            before = metric(other, "mneme_followed_changes")
            post(one, "/v1/memories", {"text": f"A pear for store {place} here.", "user": "ana"})
            # Without notices a server looks every five seconds.
            assert eventually(lambda: metric(other, "mneme_followed_changes") > before, 3 if following else 15)
            job = f.json("jobs", "add", "compact", "--store", urls[place])[0]
            assert eventually(lambda: f.json("jobs", "show", str(job["id"]), "--store", urls[place])[0]["state"] == "done", 30), f.json("jobs", "show", str(job["id"]), "--store", urls[place])
            doctor = f.run("doctor", "--store", urls[place]).stdout
            assert "behind a pooler" in doctor, doctor
            f.run("audit", "verify", "--store", urls[place])
        yield pairs
        for url in urls:
            f.run("doctor", "--store", url)
            f.run("audit", "verify", "--store", url)
    finally:
        for g, server in nodes:
            server.__exit__()
            g.__exit__()


def survives(pooler, pairs):
    """The pooler is killed while clients write: each write that is answered is there once."""
    servers = [server for pair in pairs for server in pair]

    def insist(i):
        for attempt in range(8):
            try: return post(servers[i % len(servers)], "/v1/memories", {"text": f"Number {i} is kept, whatever ends.", "user": "ben"}, f"ben-{i}")
            except (OSError, urllib.error.HTTPError): time.sleep(0.2)
        raise AssertionError(f"write {i} is never answered")
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        work = [threads.submit(insist, i) for i in range(60)]
        time.sleep(0.2)
        pooler.restart()
        for each in work: each.result()
    for place, (one, other) in enumerate(pairs):
        expected = sorted(f"Number {i} is kept, whatever ends." for i in range(60) if i % len(servers) // 2 == place)
        for server in (one, other):
            with urllib.request.urlopen(server.url + "/v1/memories?user=ben&limit=1000", timeout=60) as answer:
                texts = sorted(each["text"] for each in json.load(answer)["memories"])
            assert texts == expected, (texts, expected)


@with_pooler
def connections_lent_for_a_session(f, database):
    with Pooler(f, database, "session", "default_pool_size = 60") as pooler:
        for pairs in served(f, [pooler.url(database.url())], 1): survives(pooler, pairs)


@with_pooler
def connections_lent_for_a_transaction(f, database):
    """Two stores share the pooler's connections, fewer than there are clients."""
    if VERSION < (1, 22): return f"pgbouncer {VERSION[0]}.{VERSION[1]} keeps no prepared statements"
    with Pooler(f, database, "transaction", "default_pool_size = 5", "max_prepared_statements = 400") as pooler:
        for pairs in served(f, [pooler.url(database.url()) for _ in range(2)], 0): survives(pooler, pairs)


@with_pooler
def poolers_that_lose_what_was_prepared_are_refused(f, database):
    """Before anything is written; and again by whoever comes next."""
    direct = database.url()
    schema = direct.split("mneme_schema=")[1]
    lines = ["max_prepared_statements = 0"] if VERSION >= (1, 21) else []
    with Pooler(f, database, "transaction", *lines) as pooler:
        for arguments in (["remember", "Tea."], ["stats"], ["doctor"]):
            result = f.run(*arguments, "--store", pooler.url(direct), "--no-embedder", check=False)
            assert result.returncode == 1 and "pool_mode = session" in result.stderr and "max_prepared_statements" in result.stderr, result
        assert not database.ask(f"SELECT 1 FROM pg_namespace WHERE nspname = '{schema}'").strip()
    with Pooler(f, database, "statement") as pooler:
        result = f.run("stats", "--store", pooler.url(direct), "--no-embedder", check=False)
        assert result.returncode == 1 and "pool_mode" in result.stderr, result
        assert not database.ask(f"SELECT 1 FROM pg_namespace WHERE nspname = '{schema}'").strip()


@with_pooler
def a_pooler_that_is_full_is_told_of(f, database):
    direct = database.url()
    f.run("remember", "Tea.", "--store", direct, "--no-embedder")
    with Pooler(f, database, "session", "default_pool_size = 1") as pooler:
        began = time.time()
        result = f.run("stats", "--store", pooler.url(direct), "--no-embedder", check=False)
        assert result.returncode == 1 and "default_pool_size" in result.stderr and time.time() - began < 40, (result, time.time() - began)


run_tests()
