"""Golden values of training: a tiny random Llama, its loss, the gradients of all LoRA factors, and
ten AdamW steps, by torch, transformers and peft.

    python scripts/make_golden_train.py Tests/MnemeTrainTests/Golden

Writes a model folder (weights in bfloat16, computed in float32), an adapter in PEFT's files, its
gradients and its values after ten steps as safetensors, and golden.json.
"""
import json
import os
import sys

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

out = sys.argv[1]
os.makedirs(out, exist_ok=True)
torch.manual_seed(7)
torch.set_num_threads(1)
# A vocabulary that no tile divides, grouped queries, and odd lengths.
config = LlamaConfig(
    vocab_size=101, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=256, rms_norm_eps=1e-5, rope_theta=10000.0,
    tie_word_embeddings=True, initializer_range=0.15)
model = LlamaForCausalLM(config)
for name, p in model.named_parameters():
    if "norm" in name:
        p.data = 1 + 0.2 * torch.randn_like(p)
    p.data = p.data.to(torch.bfloat16).to(torch.float32)
folder = f"{out}/tiny"
os.makedirs(folder, exist_ok=True)
weights = {k: v.to(torch.bfloat16).contiguous() for k, v in model.state_dict().items() if k != "lm_head.weight"}
save_file(weights, f"{folder}/model.safetensors", metadata={"format": "pt"})
settings = {k: getattr(config, k) for k in (
    "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
    "num_key_value_heads", "max_position_embeddings", "rms_norm_eps", "hidden_act")}
with open(f"{folder}/config.json", "w") as f:
    json.dump({"model_type": "llama", "rope_theta": 10000.0, "tie_word_embeddings": True, **settings}, f, indent=1)

targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
model = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules=targets, lora_dropout=0.0))
for name, p in model.named_parameters():
    if "lora_B" in name:  # zero else, and then A has no gradient
        p.data = 0.1 * torch.randn_like(p)


def factors(of):
    return {n.replace(".default", ""): of(p).detach().clone().contiguous()
            for n, p in model.named_parameters() if p.requires_grad}


save_file(factors(lambda p: p), f"{out}/adapter.safetensors")
sequences = [([int(t) for t in torch.randint(0, 101, (45,))], 1), ([int(t) for t in torch.randint(0, 101, (23,))], 9)]
count = sum(len(s) - p for s, p in sequences)


def loss():
    total = 0.0
    for tokens, prompt in sequences:
        ids = torch.tensor([tokens])
        logits = model(input_ids=ids).logits[0, :-1]
        total = total + torch.nn.functional.cross_entropy(logits[prompt - 1:], ids[0, 1:][prompt - 1:], reduction="sum")
    return total / count


first = loss()
first.backward()
save_file(factors(lambda p: p.grad), f"{out}/gradients.safetensors")
norm = float(torch.nn.utils.clip_grad_norm_(model.parameters(), 1e9))
optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=5e-3, betas=(0.9, 0.999), eps=1e-8,
                              weight_decay=0.01)
losses = []
for _ in range(10):
    optimizer.zero_grad()
    value = loss()
    value.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    losses.append(float(value))
save_file(factors(lambda p: p), f"{out}/trained.safetensors")
with open(f"{out}/golden.json", "w") as f:
    json.dump({"sequences": [{"tokens": s, "prompt": p} for s, p in sequences], "norm": norm, "losses": losses,
               "last": float(loss())}, f, indent=1)
print(losses, norm, float(loss()))
