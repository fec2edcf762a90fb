#!/usr/bin/env python3
"""Measures what each paper about keys and values is compared by, and prints a table for docs/kv-policies.md.

    scripts/kv_table.py TEXT --folder FOLDER [--mneme PROGRAM] [--model smollm2] [--quick] [--only 113 79] [--table]

Runs `mneme kv eval` once for each budget and way of asking that papers need (below), with measurements kept in FOLDER:
a run that is stopped goes on where it was. `--quick` takes a text and a question of each kind, to see that all goes through;
`--table` prints what is in FOLDER and measures nothing. `mneme kv eval` shows how long a run still takes.
"""
import argparse
import json
import os
import subprocess
import sys

# Papers by their numbers in CITATIONS.bib: the subjects of a comparison, the budget, and the way of asking.
PLAIN, IN_PROMPT, CHATS, LATER, SUMMARIES = "plain", "in-prompt", "chats", "later", "summaries"
ROWS = [
    (6, "int2 int4 int8 tokenkeys", 0.25, PLAIN),
    (12, "spatten h2o", 0.25, PLAIN),
    (14, "think snapkv", 0.25, PLAIN),
    (18, "compresskv compresskv:uniform snapkv", 0.25, PLAIN),
    (38, "kvmerger h2o", 0.35, PLAIN),
    (39, "blockfloat blockfloat:unordered", 0.25, PLAIN),
    (48, "sentencekv", 0.25, PLAIN),
    (50, "shadowkv shadowkv:lowrank", 0.25, PLAIN),
    (65, "specache", 0.25, PLAIN),
    (75, "attendre window", 0.25, PLAIN),
    (79, "hashevict keynorm random", 0.5, PLAIN),
    (81, "subgen h2o", 0.25, PLAIN),
    (91, "razor razor:drop", 0.3, PLAIN),
    (110, "a2ats a2ats:plain", 0.25, PLAIN),
    (111, "epicache epicache:episodes snapkv", 0.25, LATER),
    (112, "onebit onebit:ends onebit:drop", 0.25, PLAIN),
    (113, "duoattention:gates duoattention duoattention:random", 0.5, PLAIN),
    (115, "roundattention", 0.5, CHATS),
    (122, "pagedeviction h2o", 0.5, PLAIN),
    (124, "elastic h2o streamingllm", 0.5, PLAIN),
    (133, "fastgen:80 fastgen:99", 0.25, PLAIN),
    (134, "retrievalattention retrievalattention:near", 0.25, PLAIN),
    (142, "aqua int2", 0.25, PLAIN),
    (147, "citrus snapkv", 0.25, IN_PROMPT),
    (148, "retroinfer retroinfer:skip", 0.25, PLAIN),
    (156, "compactor compactor:keys compactor:safe", 0.5, PLAIN),
    (166, "windowkv snapkv", 0.12, SUMMARIES),
    (171, "taskkv taskkv:static", 0.25, PLAIN),
    (173, "scissorhands scissorhands+int4 h2o", 0.2, PLAIN),
    (174, "ems ems:evict ems:merge", 0.25, PLAIN),
    (175, "locret h2o", 0.25, IN_PROMPT),
    (176, "mikv+int4 h2o", 0.25, PLAIN),
    (196, "snapkv window", 0.25, PLAIN),
    (209, "minicache minicache:25 minicache:75", 0.25, PLAIN),
    (215, "cake cake:uniform cake:pyramid", 0.25, PLAIN),
    (228, "streamingllm window", 0.25, PLAIN),
    (232, "tim streamingllm", 0.25, PLAIN),
    (236, "d2o h2o", 0.25, PLAIN),
]
WAYS = {
    PLAIN: [],
    IN_PROMPT: ["--evict-in-prompt"],
    CHATS: ["--chats", "10"],
    LATER: ["--evict-in-prompt", "--ask-later", "--chats", "10"],
    SUMMARIES: ["--summaries", "4"],
}

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("text")
arguments.add_argument("--folder", required=True)
arguments.add_argument("--mneme", default="mneme")
arguments.add_argument("--model", default="smollm2")
arguments.add_argument("--prompt", default="1024")
arguments.add_argument("--only", nargs="*", type=int)
arguments.add_argument("--quick", action="store_true")
arguments.add_argument("--table", action="store_true")
options = arguments.parse_args()
rows = [row for row in ROWS if not options.only or row[0] in options.only]
os.makedirs(options.folder, exist_ok=True)

# One run for each budget and way: its prompts are computed once for all subjects.
runs = {}
for _, subjects, budget, way in rows:
    names = runs.setdefault((budget, way), [])
    names += [name for name in subjects.split() if name not in names]
found = {}
for number, ((budget, way), names) in enumerate(runs.items(), 1):
    stem = f"{options.folder}/{way}-{budget}"
    if not options.table:
        print(f"run {number} of {len(runs)}: {len(names)} subjects, budget {budget:.0%}, {way}", file=sys.stderr)
        lengths = ["--windows", "1", "--tail", "16", "--needles", "1"] if options.quick else [
            "--windows", "8", "--tail", "128", "--needles", "10"]
        # Numbers that are asked for at several depths, as where they stand decides who finds them.
        command = [options.mneme, "kv", "eval", options.text, "--model", options.model, "--prompt", options.prompt,
                   "--policy", *names, "--budget", str(budget), *lengths, "--depth", "0.1", "0.3", "0.5", "0.7", "0.9",
                   *WAYS[way], "--output", stem + ".jsonl", "--json"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            raise SystemExit(done.returncode)
        with open(stem + ".json", "w") as file:
            file.write(done.stdout)
    if os.path.exists(stem + ".json"):
        for row in json.load(open(stem + ".json")):
            found[budget, way, row["policy"]] = row

print("| paper | subject | rows | bytes kept | read | perplexity | KL | needle | passkey | what parts say |")
print("|---|---|---|---|---|---|---|---|---|---|")
for paper, subjects, budget, way in rows:
    full = found.get((budget, way, "full"))
    for i, name in enumerate(subjects.split()):
        row = found.get((budget, way, name))
        if not row or not full:
            continue
        said = [f"{key} {value:.3g}" for key, value in sorted(row.get("readings", {}).items())]
        said += [f"{key} {row[key]:.2f}" for key in ("summary", "chat") if row.get(key) is not None]
        print(f"| {paper if i == 0 else ''} | `{name}` | {row['budget']:.0%} | {row['bytes'] / full['bytes']:.0%} "
              f"| {row['readBytes'] / full['readBytes']:.0%} | {row['perplexity'] / full['perplexity'] - 1:+.1%} "
              f"| {row['divergence']:.3f} | {row['needle']:.2f} | {row['passkey']:.2f} | {'; '.join(said)} |")
