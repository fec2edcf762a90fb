#!/usr/bin/env python3
"""Fits the fusion weights of recall and prints them with their leave-one-conversation-out quality.

    mneme bench locomo LOCOMO.json --features features.jsonl
    python3 scripts/fit_fusion.py features.jsonl

A linear ranker: softmax over all turns of a conversation, cross-entropy against the evidence turns,
L2 penalty. Each conversation is judged by weights fitted on the others; the printed weights are the mean
over the folds. They go into Sources/MnemeRecipes/Standard/FusionRanker.swift. Needs: numpy, torch.
"""
import json, sys
import numpy as np, torch

rows = [json.loads(line) for line in open(sys.argv[1])]
penalty = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0005
names = rows[0]["names"]
fitted = [i for i, n in enumerate(names) if n != "latest"]
for r in rows: r["x"] = np.array(r["features"], dtype=np.float32)[:, fitted]
groups = sorted({r["conversation"] for r in rows})

def fit(part):
    n = max(len(r["x"]) for r in part)
    x = torch.zeros(len(part), n, len(fitted)); mask = torch.full((len(part), n), -1e9); y = torch.zeros(len(part), n)
    for i, r in enumerate(part):
        x[i, :len(r["x"])] = torch.from_numpy(r["x"]); mask[i, :len(r["x"])] = 0; y[i, r["evidence"]] = 1 / len(r["evidence"])
    w = torch.zeros(len(fitted), requires_grad=True)
    optimizer = torch.optim.LBFGS([w], max_iter=80, line_search_fn="strong_wolfe")
    def closure():
        optimizer.zero_grad()
        loss = -(y * torch.log_softmax(x @ w + mask, 1)).sum(1).mean() + penalty * (w ** 2).sum()
        loss.backward(); return loss
    optimizer.step(closure)
    return w.detach().numpy()

outcomes, weights = [], []
for held_out in groups:
    w = fit([r for r in rows if r["conversation"] != held_out]); weights.append(w)
    for r in (r for r in rows if r["conversation"] == held_out):
        order = np.argsort(-(r["x"] @ w), kind="stable"); evidence = set(r["evidence"])
        outcomes.append((r["category"], *(bool(evidence & set(order[:k].tolist())) for k in (1, 5, 10)), evidence <= set(order[:10].tolist())))
a = np.array(outcomes, float)
for c in (None, 1, 2, 3, 4):
    g = a if c is None else a[a[:, 0] == c]
    print(f"{'all' if c is None else c}: {len(g)} questions  any@1 {g[:,1].mean():.3f}  any@5 {g[:,2].mean():.3f}  any@10 {g[:,3].mean():.3f}  all@10 {g[:,4].mean():.3f}")
mean = np.mean(weights, 0)
print(", ".join(f"{names[i]} {mean[j]:.2f}" for j, i in enumerate(fitted)))
