"""What scripts that make golden values of training have in common: the tiny llama, a batch, its loss, ten AdamW steps."""
import json
import os

import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def round_and_save(model, folder, kind):
    """Weights are rounded to bfloat16, in which they are written; they are computed with in float32."""
    for _, p in model.named_parameters():
        p.data = p.data.to(torch.bfloat16).to(torch.float32)
    os.makedirs(folder, exist_ok=True)
    weights = {k: v.to(torch.bfloat16).contiguous() for k, v in model.state_dict().items() if k != "lm_head.weight"}
    save_file(weights, f"{folder}/model.safetensors", metadata={"format": "pt"})
    settings = {k: getattr(model.config, k) for k in (
        "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
        "num_key_value_heads", "max_position_embeddings", "rms_norm_eps", "hidden_act")}
    with open(f"{folder}/config.json", "w") as f:
        json.dump({"model_type": kind, "rope_theta": 10000.0, "tie_word_embeddings": True, **settings}, f, indent=1)


def tiny_llama(out):
    """The llama of make_golden_train.py, from its files."""
    settings = json.load(open(f"{out}/tiny/config.json"))
    model = LlamaForCausalLM(LlamaConfig(**{k: v for k, v in settings.items() if k != "model_type"}))
    weights = {k: v.float() for k, v in load_file(f"{out}/tiny/model.safetensors").items()}
    model.load_state_dict(weights, strict=False)
    model.tie_weights()
    return model


def random_sequences():
    """Two sequences, with how many of their tokens are prompt."""
    return [([int(t) for t in torch.randint(0, 101, (45,))], 1), ([int(t) for t in torch.randint(0, 101, (23,))], 9)]


def loss_of(logits_of, sequences):
    """The mean -log p of what follows the prompts, from a function of ids that gives logits."""
    count = sum(len(s) - p for s, p in sequences)
    total = 0.0
    for tokens, prompt in sequences:
        ids = torch.tensor([tokens])
        total = total + torch.nn.functional.cross_entropy(
            logits_of(ids)[0, :-1][prompt - 1:], ids[0, 1:][prompt - 1:], reduction="sum")
    return total / count


def ten_steps(parameters, loss, values, folder, sequences):
    """Writes what a training starts from, its gradients, its values after ten steps, and golden.json."""
    os.makedirs(folder, exist_ok=True)
    save_file(values(lambda p: p), f"{folder}/adapter.safetensors")
    loss().backward()
    save_file(values(lambda p: p.grad), f"{folder}/gradients.safetensors")
    norm = float(torch.nn.utils.clip_grad_norm_(parameters, 1e9))
    optimizer = torch.optim.AdamW(parameters, lr=5e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
    losses = []
    for _ in range(10):
        optimizer.zero_grad()
        value = loss()
        value.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        losses.append(float(value.detach()))
    save_file(values(lambda p: p), f"{folder}/trained.safetensors")
    golden = {"sequences": [{"tokens": s, "prompt": p} for s, p in sequences], "norm": norm, "losses": losses,
              "last": float(loss().detach())}
    with open(f"{folder}/golden.json", "w") as f:
        json.dump(golden, f, indent=1)
    print(folder, losses, norm, golden["last"])


def learned(model):
    """The parameters that are learned, and a function that gives them by peft's names."""
    def values(of):
        return {n.replace(".default", "").replace("vector.weight", "vector"): of(p).detach().clone().contiguous()
                for n, p in model.named_parameters() if p.requires_grad}

    return [p for p in model.parameters() if p.requires_grad], values
