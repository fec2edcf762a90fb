#!/usr/bin/env python3
"""Copies a store of N memories from a file to PostgreSQL and back, compares them, and says how many bytes each takes. What
it exports is then imported into an empty store of either kind, and exported again.

    python3 Tests/clients/copies.py .build/release/mneme [--memories 100000] [--users 10] [--vectors]

What is compared: the export of each user, byte for byte, before and after each copy and each import, and every row of every table of the two files, the journal and the
audit log among them. `--vectors` makes vectors, too (with the fetched embedding model), which takes most of the time. Exit
code 1 if something differs.
"""
import argparse, hashlib, json, os, resource, sqlite3, subprocess, sys, time

from database import Database
from harness import BINARY, Folder

NAMES = "Ana Bo Cleo Dan Eva Finn Gus Hana Ines Jo Kai Lena Mia Noor Otto Pia Quin Rosa Sam Tara Udo Vera Wim Xenia Yann Zoe".split()
THINGS = "anchor basket candle drawer engine fiddle garden hammer island jacket kettle ladder mirror needle orchard piano quilt rudder saddle teapot".split()
PLACES = "Bergen Cadiz Dublin Espoo Faro Gdansk Hamburg Izmir Jaffa Kyoto Lisbon Malmo Naples Oslo Porto Quito Riga Split Turin Utrecht".split()


def sentence(i):
    name, thing, place = NAMES[i % 26], THINGS[i // 26 % 20], PLACES[i // 520 % 20]
    return f"{name} bought the {thing} number {i} in {place} for {i * 7919 % 997} crowns."


def run(f, *arguments):
    """Runs the program; the seconds it took, and those of the processor."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.time()
    result = subprocess.run([BINARY, *arguments], env=f.environment, capture_output=True, text=True)
    if result.returncode: raise SystemExit(f"{arguments} ended with {result.returncode}: {result.stderr[:2000]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.time() - began, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def exported(f, store, users, path):
    """The hash and the size of what `mneme export` writes of all users."""
    digest, size = hashlib.sha256(), 0
    for user in range(users):
        run(f, "export", "--user", f"user-{user}", "-o", path, "--store", store)
        with open(path, "rb") as file: content = file.read()
        os.unlink(path)
        digest.update(content)
        size += len(content)
    return digest.hexdigest(), size


def carried(f, source, target, users):
    """The hash and the size of what `target` exports, once all that `source` exports was imported into it."""
    for user in range(users):
        f.run("export", "--user", f"user-{user}", "-o", f.path + "/carried.jsonl", "--store", source)
        report = json.loads(f.run("import", f.path + "/carried.jsonl", "--store", target, "--json").stdout)
        if report["skipped"] or report["duplicates"] or report["leftOut"]: raise SystemExit(f"the import of an export left something: {report}")
    os.unlink(f.path + "/carried.jsonl")
    return exported(f, target, users, f.path + "/out.jsonl")


def tables(path):
    """Names of a file's tables, without those of SQLite's own and of full text."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        return [name for name, in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")]


def rows(path, table):
    """The number of a table's rows, and a hash of all of them, whatever their order."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        count, total = 0, 0
        for row in db.execute(f'SELECT * FROM "{table}"'):
            count += 1
            total = (total + int.from_bytes(hashlib.sha256(repr(row).encode()).digest()[:16], "big")) % (1 << 128)
        return count, total


def file_sizes(path):
    """Bytes of each table and index of a file."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        owners = dict(db.execute("SELECT name, tbl_name FROM sqlite_schema"))
        sizes = {}
        try: pages = db.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name").fetchall()
        except sqlite3.OperationalError: return {}
        for name, size in pages: sizes[owners.get(name, name)] = sizes.get(owners.get(name, name), 0) + size
        return sizes


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--memories", type=int, default=100_000)
    options.add_argument("--users", type=int, default=10)
    options.add_argument("--vectors", action="store_true")
    options = options.parse_args(sys.argv[2:])
    with Folder() as f:
        if not options.vectors: f.environment["MNEME_EMBEDDER"] = "none"
        database = Database().start()
        if not database: raise SystemExit("there is no PostgreSQL: scripts/postgres.sh fetch")
        file, back, schema = f.path + "/memory.db", f.path + "/back.db", "copies"
        url, count = database.url(schema), options.memories
        wrong = []
        seconds = processor = 0
        for user in range(options.users):
            with open(f.path + "/notes.jsonl", "w") as out:
                for i in range(user, count, options.users): out.write(json.dumps({"content": sentence(i), "user_id": f"user-{user}"}) + "\n")
            took = run(f, "import", f.path + "/notes.jsonl", "--store", file)
            seconds, processor = seconds + took[0], processor + took[1]
        print(f"import      {seconds:7.1f} s, {1000 * processor / count:.2f} ms of a processor each", flush=True)
        if options.vectors:
            took = run(f, "reembed", "--store", file)
            print(f"vectors     {took[0]:7.1f} s, {1000 * took[1] / count:.2f} ms of a processor each, with those during the import", flush=True)
        # Some history: a change, an erasure, an archived one.
        some = json.loads(f.run("list", "--user", "user-0", "--limit", "3", "--store", file, "--json").stdout)["memories"]
        f.run("update", some[0]["id"], "--text", "Ana sold it again.", "--user", "user-0", "--store", file)
        f.run("erase", some[1]["id"], "--user", "user-0", "--store", file)
        f.run("forget", some[2]["id"], "--user", "user-0", "--store", file)
        first = exported(f, file, options.users, f.path + "/out.jsonl")
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as db: end = db.execute("SELECT max(position) FROM audit").fetchone()[0]
        print(f"there       {run(f, 'store', 'copy', file, url)[0]:7.1f} s", flush=True)
        sizes = [line.split("|") for line in database.ask(
            f"SELECT relname, pg_table_size(oid), pg_indexes_size(oid) FROM pg_class WHERE relnamespace = '{schema}'::regnamespace AND relkind = 'r'").split()]
        second = exported(f, url, options.users, f.path + "/out.jsonl")
        if second != first: wrong.append("the export of the database is another than that of the file")
        print(f"back        {run(f, 'store', 'copy', url, back)[0]:7.1f} s", flush=True)
        third = exported(f, back, options.users, f.path + "/out.jsonl")
        if third != first: wrong.append("the export of the copy is another than that of the file")
        # An export that is imported is the same export again: here into a new file, there into a new database.
        for target in (f.path + "/carried.db", database.url("carried")):
            began = time.time()
            again = carried(f, file, target, options.users)
            print(f"carried     {time.time() - began:7.1f} s", flush=True)
            if again != first: wrong.append(f"what {target.split('?')[0]} exports after importing an export is something else")
        print(f"export      {first[1] >> 20} MiB, sha256 {first[0][:16]}")
        for store in (file, url, back):
            f.run("audit", "verify", "--store", store)
            f.run("doctor", "--store", store)
        # Reads and exports note themselves in the store they are asked of; all before that is the same.
        names = set(tables(file)) | set(tables(back))
        for table in sorted(names - {"audit", "audit_checkpoint", "export", "tally"}):
            one, other = rows(file, table), rows(back, table)
            if one != other: wrong.append(f"the table {table} has {one[0]} rows in the file and {other[0]} in the copy, or others")
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as one, sqlite3.connect(f"file:{back}?mode=ro", uri=True) as other:
            common = f"SELECT * FROM audit WHERE position <= {end} ORDER BY position"
            if list(one.execute(common)) != list(other.execute(common)): wrong.append("the audit logs differ")
            journal = one.execute("SELECT count(*) FROM journal").fetchone()[0]
        print(f"journal     {journal} entries; {len(names)} tables compared")
        lite = file_sizes(file)
        print(f"\n{'bytes a memory':16} {'SQLite':>8} {'PostgreSQL':>11} {'of it indexes':>14}")
        for name, table, index in sorted(sizes, key=lambda each: -int(each[1]) - int(each[2])):
            if int(table) + int(index) + lite.get(name, 0) >= 8 * count: print(f"{name:16} {lite.get(name, 0) / count:8.0f} {(int(table) + int(index)) / count:11.0f} {int(index) / count:14.0f}")
        folder = sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(f.path) for name in names if ".index" in at or "/index" in at)
        print(f"{'all':16} {os.path.getsize(file) / count:8.0f} {sum(int(each[1]) + int(each[2]) for each in sizes) / count:11.0f} {sum(int(each[2]) for each in sizes) / count:14.0f}")
        print(f"{'index files':16} {folder / count:8.0f}   (of both; the words, documents and links that a server keeps in files)")
        print(f"{'text':16} {sum(len(sentence(i)) for i in range(0, count, 97)) / len(range(0, count, 97)):8.0f}")
        for each in wrong: print("WRONG  " + each)
        print(f"{len(wrong)} wrong" if wrong else "nothing differs")
        return 1 if wrong else 0


if __name__ == "__main__": sys.exit(main())
