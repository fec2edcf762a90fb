"""Golden values of an embedder's training: a tiny random BERT with LoRA factors, the contrastive loss of five pairs with
hard negatives, the gradients of all factors, ten AdamW steps, and the merged weights, by torch, transformers and peft.

    python scripts/make_golden_encoder_training.py Tests/MnemeTrainTests/Golden

Writes the folder of the model (weights in bfloat16, computed in float32; mean pooling and a dense layer with tanh behind
it), an adapter in PEFT's names, its gradients and values after ten steps as safetensors, and encoder.json. Losses are also
those of the model without the dense layer.
"""
import json
import os
import sys

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy, normalize
from transformers import BertConfig, BertModel

out = sys.argv[1]
folder = f"{out}/tinybert"
os.makedirs(f"{folder}/1_Pooling", exist_ok=True)
os.makedirs(f"{folder}/2_Dense", exist_ok=True)
torch.manual_seed(11)
torch.set_num_threads(1)

letters = [chr(c) for c in range(ord("a"), ord("z") + 1)] + [str(d) for d in range(10)]
vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + letters + ["##" + x for x in letters]
vocabulary += [".", ",", "?", "'", "-", "the", "is", "who", "where", "what", "lives", "in", "boat", "has", "does", "of",
               "and", "a", "number", "harbour", "red", "blue", "green", "old"]
vocabulary = list(dict.fromkeys(vocabulary))
with open(f"{folder}/vocab.txt", "w") as f:
    f.write("\n".join(vocabulary) + "\n")
config = BertConfig(
    vocab_size=len(vocabulary), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
    max_position_embeddings=96, type_vocab_size=2, layer_norm_eps=1e-12, hidden_dropout_prob=0.0,
    attention_probs_dropout_prob=0.0, initializer_range=0.15)
model = BertModel(config, add_pooling_layer=False)
for name, p in model.named_parameters():
    if "LayerNorm.weight" in name:
        p.data = 1 + 0.2 * torch.randn_like(p)
    elif "bias" in name:
        p.data = 0.1 * torch.randn_like(p)
    p.data = p.data.to(torch.bfloat16).to(torch.float32)
dense = torch.nn.Linear(64, 48)
for p in dense.parameters():
    p.data = p.data.to(torch.bfloat16).to(torch.float32)
    p.requires_grad = False


def halves(state):
    return {k: v.to(torch.bfloat16).contiguous() for k, v in state.items() if v.is_floating_point()}


save_file(halves(model.state_dict()), f"{folder}/model.safetensors", metadata={"format": "pt"})
save_file(halves({f"linear.{k}": v for k, v in dense.state_dict().items()}), f"{folder}/2_Dense/model.safetensors")


def write(name, value):
    with open(f"{folder}/{name}", "w") as file:
        json.dump(value, file, indent=1)
        file.write("\n")


keys = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
        "max_position_embeddings", "type_vocab_size", "layer_norm_eps", "hidden_act")
write("config.json", {"model_type": "bert", **{k: getattr(config, k) for k in keys}})
kind = "sentence_transformers.models."
write("modules.json", [
    {"idx": 0, "name": "0", "path": "", "type": kind + "Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": kind + "Pooling"},
    {"idx": 2, "name": "2", "path": "2_Dense", "type": kind + "Dense"},
    {"idx": 3, "name": "3", "path": "3_Normalize", "type": kind + "Normalize"}])
write("1_Pooling/config.json", {"word_embedding_dimension": 64, "pooling_mode_mean_tokens": True})
write("2_Dense/config.json", {"in_features": 64, "out_features": 48, "bias": True,
                              "activation_function": "torch.nn.modules.activation.Tanh"})

model = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules=["query", "key", "value", "dense"], lora_dropout=0.0))
for name, p in model.named_parameters():
    if "lora_B" in name:  # zero else, and then A has no gradient
        p.data = 0.1 * torch.randn_like(p)


def factors(of):
    return {n.replace(".default", ""): of(p).detach().clone().contiguous()
            for n, p in model.named_parameters() if p.requires_grad}


first = factors(lambda p: p)
save_file(first, f"{out}/encoder_adapter.safetensors")
lengths = [[7, 12, 33, 5, 9], [21, 45, 3, 40, 16, 11, 8, 64, 30, 6]]
questions, texts = ([[int(t) for t in torch.randint(5, len(vocabulary), (n,))] for n in part] for part in lengths)


def vector(tokens, has_dense):
    state = model(input_ids=torch.tensor([tokens])).last_hidden_state[0].mean(dim=0)
    return normalize(torch.tanh(dense(state)) if has_dense else state, dim=0)


def loss(has_dense):
    q, t = (torch.stack([vector(x, has_dense) for x in part]) for part in (questions, texts))
    scores, own = 20.0 * q @ t.T, torch.arange(len(questions))
    return (cross_entropy(scores, own) + cross_entropy(scores[:, :len(questions)].T, own)) / 2


result = {"questions": questions, "texts": texts}
for has_dense in (False, True):
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.requires_grad:
                p.copy_(first[name.replace(".default", "")])
    model.zero_grad()
    loss(has_dense).backward()
    if has_dense:
        save_file(factors(lambda p: p.grad), f"{out}/encoder_gradients.safetensors")
    norm = float(torch.nn.utils.clip_grad_norm_(model.parameters(), 1e9))
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=2e-3, betas=(0.9, 0.999),
                                  eps=1e-8, weight_decay=0.01)
    losses = []
    for _ in range(10):
        optimizer.zero_grad()
        value = loss(has_dense)
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(float(value))
    result["dense" if has_dense else "plain"] = {"norm": norm, "losses": losses, "last": float(loss(has_dense))}
save_file(factors(lambda p: p), f"{out}/encoder_trained.safetensors")
with torch.no_grad():
    result["vector"] = [float(x) for x in vector(texts[1], True)]
    merged = model.merge_and_unload().state_dict()
    name = "encoder.layer.1.output.dense.weight"
    result["merged"] = {"name": name, "row": [float(x) for x in merged[name][5]]}
with open(f"{out}/encoder.json", "w") as f:
    json.dump(result, f, indent=1)
    f.write("\n")
print({k: result[k] for k in ("plain", "dense")}, len(vocabulary))
