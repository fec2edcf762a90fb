#!/usr/bin/env python3
"""Fits the weights of `SimilarityModel` (Sources/MnemeCache/Words/SimilarityModel.swift) on pairs of questions.

    python3 scripts/make_cache_data.py dev > dev.jsonl
    mneme cache eval dev.jsonl --pairs > pairs.jsonl
    python3 scripts/fit_cache.py pairs.jsonl

A logistic regression by Newton's method (numpy) over cosine, shared words and shared letters. Pairs that ask the same, and
near misses: those whose cosine is above a half. Prints the weights in the order of the source, and how well they part the pairs.
"""
import json
import sys

import numpy as np

if len(sys.argv) != 2:
    sys.exit(__doc__)
with open(sys.argv[1], encoding="utf-8") as file:
    pairs = [json.loads(line) for line in file if line.strip()]
pairs = [p for p in pairs if p["same"] or p["cosine"] > 0.5]
features = np.array([[p["cosine"], p["words"], p["letters"], 1] for p in pairs])
same = np.array([float(p["same"]) for p in pairs])
weights = np.zeros(4)
for _ in range(30):
    guess = 1 / (1 + np.exp(-features @ weights))
    curvature = (features.T * (guess * (1 - guess))) @ features + 1e-3 * np.eye(4)
    weights -= np.linalg.solve(curvature, features.T @ (guess - same) + 1e-3 * weights)
print("cosine, words, letters, bias:", ", ".join(f"{w:.1f}" for w in weights))
guess = 1 / (1 + np.exp(-features @ weights))
for threshold in (0.3, 0.5, 0.7, 0.9):
    taken = guess >= threshold
    print(f"at {threshold}: precision {same[taken].mean():.3f}, recall {same[taken].sum() / same.sum():.3f}")
for threshold in (0.8, 0.9, 0.95):
    taken = features[:, 0] >= threshold
    print(f"cosine {threshold}: precision {same[taken].mean():.3f}, recall {same[taken].sum() / same.sum():.3f}")
