#!/usr/bin/env python3
"""Tests of stores in PostgreSQL: copies there and back, servers that share one, and what becomes of passwords.

    python3 Tests/clients/postgres.py .build/release/mneme [NAME …]

scripts/postgres.sh starts the database (`scripts/postgres.sh fetch` has unpacked it); without one, or with a program that was
built without libpq, all are skipped.
"""
import concurrent.futures, hashlib, json, os, signal, time, urllib.error, urllib.request

from harness import Folder, Server, eventually, metric, post, run_tests, with_database



def exported(f, store):
    f.run("export", "--user", "ana", "-o", f.path + "/out.jsonl", "--store", store)
    with open(f.path + "/out.jsonl") as file: text = file.read()
    os.unlink(f.path + "/out.jsonl")
    return text


@with_database
def a_store_goes_to_a_database_and_back(f, database):
    file, back, url = f.path + "/memory.db", f.path + "/back.db", database.url()
    f.environment["MNEME_EMBEDDER"] = "none"
    with open(f.path + "/notes.jsonl", "w") as out:
        for i in range(300): out.write(json.dumps({"content": f"Ana keeps the key number {i} in drawer {i // 7}.", "user_id": "ana"}) + "\n")
    f.run("import", f.path + "/notes.jsonl", "--store", file, "--no-embedder")
    made = f.json("remember", "Ana moved to Lisbon. 日本 😀", "--user", "ana", "--store", file)["memories"][0]
    erased = [each["id"] for each in f.json("list", "--user", "ana", "--limit", "5", "--store", file)["memories"] if each["id"] != made["id"]][0]
    f.run("erase", erased, "--user", "ana", "--store", file)
    before = exported(f, file)
    assert f.json("store", "copy", file, url)["memories"] == 300
    assert exported(f, url) == before
    f.run("store", "copy", url, back)
    assert exported(f, back) == before
    # All that a store is asked is answered the same.
    for store in (file, url, back):
        found = f.json("recall", "Who moved to Lisbon?", "--user", "ana", "--store", store, "--no-embedder")["memories"]
        assert found[0]["memory"]["id"] == made["id"], (store, found)
        f.run("audit", "verify", "--store", store)
        f.run("doctor", "--store", store)
        assert f.run("get", made["id"], "--user", "ana", "--store", store).stdout
    result = f.run("store", "copy", file, url, check=False)
    assert result.returncode == 1 and "empty" in result.stderr, result
    result = f.run("store", "copy", f.path + "/none.db", database.url(), check=False)
    assert result.returncode == 2 and "no store" in result.stderr, result
    for arguments in (["backup", "make", f.path + "/copy.db"], ["encryption", "status"]):
        result = f.run(*arguments, "--store", url, check=False)
        assert result.returncode == 2 and "a store in a file" in result.stderr, result


@with_database
def a_password_is_told_to_nobody(f, database):
    word = "mneme:mneme@"
    url = database.url()
    # In the variable or a file instead of the URL, in the setting instead of an option.
    f.environment["MNEME_STORE"] = url.replace(word, "mneme@")
    f.environment["PGPASSWORD"] = "mneme"
    f.run("remember", "The anchor lies in the shed.", "--no-embedder")
    assert f.json("stats", "--no-embedder")["memories"] == 1
    del f.environment["PGPASSWORD"]
    passwords = f.path + "/passwords"
    with open(passwords, "w") as out: out.write("*:*:*:*:mneme\n")
    os.chmod(passwords, 0o600)
    f.environment["MNEME_STORE"] += "&passfile=" + passwords
    assert f.json("stats", "--no-embedder")["memories"] == 1
    f.environment["MNEME_STORE"] = url.replace(word, "mneme:wrong-word@")
    result = f.run("stats", "--no-embedder", check=False)
    assert result.returncode == 1 and "password" in result.stderr and "wrong-word" not in result.stderr, result
    for broken in ("postgres://ana:wrong-word@[::1/x", url.replace(word, "mneme:wrong-word@") + "&mneme_colour=red"):
        result = f.run("stats", "--store", broken, "--no-embedder", check=False)
        assert result.returncode != 0 and "wrong-word" not in result.stderr + result.stdout, result
    assert "wrong-word" not in f.run("config").stdout + f.run("config", "--json").stdout


@with_database
def servers_share_a_database(f, database):
    url = database.url()
    with Folder() as g, Server(f, "--store", url) as one, Server(g, "--store", url) as other:
        made = f.json("remember", "Ana sold the blue guitar.", "--user", "ana", "--server", one.url)["memories"][0]
        def asked(server): return [each["memory"]["id"] for each in f.json("recall", "Who sold the guitar?", "--user", "ana", "--server", server.url)["memories"]]
        assert asked(other) == [made["id"]] and asked(one) == [made["id"]]
        f.run("erase", made["id"], "--user", "ana", "--server", other.url)
        assert asked(one) == [] and asked(other) == []
        # What both are told at once is there once and in one order.
        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda i: post((one, other)[i % 2], "/v1/memories", {"text": f"Note {i} of the meeting.", "user": "ana"}), range(40)))
        for server in (one, other): assert f.json("stats", "--user", "ana", "--server", server.url)["memories"] == 40
        # A job that both servers see is done by one of them.
        job = f.json("jobs", "add", "expire", "--user", "ana", "--store", url)[0]
        for _ in range(100):
            shown = f.json("jobs", "show", str(job["id"]), "--store", url)[0]
            if shown["state"] == "done": break
            time.sleep(0.3)
        assert shown["state"] == "done" and shown["attempts"] == 1, shown
    f.run("doctor", "--store", url)
    f.run("audit", "verify", "--store", url)


def get(server, path):
    with urllib.request.urlopen(server.url + path, timeout=60) as answer: return json.load(answer), answer.headers


@with_database
def servers_tell_each_other(f, database):
    """An index that is open catches up before anybody asks, and a job that was added elsewhere begins at once."""
    url = database.url()
    with Folder() as g, Server(f, "--store", url, "--no-embedder") as one, Server(g, "--store", url, "--no-embedder") as other:
        def asked(server):
            found = post(server, "/v1/memories/search", {"query": "Who sold the guitar?", "user": "ana"})["memories"]
            return [each["memory"]["id"] for each in found]
        first = post(one, "/v1/memories", {"text": "Ana sold the blue guitar.", "user": "ana"})["memories"][0]["id"]
        assert asked(other) == [first]
        assert metric(other, "mneme_following") == 1
        before = metric(other, "mneme_followed_changes")
        post(one, "/v1/memories", {"text": "Ben sold a red guitar.", "user": "ana"})
        assert eventually(lambda: metric(other, "mneme_followed_changes") > before), metric(other, "mneme_followed_changes")
        assert len(asked(other)) == 2
        # Notices that cannot be heard change no answer.
        database.crash()
        assert eventually(lambda: metric(other, "mneme_following") == 1)
        f.run("erase", first, "--user", "ana", "--store", url)
        assert first not in asked(other) and first not in asked(one)
        began = time.time()
        job = f.json("jobs", "add", "expire", "--user", "ana", "--store", url)[0]
        assert eventually(lambda: f.json("jobs", "show", str(job["id"]), "--store", url)[0]["state"] == "done"), time.time() - began


@with_database
def servers_know_each_other(f, database):
    url = database.url()
    addresses = ["http://10.0.0.1:8420", "http://10.0.0.2:8420"]
    arguments = ("--store", url, "--no-embedder", "--advertise")
    with Folder() as g, Server(f, *arguments, addresses[0]) as one:
        assert "No other server" in one.process.stdout.readline()
        with Server(g, *arguments, addresses[1] + "/") as other:
            assert addresses[0] in other.process.stdout.readline()
            assert addresses[0] in f.run("doctor", "--store", url).stdout
            for server, place in ((one, 0), (other, 1)):
                servers, _ = get(server, "/v1/servers")
                assert sorted(each["url"] for each in servers["servers"]) == addresses, servers
                assert [each["url"] for each in servers["servers"] if each["isThis"]] == [addresses[place]], servers
                assert all(0 < each["leaseSeconds"] <= 30 for each in servers["servers"]), servers
            # Both say the same of everybody, as does whoever knows the rule; and answer.
            homes = set()
            for i in range(20):
                user = f"user{i}"
                def weight(address): return hashlib.sha256(f"{address}\0default\0{user}".encode()).digest()[:8]
                home = max(addresses, key=weight)
                homes.add(home)
                post((one, other)[i % 2], "/v1/memories", {"text": f"The key of {user} lies in drawer {i}.", "user": user})
                for server in (one, other):
                    assert get(server, "/v1/servers?user=" + user)[0]["owner"]["server"] == home
                    answer, headers = get(server, "/v1/memories?user=" + user)
                    assert len(answer["memories"]) == 1 and headers["Mneme-Server"] == home, (user, headers["Mneme-Server"], home)
            assert homes == set(addresses)
        # Who has left is gone at once.
        servers, _ = get(one, "/v1/servers?user=user3")
        assert [each["url"] for each in servers["servers"]] == addresses[:1] and servers["owner"]["server"] == addresses[0], servers
    for wrong in ("10.0.0.1:8420", "http://ana:secret@10.0.0.1", "http://10.0.0.1/x", "ftp://10.0.0.1", ""):
        result = f.run("serve", "--port", "0", "--store", url, "--no-embedder", "--advertise", wrong, check=False)
        assert result.returncode == 2 and "--advertise" in result.stderr, result
    result = f.run("serve", "--port", "0", "--no-embedder", "--advertise", addresses[0], check=False)
    assert result.returncode == 2 and "database" in result.stderr, result


@with_database
def a_limit_holds_on_all_servers(f, database):
    """Sixty a minute: ten at once, one a second, and a slice of one for each server."""
    url = database.url()
    arguments = ("--store", url, "--no-embedder", "--rate-limit", "60")
    with Folder() as g, Server(f, *arguments) as one, Server(g, *arguments) as other:
        began, passed, refused = time.time(), [], []
        def ask(i):
            try:
                get((one, other)[i % 2], "/v1/memories?user=ana")
                passed.append(i)
            except urllib.error.HTTPError as error:
                assert error.code == 429 and 1 <= int(error.headers["Retry-After"]) <= 2, (error.code, error.headers)
                refused.append(i)
        with concurrent.futures.ThreadPoolExecutor(8) as threads: list(threads.map(ask, range(80)))
        seconds = time.time() - began
        assert 10 <= len(passed) <= 10 + seconds + 2, (len(passed), seconds)
        assert len(passed) + len(refused) == 80


@with_database
def nothing_that_was_acknowledged_is_lost(f, database):
    """The database is killed under one server, and a server is killed, while both are written to."""
    url, acknowledged = database.url(), []
    with Server(f, "--store", url, "--no-embedder", "--rate-limit", "0") as one:
        killed = Server(f, "--store", url, "--no-embedder", "--rate-limit", "0")
        killed.__enter__()
        def write(i):
            text = f"Note {i} of the meeting."
            try:
                post((one, killed)[i % 2], "/v1/memories", {"text": text, "user": "ana"})
                acknowledged.append(text)
            except (OSError, urllib.error.HTTPError): pass
        with concurrent.futures.ThreadPoolExecutor(4) as threads:
            work = [threads.submit(write, i) for i in range(200)]
            time.sleep(0.3)
            database.crash()
            killed.process.send_signal(signal.SIGKILL)
            for each in work: each.result()
        killed.process.wait()
        assert len(acknowledged) >= 50, len(acknowledged)
        texts = [each["text"] for each in f.json("list", "--user", "ana", "--limit", "1000", "--server", one.url)["memories"]]
        assert set(acknowledged) <= set(texts) and len(texts) == len(set(texts)), (len(acknowledged), len(texts))
    f.run("doctor", "--store", url)
    f.run("audit", "verify", "--store", url)


run_tests()
