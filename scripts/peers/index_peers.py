#!/usr/bin/env python3
"""Recall and speed of other libraries for vector search, on the same vectors, beside Mneme's.

    scripts/peers/index_peers.py VECTORS.npy --sizes 10000 100000 --mneme .build/release/mneme --plot index.svg

Runs Mneme, then each library, then Mneme again, all on one thread, and prints one table; the second run of Mneme shows how much
the machine's speed has changed. The last --queries vectors of the file are the queries. Speed is queries for each second of CPU
time, the best of three rounds. Needs: numpy, faiss-cpu, hnswlib, usearch, sqlite-vec, apsw.
"""
import argparse, json, os, subprocess, tempfile, time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
import apsw
import faiss
import hnswlib
import numpy as np
import sqlite_vec
import usearch.index

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("vectors")
parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
parser.add_argument("--queries", type=int, default=1000)
parser.add_argument("--mneme", default=".build/release/mneme")
parser.add_argument("--plot")
parser.add_argument("--only", nargs="*", help="such as hnswlib; all if left out")
parser.add_argument("--build-threads", type=int, default=1)
parser.add_argument("--links", type=int, default=16, help="links of a vector in the others' graphs")
arguments = parser.parse_args()
faiss.omp_set_num_threads(1)

EFFORTS = [10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512]
# What these libraries recommend for good recall: 16 links, 200 candidates while building.
LINKS, BUILD = arguments.links, 200


def timed(search, queries, truth):
    """(recall@10, queries per CPU-second) of one-at-a-time searches, best of three rounds."""
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        found = [search(q) for q in queries]
        best = min(best, time.process_time() - start)
    recall = np.mean([len(set(map(int, f)) & set(map(int, t))) / 10 for f, t in zip(found, truth)])
    return float(recall), len(queries) / best


def points(set_effort, search, queries, truth):
    rows = []
    for effort in EFFORTS:
        set_effort(effort)
        recall, speed = timed(search, queries, truth)
        rows.append({"effort": effort, "recall": recall, "queriesPerSecond": speed})
        if recall > 0.997:
            break
    return rows


def build(add):
    start = time.process_time()
    add()
    return time.process_time() - start


def run_hnswlib(base, queries, truth):
    index = hnswlib.Index("ip", base.shape[1])
    index.init_index(len(base), M=LINKS, ef_construction=BUILD)
    seconds = build(lambda: index.add_items(base, num_threads=arguments.build_threads))
    index.set_num_threads(1)
    memory = len(base) * (base.shape[1] * 4 + LINKS * 2 * 4 + 8 + 8 + 16)
    row = points(index.set_ef, lambda q: index.knn_query(q, 10)[0][0], queries, truth)
    return {"buildSeconds": seconds, "memory": memory, "points": row}


def run_faiss(base, queries, truth, factory="HNSW", train=False):
    if factory == "HNSW":
        index = faiss.IndexHNSWFlat(base.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT)
    else:
        index = faiss.IndexHNSWSQ(base.shape[1], faiss.ScalarQuantizer.QT_8bit, LINKS, faiss.METRIC_INNER_PRODUCT)
        index.train(base)
    index.hnsw.efConstruction = BUILD
    faiss.omp_set_num_threads(arguments.build_threads)
    seconds = build(lambda: index.add(base))
    faiss.omp_set_num_threads(1)
    size = base.shape[1] * (4 if factory == "HNSW" else 1)

    def effort(e):
        index.hnsw.efSearch = e

    row = points(effort, lambda q: index.search(q[None], 10)[1][0], queries, truth)
    return {"buildSeconds": seconds, "memory": len(base) * (size + LINKS * 2 * 4 + 16), "points": row}


def run_usearch(base, queries, truth, dtype):
    index = usearch.index.Index(ndim=base.shape[1], metric="cos" if dtype == "i8" else "ip", dtype=dtype, connectivity=LINKS, expansion_add=BUILD)
    keys = np.arange(len(base))
    seconds = build(lambda: index.add(keys, base, threads=arguments.build_threads))

    def effort(e):
        index.expansion_search = e

    row = points(effort, lambda q: index.search(q, 10, threads=1).keys, queries, truth)
    return {"buildSeconds": seconds, "memory": int(index.memory_usage), "points": row}


def run_faiss_flat(base, queries, truth):
    index = faiss.IndexFlatIP(base.shape[1])
    index.add(base)
    few = queries[:100]
    recall, speed = timed(lambda q: index.search(q[None], 10)[1][0], few, truth)
    start = time.process_time()
    index.search(np.ascontiguousarray(queries[:320]), 10)
    batch = 320 / (time.process_time() - start) if len(queries) >= 320 else 0
    print(f"  faiss scan of {len(base)}: {speed:.0f}/s one at a time, {batch:.0f}/s in one batch of 320", flush=True)
    return {"memory": base.nbytes, "points": [{"effort": 10, "recall": recall, "queriesPerSecond": speed}]}


def run_sqlite_vec(base, queries, truth):
    # Python's own sqlite3 is often built without extensions.
    db = apsw.Connection(":memory:")
    db.enable_load_extension(True)
    db.load_extension(sqlite_vec.loadable_path())
    db.execute(f"CREATE VIRTUAL TABLE v USING vec0(e float[{base.shape[1]}] distance_metric=cosine)")
    start = time.process_time()
    with db:
        db.executemany("INSERT INTO v(rowid, e) VALUES (?, ?)", ((i, row.tobytes()) for i, row in enumerate(base)))
    seconds = time.process_time() - start
    search = lambda q: [r[0] for r in db.execute("SELECT rowid FROM v WHERE e MATCH ? AND k = 10", (q.tobytes(),))]
    recall, speed = timed(search, queries[:20], truth)
    return {"buildSeconds": seconds, "memory": base.nbytes, "points": [{"effort": 10, "recall": recall, "queriesPerSecond": speed}]}


PEERS = {
    "hnswlib": run_hnswlib,
    "faiss HNSW": run_faiss,
    "faiss HNSW SQ8": lambda b, q, t: run_faiss(b, q, t, "SQ8"),
    "usearch f16": lambda b, q, t: run_usearch(b, q, t, "f16"),
    "usearch i8": lambda b, q, t: run_usearch(b, q, t, "i8"),
    "faiss scan": run_faiss_flat,
    "sqlite-vec": run_sqlite_vec,
}


def mneme(*more):
    command = [arguments.mneme, "bench", "index", arguments.vectors, "--queries", str(arguments.queries), "--sizes", *map(str, arguments.sizes), *more]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


data = np.load(arguments.vectors, mmap_mode="r")
queries = np.ascontiguousarray(data[-arguments.queries:])
print("Mneme before:\n" + mneme(), flush=True)
rows = []
for size in arguments.sizes:
    base = np.ascontiguousarray(data[:size])
    exact = faiss.IndexFlatIP(base.shape[1])
    exact.add(base)
    truth = exact.search(queries, 10)[1]
    del exact
    for name, run in PEERS.items():
        if arguments.only and name not in arguments.only or name == "sqlite-vec" and size > 100_000:
            continue
        print(f"  {name}, {size} vectors", flush=True)
        rows.append({"name": name, "size": size, **run(base, queries, truth)})
with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as file:
    json.dump(rows, file)
print("\nMneme after, and the others:\n" + mneme("--peers", file.name, *(["--plot", arguments.plot] if arguments.plot else [])))
os.unlink(file.name)
