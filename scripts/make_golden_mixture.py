#!/usr/bin/env python3
"""Golden values of Tests/MnemeRecipesTests/GaussianPairTests.swift, by scikit-learn's GaussianMixture.

    python3 scripts/make_golden_mixture.py

Needs numpy and scikit-learn. The numbers are made by a rule that Swift repeats; the start is the test's: quartiles, the
variance of all, equal weights.
"""
import numpy as np
from sklearn.mixture import GaussianMixture


def numbers(seed, count, low, high, share):
    """Pseudo-random numbers around two means: sums of twelve uniform ones of a linear congruential generator."""
    state, values = seed, []
    for i in range(count):
        total = 0.0
        for _ in range(12):
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            total += (state >> 11) / 2**53
        mean, width = high if i % share == 0 else low
        values.append(mean + width * (total - 6))
    return np.array(values)


for name, seed, count, low, high, share in [
        ("apart", 1, 200, (0.2, 0.05), (0.8, 0.08), 5), ("near", 2, 300, (0.3, 0.1), (0.5, 0.05), 3),
        ("one", 3, 200, (0.4, 0.1), (0.4, 0.1), 2)]:
    x = numbers(seed, count, low, high, share)
    ordered = np.sort(x)
    means = [[ordered[count // 4]], [ordered[count * 3 // 4]]]
    start = np.full((2, 1, 1), 1 / (x.var() + 1e-6))
    two = GaussianMixture(2, means_init=means, precisions_init=start, weights_init=[.5, .5], tol=1e-6, max_iter=200)
    two.fit(x[:, None])
    one = GaussianMixture(1, tol=1e-6).fit(x[:, None])
    m, v, w = two.means_[:, 0], two.covariances_[:, 0, 0], two.weights_
    print(f"{name}: n_iter {two.n_iter_}, weights {w.tolist()}, means {m.tolist()}, variances {v.tolist()}, "
          f"membership of 0.45 {two.predict_proba([[0.45]])[0].tolist()}, bic {two.bic(x[:, None])} {one.bic(x[:, None])}, "
          f"lower bound {two.lower_bound_}")
