#!/usr/bin/env python3
"""Makes the golden values that the tests of adapters compare with. Run once; the output is committed.

    python3 scripts/make_golden_adapters.py Tests/MnemeEngineTests/Golden

Needs: torch, transformers, peft, gguf (CPU). The models are those of tiny.json (make_golden_llm.py). Weights of models and
adapters come from a formula that the tests repeat; logits are PEFT's, and one adapter is written as llama.cpp writes it.
"""
import base64, json, os, sys, tempfile
import gguf, numpy as np, torch, transformers
from peft import LoraConfig, get_peft_model

target = sys.argv[1]
tiny = {m["name"]: m for m in json.load(open(os.path.join(target, "tiny.json")))}


def formula(name, shape, offset):
    state = 0xcbf29ce484222325
    for byte in name.encode():
        state = ((state ^ byte) * 0x100000001b3) & 0xffffffffffffffff
    out = np.empty(int(np.prod(shape)), dtype=np.float32)
    for i in range(out.size):
        state = (state * 6364136223846793005 + 1442695040888963407) & 0xffffffffffffffff
        out[i] = ((state >> 40) / 2**24 - 0.5) * 0.25
    if "norm" in name and not offset:
        out += 1
    return out.reshape(shape)


everything = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
adapters = {
    "all": ("llama", dict(r=4, lora_alpha=8, target_modules=everything)),
    "patterns": ("llama", dict(r=4, lora_alpha=8, use_rslora=True, target_modules=everything,
                               rank_pattern={"q_proj": 6, "model.layers.1.mlp.down_proj": 2},
                               alpha_pattern={"^model.layers.0.self_attn.k_proj": 12, "v_proj": 5})),
    "few": ("qwen3", dict(r=8, lora_alpha=16, target_modules=["q_proj", "v_proj"], layers_to_transform=[1])),
    "joint": ("phi3", dict(r=3, lora_alpha=6, target_modules=["qkv_proj", "o_proj", "gate_up_proj", "down_proj"])),
    "windows": ("gemma3", dict(r=2, lora_alpha=4, target_modules=["q_proj", "k_proj", "o_proj"])),
    "lengths": ("llama", dict(r=4, lora_alpha=8, target_modules=everything, use_dora=True)),
    "lengths-bias": ("qwen2", dict(r=3, lora_alpha=6, use_rslora=True, use_dora=True,
                                   target_modules=["q_proj", "k_proj", "v_proj", "down_proj"])),
    "lengths-joint": ("phi3", dict(r=2, lora_alpha=6, target_modules=["qkv_proj", "gate_up_proj"], use_dora=True)),
    "lengths-windows": ("gemma3", dict(r=2, lora_alpha=4, target_modules=everything, use_dora=True)),
}
result = []
for name, (base, options) in adapters.items():
    golden = tiny[base]
    settings = json.loads(golden["config"])
    config = transformers.AutoConfig.for_model(settings["model_type"], **{k: v for k, v in settings.items() if k != "model_type"})
    config._attn_implementation = "eager"
    model = transformers.AutoModelForCausalLM.from_config(config).eval().float()
    state = model.state_dict()
    for key in golden["shapes"]:
        state[key] = torch.from_numpy(formula(key, state[key].shape, "gemma" in base))
    if config.tie_word_embeddings:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    model.load_state_dict(state)
    ids, rows = torch.tensor([golden["tokens"]]), golden["rows"]
    with torch.no_grad():
        plain = model(ids).logits[0].numpy()[rows]
    assert np.abs(plain.reshape(-1) - np.frombuffer(base64.b64decode(golden["logits"]), np.float32)).max() < 1e-4, base
    adapted = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **options)).eval()
    terms = {}
    with torch.no_grad():
        for key, value in adapted.named_parameters():
            if "lora_" in key:
                key = key.replace(".default", "").replace("vector.weight", "vector")
                # Rows' lengths are about those of the base.
                terms[key] = formula(key, value.shape, True) + np.float32(0.6 if "magnitude" in key else 0)
                value.copy_(torch.from_numpy(terms[key]))
        logits = adapted(ids).logits[0].numpy()[rows]
    print(name, "changes logits by", np.abs(logits - plain).max())
    with tempfile.TemporaryDirectory() as folder:
        adapted.save_pretrained(folder)
        text = open(folder + "/adapter_config.json").read()
    entry = {"name": name, "model": base, "config": text, "shapes": {k: list(v.shape) for k, v in sorted(terms.items())},
             "logits": base64.b64encode(logits.astype(np.float32).tobytes()).decode()}
    if name == "all":
        # As llama.cpp's convert_lora_to_gguf.py writes it: rows of q and k pair after pair, in B alone.
        names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
        with tempfile.TemporaryDirectory() as folder:
            writer = gguf.GGUFWriter(folder + "/a.gguf", "llama")
            writer.add_type("adapter")
            writer.add_string("adapter.type", "lora")
            writer.add_float32("adapter.lora.alpha", float(options["lora_alpha"]))
            for key, value in terms.items():
                module, part = key.removeprefix("base_model.model.").removesuffix(".weight").rsplit(".lora_", 1)
                if part == "B" and module.endswith(("q_proj", "k_proj")):
                    heads = config.num_attention_heads if module.endswith("q_proj") else config.num_key_value_heads
                    value = value.reshape(heads, 2, value.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(value.shape)
                writer.add_tensor(names.get_name(module) + ".weight.lora_" + part.lower(), np.ascontiguousarray(value))
            writer.write_header_to_file(); writer.write_kv_data_to_file(); writer.write_tensors_to_file(); writer.close()
            entry["gguf"] = base64.b64encode(open(folder + "/a.gguf", "rb").read()).decode()
    result.append(entry)
with open(os.path.join(target, "adapters.json"), "w") as out:
    json.dump(result, out, separators=(",", ":"))
