"""Golden values of learning from attempts (LOOP): the tiny llama and adapter of make_golden_train.py, six attempts at two
tasks with rewards and probabilities of before, the clipped objective of PPO with leave-one-out advantages, and its
gradients by torch's autograd.

    python scripts/make_golden_rollout.py Tests/MnemeTrainTests/Golden
"""
import json
import os
import sys

import torch
from golden_training import TARGETS, learned, tiny_llama
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

out = sys.argv[1]
torch.manual_seed(17)
torch.set_num_threads(1)
model = get_peft_model(tiny_llama(out), LoraConfig(r=4, lora_alpha=8, target_modules=TARGETS, lora_dropout=0.0))
found = model.load_state_dict(
    {k.replace(".weight", ".default.weight"): v for k, v in load_file(f"{out}/adapter.safetensors").items()}, strict=False)
assert not found.unexpected_keys and not [k for k in found.missing_keys if "lora" in k]
parameters, values = learned(model)
rewards = [[1.0, 0.0, 0.25], [0.0, 0.5, 1.0]]
clip, attempts = 0.2, []
for task in rewards:
    for i, reward in enumerate(task):
        others = task[:i] + task[i + 1:]
        tokens = [int(t) for t in torch.randint(0, 101, (int(torch.randint(9, 17, (1,))),))]
        # Told, written, told, written.
        written = [3 <= p < 6 or p >= len(tokens) - 2 for p in range(len(tokens))]
        attempts.append({"tokens": tokens, "written": written, "reward": reward,
                         "advantage": reward - sum(others) / len(others)})


def log_probabilities(attempt):
    ids = torch.tensor([attempt["tokens"]])
    logs = torch.log_softmax(model(input_ids=ids).logits[0, :-1], dim=-1)
    every = logs.gather(1, ids[0, 1:, None])[:, 0]
    return every[torch.tensor(attempt["written"][1:])]


total, objective, clipped = 0, 0.0, 0
for attempt in attempts:
    now = log_probabilities(attempt)
    # Ratios on both sides of the clip, and between.
    before = (now + 0.3 * torch.randn_like(now)).detach()
    attempt["before"] = [float(b) for b in before]
    ratio = torch.exp(now - torch.tensor(attempt["before"]))
    a = attempt["advantage"]
    objective = objective + torch.minimum(ratio * a, torch.clamp(ratio, 1 - clip, 1 + clip) * a).sum()
    clipped += int(((ratio > 1 + clip) if a > 0 else (ratio < 1 - clip)).sum())
    total += len(before)
(-objective / total).backward()
os.makedirs(f"{out}/rollout", exist_ok=True)
save_file(values(lambda p: p.grad), f"{out}/rollout/gradients.safetensors")
with open(f"{out}/rollout/golden.json", "w") as f:
    json.dump({"clip": clip, "rewards": rewards, "attempts": attempts, "clipped": clipped}, f, indent=1)
print(clipped, total, float(objective.detach()))
