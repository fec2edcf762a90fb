#!/usr/bin/env python3
"""Tests of backups: to a folder and to a bucket, points in time, erasures, kills, a full disk, and both kinds of stores.

    python3 Tests/clients/backups.py .build/release/mneme [NAME …]
    MNEME_KILLS=50 python3 Tests/clients/backups.py .build/release/mneme a_killed_backup_loses_nothing

The bucket is a stand-in on the loopback device (s3.py), which checks signatures.
"""
import json, os, random, resource, signal, sqlite3, subprocess, time, urllib.request

from copies import rows, tables
from database import Database
from harness import BINARY, Folder, Server, run_tests, test
from s3 import Bucket

# What stores write of themselves after a restore, and what follows from other rows.
OWN = {"audit", "audit_checkpoint", "tally"}


def remember(f, *texts, store=None):
    ids = []
    for text in texts:
        made = f.json("remember", text, "--no-embedder", "--user", "ana", *(("--store", store) if store else ()))
        ids.append(made["memories"][0]["id"])
    return ids


def texts(f, store):
    return sorted(each["text"] for each in f.json("list", "--user", "ana", "--limit", "1000", "--store", store)["memories"])


def same(one, other):
    """Every row of two stores in files, but for what each writes of itself."""
    for table in sorted(set(tables(one)) - OWN):
        assert rows(one, table) == rows(other, table), f"the table {table} differs"


@test
def a_folder_takes_points_that_a_store_goes_back_to():
    with Folder() as f:
        f.environment["MNEME_EMBEDDER"] = "none"
        folder, file = f.path + "/backup", f.path + "/memory.db"
        remember(f, "Ana moved to Lisbon", "The door is blue")
        first = f.json("backup", folder)
        assert first["isWhole"] and first["memories"] == 2, first
        f.run("store", "copy", file, f.path + "/then.db")
        time.sleep(1.1)
        remember(f, "Ana sold her guitar")
        second = f.json("backup", "make", folder)
        assert not second["isWhole"] and second["memories"] == 3 and second["bytes"] < first["bytes"], (first, second)
        assert [each["position"] for each in f.json("backup", "points", folder)] == [first["position"], second["position"]]
        assert "restored and is sound" in f.run("backup", "verify", folder).stdout
        f.run("backup", "restore", folder, "--to", f.path + "/now.db")
        same(file, f.path + "/now.db")
        # A point in time is a copy that was taken then, by position and by time.
        for name, *choice in (("a", "--position", str(first["position"])), ("b", "--at", first["time"])):
            f.run("backup", "restore", folder, "--to", f"{f.path}/{name}.db", *choice)
            same(f.path + "/then.db", f"{f.path}/{name}.db")
        # In the place of the store, beside which the former stays.
        restored = f.json("backup", "restore", folder, "--position", str(first["position"]))
        assert os.path.exists(restored["former"]) and restored["point"]["memories"] == 2, restored
        assert texts(f, file) == ["Ana moved to Lisbon", "The door is blue"]
        remember(f, "instead", "and more")
        result = f.run("backup", folder, check=False)
        assert result.returncode == 1 and "--whole" in result.stderr, result
        assert f.json("backup", folder, "--whole")["isWhole"]
        assert len(f.json("backup", "points", folder)) == 3
        for wrong, code, word in (
                (["backup", folder, "--store", f.path + "/none.db"], 2, "no store"),
                (["backup", "restore", folder, "--to", file], 2, "is there already"),
                (["backup", "restore", folder, "--to", f.path + "/x.db", "--position", "0"], 1, "no moment so early"),
                (["backup", "restore", folder, "--to", f.path + "/x.db", "--at", "soon"], 2, "--at"),
                (["backup", "verify", f.path + "/empty"], 1, "no backup"),
                (["backup", "restore", folder, "--to", f.path + "/x.db", "--at", "2026-01-01", "--position", "1"], 2, "not both"),
                (["backup", folder, "--keep", "soon"], 2, "24h,30d,12m"),
                (["backup", "prune", f.path + "/empty", "--keep", "1d"], 1, "no backup"),
                (["backup", folder, "--every", "0"], 2, "--every")):
            result = f.run(*wrong, check=False)
            assert result.returncode == code and word in result.stderr, (wrong, result)
        assert not os.path.exists(f.path + "/x.db") and not os.path.exists(f.path + "/empty")


@test
def any_moment_between_points_is_gone_back_to():
    with Folder() as f:
        f.environment["MNEME_EMBEDDER"] = "none"
        folder, file = f.path + "/backup", f.path + "/memory.db"
        remember(f, "Ana moved to Lisbon")
        f.run("backup", folder)
        time.sleep(1.1)
        secret, door = remember(f, "The code of the door is 4711", "The door is blue")
        f.run("store", "copy", file, f.path + "/then.db")
        then = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        time.sleep(1.1)
        remember(f, "Ana sold her guitar")
        f.run("forget", door, "--user", "ana")
        last = f.json("backup", folder)
        said = f.run("backup", "restore", folder, "--to", f.path + "/a.db", "--at", then).stdout
        assert "position 3, 3 memories" in said and "as at the point of" in said and "position 1." in said, said
        same(f.path + "/then.db", f.path + "/a.db")
        restored = f.json("backup", "restore", folder, "--to", f.path + "/b.db", "--position", "3")
        assert restored["moment"]["position"] == 3 and not restored["moment"]["isPoint"] and restored["point"]["position"] == 1, restored
        same(f.path + "/then.db", f.path + "/b.db")
        # What was erased since does not come back, with the points merged or not.
        f.run("erase", secret, "--user", "ana")
        f.run("backup", folder)
        for name in ("c", "d"):
            restored = f.json("backup", "restore", folder, "--to", f"{f.path}/{name}.db", "--at", then)
            assert restored["erasedAgain"] == 1 and restored["moment"]["position"] == 3, restored
            assert texts(f, f"{f.path}/{name}.db") == ["Ana moved to Lisbon", "The door is blue"]
            f.run("audit", "verify", "--store", f"{f.path}/{name}.db")
            assert f.json("doctor", "--store", f"{f.path}/{name}.db")["sound"]
            pruned = f.json("backup", "prune", folder, "--keep", "1y")
            assert pruned["points"] == 1 and pruned["pointsBefore"] == (3 if name == "c" else 1), pruned
            assert len(f.json("backup", "verify", folder)) == 1
        # In the place of the store.
        restored = f.json("backup", "restore", folder, "--at", then)
        assert os.path.exists(restored["former"]) and texts(f, file) == ["Ana moved to Lisbon", "The door is blue"], restored


@test
def what_is_erased_leaves_the_backup_too():
    with Folder() as f:
        f.environment["MNEME_EMBEDDER"] = "none"
        folder = f.path + "/backup"
        kept, secret = remember(f, "Ana moved to Lisbon", "The code of the door is 4711")
        first = f.json("backup", folder)
        holding = lambda: [name for name in os.listdir(folder) if b"4711" in open(f"{folder}/{name}", "rb").read()]
        assert holding()
        said = f.run("erase", secret, "--user", "ana", "--prove", f.path + "/report.json").stdout
        assert folder in said and "mneme backup" in said, said
        f.run("backup", folder)
        assert not holding()
        f.run("backup", "verify", folder)
        restored = f.json("backup", "restore", folder, "--to", f.path + "/then.db", "--position", str(first["position"]))
        assert restored["erasedAgain"] == 1, restored
        assert texts(f, f.path + "/then.db") == ["Ana moved to Lisbon"]
        f.run("audit", "verify", "--store", f.path + "/then.db")
        assert f.json("doctor", "--store", f.path + "/then.db")["sound"]
        assert f.run("verify-erasure", f.path + "/report.json", f.path + "/then.db", check=False).returncode == 0


@test
def a_bucket_is_a_folder_elsewhere():
    with Folder() as f, Bucket() as bucket:
        f.environment.update(bucket.environment, MNEME_EMBEDDER="none")
        place = "s3://memories/nightly/a b"
        ids = remember(f, "Ana moved to Lisbon", "The code of the door is 4711")
        f.run("backup", place)
        remember(f, "Ana sold her guitar")
        bucket.fail = 1
        f.run("backup", place)
        assert len(f.json("backup", "points", place)) == 2
        assert all(name.startswith("nightly/a b/") for name in bucket.objects), list(bucket.objects)
        f.run("backup", "verify", place)
        f.run("backup", "restore", place, "--to", f.path + "/now.db")
        same(f.path + "/memory.db", f.path + "/now.db")
        f.run("erase", ids[1], "--user", "ana")
        # What a killed backup left goes, also from the list's later pages.
        bucket.objects["nightly/a b/rows-00000001-9999"] = b"4711"
        f.run("backup", place)
        assert not any(b"4711" in data for data in bucket.objects.values()), list(bucket.objects)
        name = "nightly/a b/rows-00000002-0001"
        whole = bucket.objects[name]
        bucket.objects[name] = whole[:-1] + bytes([whole[-1] ^ 1])
        result = f.run("backup", "verify", place, check=False)
        assert result.returncode == 1 and name.split("/")[-1] in result.stderr, result
        bucket.objects[name] = whole
        # Merged, one point is left there, with nothing of others.
        assert f.json("backup", "prune", place, "--keep", "1y")["points"] == 1
        f.run("backup", "verify", place)
        f.run("backup", "restore", place, "--to", f.path + "/merged.db")
        same(f.path + "/memory.db", f.path + "/merged.db")
        assert not any(each.startswith("nightly/a b/rows-0000000") and not each.startswith("nightly/a b/rows-00000004") for each in bucket.objects), list(bucket.objects)
        f.environment["AWS_SECRET_ACCESS_KEY"] = "wrong"
        result = f.run("backup", place, check=False)
        assert result.returncode == 1 and "AWS_SECRET_ACCESS_KEY" in result.stderr and "wrong" not in result.stderr, result
        del f.environment["AWS_SECRET_ACCESS_KEY"]
        assert f.run("backup", place, check=False).returncode == 2


@test
def a_killed_backup_loses_nothing():
    """MNEME_KILLS rounds: a backup is killed at a random moment, and the points before it are whole each time."""
    with Folder() as f:
        f.environment["MNEME_EMBEDDER"] = "none"
        folder, seed = f.path + "/backup", int(os.environ.get("MNEME_SEED", random.randrange(1 << 30)))
        chance = random.Random(seed)
        with open(f.path + "/notes.jsonl", "w") as out:
            for i in range(400): out.write(json.dumps({"content": f"Ana keeps the key number {i} in drawer {i // 7}.", "user_id": "ana"}) + "\n")
        f.run("import", f.path + "/notes.jsonl")
        began = time.time()
        f.run("backup", folder)
        took, kills, points = time.time() - began, 0, 1
        ids = [each["id"] for each in f.json("list", "--user", "ana", "--limit", "400")["memories"]]
        for i in range(int(os.environ.get("MNEME_KILLS", "3"))):
            remember(f, f"The round is {i}.")
            if i % 3 == 1: f.run("erase", ids.pop(), "--user", "ana")
            command = [BINARY, "backup", folder, *(["--whole"] if i % 2 else [])]
            # Points are merged every third time; then all that is there may be one.
            if i % 3 == 2: command = [BINARY, "backup", "prune", folder, "--keep", "1y"]
            process = subprocess.Popen(command, env=f.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(chance.uniform(0, 1.2 * took))
            process.kill()
            kills += process.wait() == -signal.SIGKILL
            found = len(f.json("backup", "verify", folder))
            assert found in (points, 1 if i % 3 == 2 else points + 1), f"round {i}, seed {seed}: {points} points, then {found}"
            points = found
        f.run("backup", folder)
        f.run("backup", "restore", folder, "--to", f.path + "/now.db")
        same(f.path + "/memory.db", f.path + "/now.db")
        named = {each["name"] for each in json.loads(open(folder + "/manifest").read().split("\n")[0])["points"] for each in each["files"]}
        assert set(os.listdir(folder)) == named | {"manifest"}, f"seed {seed}"
        print(f"  {kills} killed of {i + 1}, seed {seed}")


@test
def a_backup_follows_a_server_and_a_full_disk_costs_no_point():
    with Folder() as f:
        f.environment["MNEME_EMBEDDER"] = "none"
        folder = f.path + "/backup"
        remember(f, "Ana moved to Lisbon")
        with Server(f, "--no-embedder") as server:
            process = subprocess.Popen([BINARY, "backup", folder, "--follow", "--every", "1", "--json"], env=f.environment, stdout=subprocess.PIPE, text=True)
            assert json.loads(process.stdout.readline())["isWhole"]
            body = json.dumps({"text": "Ana sold her guitar", "user": "ana"}).encode()
            urllib.request.urlopen(urllib.request.Request(server.url + "/v1/memories", body, {"Content-Type": "application/json"}), timeout=60).close()
            while json.loads(process.stdout.readline())["memories"] < 2: pass
            process.kill()
            process.wait()
            # Beside the server; in its place it is refused.
            f.run("backup", "restore", folder, "--to", f.path + "/now.db")
            assert texts(f, f.path + "/now.db") == ["Ana moved to Lisbon", "Ana sold her guitar"]
            assert f.run("backup", "restore", folder, check=False).returncode == 1
        points = len(f.json("backup", "verify", folder))
        remember(f, *("The door is blue, and this is a long sentence. " * 40 for _ in range(1)))
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))
        result = subprocess.run([BINARY, "backup", folder], env=f.environment, capture_output=True, text=True, preexec_fn=limit)
        assert result.returncode == 1, result
        assert len(f.json("backup", "verify", folder)) == points
        assert not [name for name in os.listdir(folder) if name.endswith(".tmp")]
        f.run("backup", folder)
        assert len(f.json("backup", "verify", folder)) == points + 1


@test
def an_encrypted_backup_wants_its_key():
    with Folder() as f:
        f.environment.update(MNEME_EMBEDDER="none", MNEME_KEY="ab" * 32)
        folder = f.path + "/backup"
        remember(f, "The code of the door is 4711")
        f.run("backup", folder)
        assert not [name for name in os.listdir(folder) if b"4711" in open(f"{folder}/{name}", "rb").read()]
        f.run("backup", "restore", folder, "--to", f.path + "/now.db")
        assert texts(f, f.path + "/now.db") == ["The code of the door is 4711"]
        for key in ("cd" * 32, ""):
            f.environment["MNEME_KEY"] = key
            result = f.run("backup", "points", folder, check=False)
            assert result.returncode == 1 and "key" in result.stderr.lower(), result


@test
def a_database_is_backed_up_and_restored_both_ways():
    with Folder() as f:
        f.environment["MNEME_EMBEDDER"] = "none"
        if "without PostgreSQL" in f.run("stats", "--store", "postgres://127.0.0.1:1/x", check=False).stderr: return "this mneme was built without libpq"
        database = Database().start()
        if database is None: return "there is no PostgreSQL: scripts/postgres.sh fetch"
        url, other, folder = database.url(), database.url(), f.path + "/backup"
        ids = remember(f, "Ana moved to Lisbon", "The door is blue", store=url)
        assert f.json("backup", folder, "--store", url)["isWhole"]
        remember(f, "Ana sold her guitar", store=url)
        f.run("erase", ids[1], "--user", "ana", "--store", url)
        assert not f.json("backup", folder, "--store", url)["isWhole"]
        for target in (f.path + "/now.db", other):
            f.run("backup", "restore", folder, "--to", target)
            assert texts(f, target) == ["Ana moved to Lisbon", "Ana sold her guitar"]
            f.run("audit", "verify", "--store", target)
        f.run("store", "copy", url, f.path + "/copy.db")
        same(f.path + "/copy.db", f.path + "/now.db")
        # Into one that is in use: refused, and nothing of it changes.
        assert f.run("backup", "restore", folder, "--to", url, check=False).returncode == 1
        # A backup of the file goes into a database, too.
        f.run("backup", f.path + "/second", "--store", f.path + "/now.db")
        third = database.url()
        f.run("backup", "restore", f.path + "/second", "--to", third)
        assert texts(f, third) == ["Ana moved to Lisbon", "Ana sold her guitar"]


run_tests()
