"""Golden values of optimizers that keep less than Adam's state: ten steps on two random matrices.

    python scripts/make_golden_optimizers.py Tests/MnemeTrainTests/Golden/optimizers.json

GaLore is the authors' package galore-torch 1.0, APOLLO and APOLLO-Mini are apollo-torch 1.0.3; their random numbers are replaced by those
of Projector.swift, and singular vectors get the sign that makes their largest component positive. Natural GaLore and FRUGAL have no package:
they are written here after the papers' algorithms. All with rate 0.01, no decay, a new projection every 4 steps. Gradients are those of a
quadratic bowl: (W - T) times a fixed matrix on the left, so that they change with the values.
"""
import json
import math
import sys
import warnings

import apollo_torch.random_projector as random_projector
import torch
from apollo_torch import APOLLOAdamW
from galore_torch import GaLoreAdamW, galore_projector

warnings.filterwarnings("ignore")
MASK, GAP, RATE = 2**64 - 1, 4, 0.01


def mixed(z):
    z = ((z ^ z >> 30) * 0xbf58476d1ce4e5b9) & MASK
    z = ((z ^ z >> 27) * 0x94d049bb133111eb) & MASK
    return z ^ z >> 31


def units(seed):
    state = mixed(seed)
    while True:
        state = (state + 0x9e3779b97f4a7c15) & MASK
        yield (mixed(state) >> 11) * 2.0**-53


def gaussian(shape, seed, device=None, dtype=torch.float32):
    """As Projector.swift draws [rank][short]; the package asks for [short][rank] where the rows are fewer."""
    source = units(seed)
    numbers = [math.sqrt(-2 * math.log(1 - next(source))) * math.cos(2 * math.pi * next(source)) for _ in range(shape[0] * shape[1])]
    if shape[0] > shape[1]:
        return torch.tensor(numbers).reshape(shape[1], shape[0]).t().contiguous()
    return torch.tensor(numbers).reshape(*shape)


random_projector.stable_randn = gaussian
random_projector.next_seed = lambda seed: seed + (1 << 32)
plain = galore_projector.GaLoreProjector.get_orthogonal_matrix


def signed(self, weights, rank, type):
    vectors = plain(self, weights, rank, type)
    rows = vectors if type == "right" else vectors.t()
    largest = rows.gather(1, rows.abs().argmax(1, keepdim=True))
    rows = rows * largest.sign()
    return rows if type == "right" else rows.t()


galore_projector.GaLoreProjector.get_orthogonal_matrix = signed

torch.manual_seed(3)
shapes = [(8, 20), (12, 6)]
starts = [torch.randn(s) for s in shapes]
targets = [torch.randn(s) for s in shapes]
sides = [torch.randn(s[0], s[0]) for s in shapes]
sides = [x @ x.t() / len(x) + 0.1 * torch.eye(len(x)) for x in sides]


def run(step):
    values = [torch.nn.Parameter(x.clone()) for x in starts]
    move = step(values)
    for _ in range(10):
        for v, t, side in zip(values, targets, sides):
            v.grad = (side @ (v.detach() - t))
        move()
    return [v.detach().flatten().tolist() for v in values]


def groups(values, **options):
    return [dict(params=[v], update_proj_gap=GAP, proj_type="std", **{k: f(v) if callable(f) else f for k, f in options.items()}) for v in values]


def galore(values):
    return GaLoreAdamW(groups(values, rank=lambda v: min(v.shape) // 2, scale=0.25), lr=RATE, eps=1e-8, no_deprecation_warning=True).step


def apollo(values):
    return APOLLOAdamW(groups(values, rank=lambda v: max(1, min(v.shape) // 4), scale=1, proj="random", scale_type="channel"),
                       lr=RATE, eps=1e-8).step


def apollomini(values):
    return APOLLOAdamW(groups(values, rank=1, scale=lambda v: min(v.shape), proj="random", scale_type="tensor"), lr=RATE, eps=1e-8).step


def adam(state, g, t):
    m, v = state["m"], state["v"]
    m.mul_(0.9).add_(0.1 * g)
    v.mul_(0.999).add_(0.001 * g * g)
    return (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)


def naturalgalore(values):
    """GaLore's projection; (λI + G·Gᵀ)⁻¹ g by a dense solve over the last four projected gradients; then Adam."""
    projectors = [galore_projector.GaLoreProjector(min(v.shape) // 2, update_proj_gap=GAP, scale=0.25) for v in values]
    states = [{} for _ in values]
    count = [0]

    def step():
        for v, projector, state in zip(values, projectors, states):
            g = projector.project(v.grad, count[0])
            if count[0] % GAP == 0:
                state["past"] = []
            state["past"] = (state["past"] + [g.flatten().double()])[-4:]
            columns = torch.stack(state["past"], 1)
            damping = (columns**2).sum() / 4
            fisher = damping * torch.eye(len(columns), dtype=torch.float64) + columns @ columns.t()
            g = (damping * torch.linalg.solve(fisher, g.flatten().double())).float().reshape(g.shape)
            state.setdefault("m", torch.zeros_like(g)), state.setdefault("v", torch.zeros_like(g))
            v.data -= RATE * projector.project_back(adam(state, g, count[0] + 1))
        count[0] += 1
    return step


def frugal(values):
    """Adam on a quarter of the larger side's columns, drawn anew with new moments every GAP steps; signSGD elsewhere."""
    states = [{} for _ in values]
    count = [0]

    def step():
        for i, (v, state) in enumerate(zip(values, states)):
            turned = v.shape[0] >= v.shape[1]
            g = v.grad.t() if turned else v.grad
            long = g.shape[1]
            if count[0] % GAP == 0:
                source, every = units((i + 1) | (count[0] // GAP) << 32), list(range(long))
                for k in range(long // 4):
                    other = k + int(next(source) * (long - k))
                    every[k], every[other] = every[other], every[k]
                state.update(columns=sorted(every[:long // 4]), m=torch.zeros(len(g), long // 4), v=torch.zeros(len(g), long // 4))
            direction = g.sign()
            direction[:, state["columns"]] = adam(state, g[:, state["columns"]], count[0] % GAP + 1)
            v.data -= RATE * (direction.t() if turned else direction)
        count[0] += 1
    return step


flat = lambda xs: [x.flatten().tolist() for x in xs]
result = {"shapes": shapes, "starts": flat(starts), "targets": flat(targets), "sides": flat(sides), "gap": GAP, "rate": RATE,
          "values": {f.__name__: run(f) for f in (galore, naturalgalore, frugal, apollo, apollomini)}}
with open(sys.argv[1], "w") as out:
    json.dump(result, out, separators=(",", ":"))
