"""Golden values of training: a tiny random Llama, its loss, the gradients of all LoRA factors, and
ten AdamW steps, by torch, transformers and peft.

    python scripts/make_golden_train.py Tests/MnemeTrainTests/Golden

Writes a model folder (weights in bfloat16, computed in float32), an adapter in PEFT's files, its
gradients and its values after ten steps as safetensors, and golden.json.
"""
import os
import sys

import torch
from golden_training import TARGETS, learned, loss_of, random_sequences, round_and_save, ten_steps
from peft import LoraConfig, get_peft_model
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
round_and_save(model, f"{out}/tiny", "llama")
model = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules=TARGETS, lora_dropout=0.0))
for name, p in model.named_parameters():
    if "lora_B" in name:  # zero else, and then A has no gradient
        p.data = 0.1 * torch.randn_like(p)
parameters, values = learned(model)
sequences = random_sequences()
ten_steps(parameters, lambda: loss_of(lambda ids: model(input_ids=ids).logits, sequences), values, out, sequences)
