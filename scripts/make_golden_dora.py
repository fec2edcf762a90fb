"""Golden values of training rows' lengths beside low-rank terms (DoRA): a tiny random llama and qwen2, their loss, the
gradients of all parameters, and ten AdamW steps, by torch, transformers and peft.

    python scripts/make_golden_dora.py Tests/MnemeTrainTests/Golden

The llama is that of make_golden_train.py; the qwen2, which has biases, is written beside it. For each there are an adapter
in PEFT's files, its gradients and its values after ten steps as safetensors, and golden.json.
"""
import json
import os
import sys

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

out = sys.argv[1]
torch.set_num_threads(1)
targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def llama():
    settings = json.load(open(f"{out}/tiny/config.json"))
    model = LlamaForCausalLM(LlamaConfig(**{k: v for k, v in settings.items() if k != "model_type"}))
    weights = {k: v.float() for k, v in load_file(f"{out}/tiny/model.safetensors").items()}
    model.load_state_dict(weights, strict=False)
    model.tie_weights()
    return model


def qwen2():
    config = Qwen2Config(
        vocab_size=101, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=256, rms_norm_eps=1e-5, rope_theta=10000.0,
        tie_word_embeddings=True, initializer_range=0.15)
    model = Qwen2ForCausalLM(config)
    for name, p in model.named_parameters():
        if "norm" in name:
            p.data = 1 + 0.2 * torch.randn_like(p)
        if "bias" in name:
            p.data = 0.5 * torch.randn_like(p)
        p.data = p.data.to(torch.bfloat16).to(torch.float32)
    folder = f"{out}/dora-qwen2/tiny"
    os.makedirs(folder, exist_ok=True)
    weights = {k: v.to(torch.bfloat16).contiguous() for k, v in model.state_dict().items() if k != "lm_head.weight"}
    save_file(weights, f"{folder}/model.safetensors", metadata={"format": "pt"})
    settings = {k: getattr(config, k) for k in (
        "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
        "num_key_value_heads", "max_position_embeddings", "rms_norm_eps", "hidden_act")}
    with open(f"{folder}/config.json", "w") as f:
        json.dump({"model_type": "qwen2", "rope_theta": 10000.0, "tie_word_embeddings": True, **settings}, f, indent=1)
    return model


for family, make, rank in (("llama", llama, 4), ("qwen2", qwen2, 3)):
    torch.manual_seed(11)
    folder = f"{out}/dora-{family}"
    os.makedirs(folder, exist_ok=True)
    model = get_peft_model(make(), LoraConfig(
        r=rank, lora_alpha=2 * rank, target_modules=targets, lora_dropout=0.0, use_dora=True))
    for name, p in model.named_parameters():
        if "lora_B" in name:  # zero else, and then A has no gradient
            p.data = 0.1 * torch.randn_like(p)
        if "lora_magnitude" in name:  # as long as W's rows else
            p.data = p.data * (1 + 0.1 * torch.randn_like(p))

    def values(of):
        return {n.replace(".default", "").replace("vector.weight", "vector"): of(p).detach().clone().contiguous()
                for n, p in model.named_parameters() if p.requires_grad}

    save_file(values(lambda p: p), f"{folder}/adapter.safetensors")
    sequences = [([int(t) for t in torch.randint(0, 101, (45,))], 1), ([int(t) for t in torch.randint(0, 101, (23,))], 9)]
    count = sum(len(s) - p for s, p in sequences)

    def loss():
        total = 0.0
        for tokens, prompt in sequences:
            ids = torch.tensor([tokens])
            logits = model(input_ids=ids).logits[0, :-1]
            total = total + torch.nn.functional.cross_entropy(
                logits[prompt - 1:], ids[0, 1:][prompt - 1:], reduction="sum")
        return total / count

    loss().backward()
    save_file(values(lambda p: p.grad), f"{folder}/gradients.safetensors")
    norm = float(torch.nn.utils.clip_grad_norm_(model.parameters(), 1e9))
    optimizer = torch.optim.AdamW(
        [p for p in model.parameters() if p.requires_grad], lr=5e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
    losses = []
    for _ in range(10):
        optimizer.zero_grad()
        value = loss()
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(float(value))
    save_file(values(lambda p: p), f"{folder}/trained.safetensors")
    with open(f"{folder}/golden.json", "w") as f:
        json.dump({"sequences": [{"tokens": s, "prompt": p} for s, p in sequences], "norm": norm, "losses": losses,
                   "last": float(loss())}, f, indent=1)
    print(family, losses, norm, float(loss()))
