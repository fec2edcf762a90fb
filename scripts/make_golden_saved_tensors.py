"""Golden values of training with some of the gate's channels: loss and gradients of the tiny Llama of
make_golden_train.py whose feed-forward uses the half of each token's channels with the largest gates (Mixture of
Channels, Wu et al. 2025), by torch, transformers and peft.

    python scripts/make_golden_saved_tensors.py Tests/MnemeTrainTests/Golden

Reads tiny/, adapter.safetensors and golden.json there; writes topchannels.safetensors and topchannels.json.
"""
import json
import sys

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import LlamaForCausalLM

SHARE = 0.5
out = sys.argv[1]
torch.set_num_threads(1)
model = LlamaForCausalLM.from_pretrained(f"{out}/tiny", dtype=torch.float32)


def few_channels(mlp):
    def forward(x):
        gate, up = mlp.gate_proj(x), mlp.up_proj(x)
        count = int(gate.shape[-1] * SHARE)
        mask = torch.zeros_like(gate).scatter(-1, gate.topk(count, dim=-1).indices, 1.0)
        return mlp.down_proj(torch.nn.functional.silu(gate) * up * mask)
    return forward


targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
model = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules=targets, lora_dropout=0.0))
values = load_file(f"{out}/adapter.safetensors")
for name, p in model.named_parameters():
    if p.requires_grad:
        p.data = values[name.replace(".default", "")].clone()
for layer in model.base_model.model.model.layers:
    layer.mlp.forward = few_channels(layer.mlp)

with open(f"{out}/golden.json") as f:
    sequences = json.load(f)["sequences"]
count = sum(len(s["tokens"]) - s["prompt"] for s in sequences)
total = 0.0
for s in sequences:
    ids = torch.tensor([s["tokens"]])
    labels = ids.clone()
    labels[:, :s["prompt"]] = -100
    total = total + model(input_ids=ids, labels=labels).loss * (len(s["tokens"]) - s["prompt"])
loss = total / count
loss.backward()
save_file({n.replace(".default", ""): p.grad.clone().contiguous() for n, p in model.named_parameters() if p.requires_grad},
          f"{out}/topchannels.safetensors")
with open(f"{out}/topchannels.json", "w") as f:
    json.dump({"share": SHARE, "loss": loss.item()}, f)
print(loss.item())
