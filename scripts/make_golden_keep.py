"""Golden values of staying near the base: KL(base || adapted) over two sequences of the tiny Llama beside the
cross-entropy of a third, and the gradients of all LoRA factors, by torch, transformers and peft.

    python scripts/make_golden_keep.py Tests/MnemeTrainTests/Golden

Reads the model and the adapter that make_golden_train.py wrote there; writes keep.json and keep.safetensors.
"""
import json
import sys

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM

out = sys.argv[1]
torch.manual_seed(11)
torch.set_num_threads(1)
with open(f"{out}/tiny/config.json") as f:
    settings = json.load(f)
settings.pop("model_type")
model = LlamaForCausalLM(LlamaConfig(**settings))
weights = {name: value.float() for name, value in load_file(f"{out}/tiny/model.safetensors").items()}
missing = model.load_state_dict(weights, strict=False)
assert missing.missing_keys == ["lm_head.weight"] and not missing.unexpected_keys, missing
model.tie_weights()
targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
model = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules=targets, lora_dropout=0.0))
values = load_file(f"{out}/adapter.safetensors")
for name, p in model.named_parameters():
    if p.requires_grad:
        p.data = values[name.replace(".default", "")]

learned = ([int(t) for t in torch.randint(0, 101, (31,))], 5)
kept = [([int(t) for t in torch.randint(0, 101, (40,))], 1), ([int(t) for t in torch.randint(0, 101, (19,))], 7)]
ids = torch.tensor([learned[0]])
loss = torch.nn.functional.cross_entropy(model(input_ids=ids).logits[0, :-1][learned[1] - 1:], ids[0, 1:][learned[1] - 1:])
sums, rows = 0.0, 0
for tokens, prompt in kept:
    ids = torch.tensor([tokens])
    with torch.no_grad(), model.disable_adapter():
        base = model(input_ids=ids).logits[0, prompt - 1:].log_softmax(-1)
    adapted = model(input_ids=ids).logits[0, prompt - 1:].log_softmax(-1)
    sums = sums + torch.nn.functional.kl_div(adapted, base, log_target=True, reduction="sum")
    rows += len(base)
divergence, weight = sums / rows, 0.7
(loss + weight * divergence).backward()
gradients = {n.replace(".default", ""): p.grad.contiguous() for n, p in model.named_parameters() if p.requires_grad}
save_file(gradients, f"{out}/keep.safetensors")
with open(f"{out}/keep.json", "w") as f:
    json.dump({"learned": {"tokens": learned[0], "prompt": learned[1]}, "kept": [{"tokens": t, "prompt": p} for t, p in kept],
               "weight": weight, "loss": float(loss), "divergence": float(divergence)}, f, indent=1)
print(float(loss), float(divergence))
