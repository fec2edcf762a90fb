"""Golden values of a side network beside a frozen model (Quantized Side Tuning): the tiny llama of make_golden_train.py with
a network of width 16, its loss, gradients and ten AdamW steps, by torch and transformers.

    python scripts/make_golden_side.py Tests/MnemeTrainTests/Golden

What is fixed are signs drawn by SplitMix64; nothing is learned by gradients through the model.
"""
import sys

import torch
from golden_training import loss_of, random_sequences, ten_steps, tiny_llama

out, seed, width = sys.argv[1], 5, 16
torch.manual_seed(19)
torch.set_num_threads(1)
model = tiny_llama(out)
for p in model.parameters():
    p.requires_grad = False
layers, hidden = model.config.num_hidden_layers, model.config.hidden_size


def mixed(z):
    mask = (1 << 64) - 1
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return z ^ (z >> 31)


def signs(row):
    bits = [mixed(mixed(seed) ^ (row << 20 | i // 64)) >> (i % 64) & 1 for i in range(hidden)]
    return [(1.0 if b else -1.0) / hidden ** 0.5 for b in bits]


projections = [torch.tensor([signs(layer * width + j) for j in range(width)]) for layer in range(layers)]
learned = {}
for layer in range(layers):
    learned[f"side.layers.{layer}.up"] = torch.nn.Parameter(0.3 * torch.randn(2 * width, width))
    learned[f"side.layers.{layer}.down"] = torch.nn.Parameter(0.2 * torch.randn(width, 2 * width))
    learned[f"side.layers.{layer}.mix"] = torch.nn.Parameter(0.5 + 0.1 * torch.randn(1))
learned["side.output"] = torch.nn.Parameter(0.1 * torch.randn(hidden, width))
states = []
for layer in model.model.layers:
    layer.register_forward_hook(lambda m, i, o: states.append(o[0] if isinstance(o, tuple) else o))


def rms(h):
    return h.pow(2).mean(-1, keepdim=True).sqrt()


def logits(ids):
    states.clear()
    with torch.no_grad():
        model(input_ids=ids)
    g = torch.zeros(*ids.shape, width)
    for layer, h in enumerate(states):
        beta = learned[f"side.layers.{layer}.mix"]
        u = (1 - beta) * ((h / rms(h)) @ projections[layer].T) + beta * g
        g = u + torch.relu(u @ learned[f"side.layers.{layer}.up"].T) @ learned[f"side.layers.{layer}.down"].T
    h = states[-1] + rms(states[-1]) * (g @ learned["side.output"].T)
    return model.lm_head(model.model.norm(h))


sequences = random_sequences()
ten_steps(
    list(learned.values()), lambda: loss_of(logits, sequences),
    lambda of: {k: of(p).detach().clone().contiguous() for k, p in learned.items()}, f"{out}/side", sequences)
