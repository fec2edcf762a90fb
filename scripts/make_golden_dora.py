"""Golden values of training rows' lengths beside low-rank terms (DoRA): a tiny random llama and qwen2, their loss, the
gradients of all parameters, and ten AdamW steps, by torch, transformers and peft.

    python scripts/make_golden_dora.py Tests/MnemeTrainTests/Golden

The llama is that of make_golden_train.py; the qwen2, which has biases, is written beside it. For each there are an adapter
in PEFT's files, its gradients and its values after ten steps as safetensors, and golden.json.
"""
import sys

import torch
from golden_training import TARGETS, learned, loss_of, random_sequences, round_and_save, ten_steps, tiny_llama
from peft import LoraConfig, get_peft_model
from transformers import Qwen2Config, Qwen2ForCausalLM

out = sys.argv[1]
torch.set_num_threads(1)


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
    round_and_save(model, f"{out}/dora-qwen2/tiny", "qwen2")
    return model


for family, make, rank in (("llama", lambda: tiny_llama(out), 4), ("qwen2", qwen2, 3)):
    torch.manual_seed(11)
    model = get_peft_model(make(), LoraConfig(
        r=rank, lora_alpha=2 * rank, target_modules=TARGETS, lora_dropout=0.0, use_dora=True))
    for name, p in model.named_parameters():
        if "lora_B" in name:  # zero else, and then A has no gradient
            p.data = 0.1 * torch.randn_like(p)
        if "lora_magnitude" in name:  # as long as W's rows else
            p.data = p.data * (1 + 0.1 * torch.randn_like(p))
    parameters, values = learned(model)
    sequences = random_sequences()
    ten_steps(
        parameters, lambda: loss_of(lambda ids: model(input_ids=ids).logits, sequences), values,
        f"{out}/dora-{family}", sequences)
