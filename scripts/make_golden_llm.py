#!/usr/bin/env python3
"""Makes the golden values that the language model tests compare with. Run once; the output is committed.

    python3 scripts/make_golden_llm.py SMOLLM2.gguf Tests/MnemeEngineTests/Golden

Needs: gguf, tokenizers, torch, transformers, jinja2 (CPU). Texts are made here from a fixed seed; weights of the tiny
models come from a formula that the tests repeat, so that only their logits are stored.
"""
import base64, json, os, random, sys, unicodedata
import numpy as np

source, target = sys.argv[1:3]
os.makedirs(target, exist_ok=True)
random.seed(20260102)


def write(name, value):
    with open(os.path.join(target, name), "w") as out:
        json.dump(value, out, ensure_ascii=True, separators=(",", ":"))


# Blocks of every quantised type, with the reference's floats.
import gguf
from gguf import GGMLQuantizationType as T

blocks = []
rng = np.random.default_rng(7)
for kind in [T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q8_0, T.Q2_K, T.Q3_K, T.Q4_K, T.Q5_K, T.Q6_K, T.IQ4_NL, T.BF16, T.F16]:
    weights, size = gguf.GGML_QUANT_SIZES[kind]
    count = 256 // weights * (1 if weights < 256 else 2)
    raw = rng.integers(0, 256, (count, size), dtype=np.uint8)
    if kind in (T.BF16, T.F16):
        values = rng.normal(size=count).astype(np.float32)
        raw = (values.astype(np.float16).view(np.uint8) if kind == T.F16 else (values.view(np.uint32) >> 16).astype(np.uint16).view(np.uint8)).reshape(count, 2)
    else:
        # Scales are halves somewhere in the block: make them sound numbers.
        places = {T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0], T.Q2_K: [80, 82], T.Q3_K: [108], T.Q4_K: [0, 2],
                  T.Q5_K: [0, 2], T.Q6_K: [208], T.IQ4_NL: [0]}[kind]
        for place in places:
            raw[:, place:place + 2] = (rng.normal(size=count) * 0.01).astype(np.float16).view(np.uint8).reshape(count, 2)
    floats = gguf.quants.dequantize(raw.reshape(1, -1), kind).astype(np.float32).reshape(-1)
    blocks.append({"type": int(kind), "raw": base64.b64encode(raw.tobytes()).decode(), "floats": base64.b64encode(floats.tobytes()).decode()})
    if floats.size % 32 == 0 and floats.size >= 32:
        blocks[-1]["q8_0"] = base64.b64encode(gguf.quants.quantize(floats.reshape(1, -1), T.Q8_0).tobytes()).decode()
write("blocks.json", blocks)

# Token ids under four sets of pre-tokenizer rules, as a hash for each text.
from tokenizers import Tokenizer, models, pre_tokenizers, Regex, AddedToken

reader = gguf.GGUFReader(source)
field = lambda key: reader.fields[key]
strings = lambda key: [bytes(field(key).parts[i]).decode() for i in field(key).data]
tokens, merges = strings("tokenizer.ggml.tokens"), strings("tokenizer.ggml.merges")
types = [int(field("tokenizer.ggml.token_type").parts[i][0]) for i in field("tokenizer.ggml.token_type").data]
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace("{1,3}", "")
byte_level = lambda regex: pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=regex)
rules = {
    "gpt2": byte_level(True),
    "smollm": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level(True)]),
    "llama3": pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), "isolated"), byte_level(False)]),
    "qwen2": pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(QWEN2), "isolated"), byte_level(False)]),
}
references = {}
for name, rule in rules.items():
    tokenizer = Tokenizer(models.BPE({t: i for i, t in enumerate(tokens)}, [tuple(m.split(" ")) for m in merges], ignore_merges=False))
    tokenizer.pre_tokenizer = rule
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t, k in zip(tokens, types) if k in (3, 4)])
    references[name] = tokenizer
words = ("the of Memory coffee Lisbon don't I'LL they've it's O'Neill x86-64 C++ 3.14 1,000,000 2026-11-21 user@example.org https://a.b/c?d=e#f "
         "naïve Zürich résumé Ελλάδα Москва привет हिन्दी नमस्ते مرحبا שלום 東京 你好 こんにちは 안녕하세요 ไทย Việt İstanbul straße ½ ² № Ⅷ ٣٤ ™ € "
         "👍 👨‍👩‍👧 🇵🇹 ❤️ — … “q” «g» ¿ <|im_start|> <|im_end|> <|endoftext|> <|im_star \u200b \u00a0 \t \n \n\n \r\n \u0007 \u0000 \ufffd e\u0301 \u0301 "
         "def foo(x): return {'a': [1,2]} #!/bin/sh    indented \u2028 \u0085 !!! ... ''' 's 'S '' 'll'll ſ 'ſ _under_ a_b snake_case CamelCase").split(" ")
texts = ["", " ", "  ", "   a", "a   ", "\n", "\n\n a", "\t\tx", "a" * 65, "ab" * 200, "!" * 130, "1234567890" * 3, " 1 22 333 4444", "\r\n\r\n", " \n \n  x", "'s", " 's", "I'm"]
for start in list(range(0x20, 0x2000, 40)) + list(range(0x2000, 0x3100, 40)):
    texts.append("".join(chr(c) for c in range(start, start + 20)))
while len(texts) < 5700:
    n = random.randint(1, 9)
    texts.append(random.choice([" ", " ", "", "  ", "\n"]).join(random.choice(words) for _ in range(n)))
clean = lambda t: "".join(c for c in t if unicodedata.category(c) not in ("Cn", "Cs"))
texts = list(dict.fromkeys(clean(t) for t in texts))


def digest(ids):
    value = 0xcbf29ce484222325
    for i in ids:
        for byte in int(i).to_bytes(4, "little"):
            value = ((value ^ byte) * 0x100000001b3) & 0xffffffffffffffff
    return f"{value & 0xffffffff:08x}"


write("tokens.json", [[t] + [digest(references[r].encode(t).ids) for r in ("gpt2", "smollm", "llama3", "qwen2")] for t in texts])

# SentencePiece-style BPE: a small vocabulary trained here, and ids of the same texts.
from tokenizers import decoders, normalizers, trainers

sample = [" ".join(random.choice(words) for _ in range(60)).replace(" ", "\u2581") for _ in range(300)]
trained = Tokenizer(models.BPE())
trained.pre_tokenizer = pre_tokenizers.Split("\u2581", "merged_with_next")
trained.train_from_iterator(sample, trainers.BpeTrainer(vocab_size=900, limit_alphabet=120, initial_alphabet=["\u2581"]))
learned = sorted(trained.get_vocab(), key=trained.get_vocab().get)
pieces = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)] + [p for p in learned if p not in ("<unk>", "<s>", "</s>")]
kinds = [2, 3, 3] + [6] * 256 + [1] * (len(pieces) - 259)
scores = [0.0] * 259 + [-float(i) for i in range(len(pieces) - 259)]
place = {p: i for i, p in enumerate(pieces)}
pairs = []
for piece in pieces[259:]:
    for cut in range(1, len(piece)):
        if place.get(piece[:cut], 0) >= 259 and place.get(piece[cut:], 0) >= 259:
            pairs.append((scores[place[piece]], place[piece[:cut]], place[piece[cut:]], piece[:cut], piece[cut:]))
pairs.sort(key=lambda p: (-p[0], p[1], p[2]))
spm = Tokenizer(models.BPE(place, [(p[3], p[4]) for p in pairs], byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
spm.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
spm.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in ("<unk>", "<s>", "</s>")])
write("spm.json", {"tokens": pieces, "scores": scores, "kinds": kinds, "ids": [digest(spm.encode(t).ids) for t in texts]})

# Unigram: a small model trained by the sentencepiece library, with replacements of characters of our own.
import io, sentencepiece, tempfile

with tempfile.TemporaryDirectory() as folder:
    # Lines of code points: what is replaced, and by what (here: typographic characters, a ligature, one that vanishes).
    rules_file = os.path.join(folder, "rules.tsv")
    open(rules_file, "w").write("2026\t2E 2E 2E\nFB01\t66 69\n201C\t22\n201D\t22\nA0\t20\nE9\t65\n65 301\t65\n200B\t\n")
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([" ".join(random.choice(words) for _ in range(60)) for _ in range(300)]), model_writer=out, vocab_size=700,
        model_type="unigram", byte_fallback=True, normalization_rule_tsv=rules_file, hard_vocab_limit=False, minloglevel=2,
        user_defined_symbols=["<sep>"])
trained = sentencepiece.SentencePieceProcessor(model_proto=out.getvalue())
from sentencepiece import sentencepiece_model_pb2

proto = sentencepiece_model_pb2.ModelProto.FromString(out.getvalue())
uni_texts = texts + ["\u201cfi\ufb01\u201d\u2026", "a  b   c ", "   ", "caf\u00e9 cafe\u0301", "x<sep>y <sep> z", "\u200b", "\u200ba"]
write("unigram.json", {
    "tokens": [p.piece for p in proto.pieces], "scores": [p.score for p in proto.pieces], "kinds": [p.type for p in proto.pieces],
    "map": base64.b64encode(proto.normalizer_spec.precompiled_charsmap).decode(), "extra": uni_texts[len(texts):],
    "ids": [digest(trained.encode(t)) for t in uni_texts]})

# Logits of tiny models with weights from a formula.
import torch, transformers


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


base = dict(hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, vocab_size=96,
            max_position_embeddings=256, rms_norm_eps=1e-5, rope_theta=10000.0, bos_token_id=0, eos_token_id=1, pad_token_id=2, hidden_act="silu")
yarn = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}
llama3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 32}
longrope = {"rope_type": "longrope", "short_factor": [1 + i * 0.05 for i in range(8)], "long_factor": [1.5 + i * 0.9 for i in range(8)]}
gemma = {k: v for k, v in base.items() if k not in ("hidden_act", "rope_theta")}
gemma.update(head_dim=32, sliding_window=16, hidden_activation="gelu_pytorch_tanh", num_key_value_heads=1, rope_theta=10000.0)
models_ = {
    "llama": (transformers.LlamaConfig, dict(base)),
    "llama-tied": (transformers.LlamaConfig, dict(base, tie_word_embeddings=True, num_key_value_heads=1)),
    "llama-linear": (transformers.LlamaConfig, dict(base, rope_scaling={"rope_type": "linear", "factor": 2.0})),
    "llama-llama3": (transformers.LlamaConfig, dict(base, rope_scaling=llama3)),
    "llama-yarn": (transformers.LlamaConfig, dict(base, rope_scaling=yarn)),
    "mistral": (transformers.MistralConfig, dict(base, sliding_window=16, head_dim=32)),
    "qwen2": (transformers.Qwen2Config, dict(base)),
    "qwen3": (transformers.Qwen3Config, dict(base, head_dim=32)),
    "llama-dynamic": (transformers.LlamaConfig, dict(base, max_position_embeddings=40, rope_scaling={"rope_type": "dynamic", "factor": 4.0})),
    "gemma2": (transformers.Gemma2Config, dict(gemma, num_hidden_layers=4, query_pre_attn_scalar=32, attn_logit_softcapping=2.0, final_logit_softcapping=1.5)),
    "gemma3": (transformers.Gemma3TextConfig, dict(gemma, num_hidden_layers=7, query_pre_attn_scalar=32, rope_theta=1e6, rope_local_base_freq=1e4,
                                                   rope_scaling={"rope_type": "linear", "factor": 8.0})),
    "phi3": (transformers.Phi3Config, dict(base, sliding_window=16, original_max_position_embeddings=256)),
    "phi3-short": (transformers.Phi3Config, dict(base, original_max_position_embeddings=128, rope_scaling=longrope)),
    "phi3-long": (transformers.Phi3Config, dict(base, original_max_position_embeddings=64, partial_rotary_factor=0.75, rope_scaling=dict(
        longrope, short_factor=longrope["short_factor"][:6], long_factor=longrope["long_factor"][:6]))),
}
# The context that a choice between the divisors, or the stretching, is made for: the tokens seen here.
contexts = {"llama-dynamic": 80, "phi3-short": 128}
families = {"llama": "LLAMA", "qwen2": "QWEN2", "qwen3": "QWEN3", "gemma2": "GEMMA2", "gemma3_text": "GEMMA3", "phi3": "PHI3", "mistral": "LLAMA"}
tiny = []
for name, (kind, options) in models_.items():
    # transformers changes the dictionaries it is given.
    config = kind(**json.loads(json.dumps(options)))
    config._attn_implementation = "eager"
    model = transformers.AutoModelForCausalLM.from_config(config).eval().float()
    state = model.state_dict()
    shapes = {}
    for key in state:
        if key == "lm_head.weight" and config.tie_word_embeddings:
            continue
        state[key] = torch.from_numpy(formula(key, state[key].shape, "gemma" in name))  # Gemma's norms are stored less 1.
        shapes[key] = list(state[key].shape)
    if config.tie_word_embeddings:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    model.load_state_dict(state)
    names = gguf.get_tensor_name_map(getattr(gguf.MODEL_ARCH, families[config.model_type]), config.num_hidden_layers)
    ids = [(i * 37 + 11) % 96 for i in range(80)]
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0].numpy()
    rows = [0, 1, 17, 40, 79]
    settings = dict(options, model_type=config.model_type)
    tiny.append({"name": name, "context": contexts.get(name), "names": {key: names.get_name(key, try_suffixes=(".weight", ".bias")) for key in shapes}, "config": json.dumps(settings), "shapes": shapes, "tokens": ids, "rows": rows,
                 "logits": base64.b64encode(logits[rows].astype(np.float32).tobytes()).decode()})
write("tiny.json", tiny)
# Greedy answers of the real model in f32, from the same file.
folder, file = os.path.split(source)
model = transformers.AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype=torch.float32).eval()
prompts = ["The capital of France is", "Once upon a time, there was a", "def fibonacci(n):", "Water boils at", "The three primary colors are",
           "My favourite recipe begins with", "In 1969, the first", "A haiku about the sea:", "Dear Sir or Madam,", "The meaning of life is",
           "To sort a list in Python,", "The largest planet in the solar system", "Photosynthesis is the process", "Q: What is 7 times 8?\nA:",
           "She opened the door and", "The stock market", "import numpy as np\n", "Memory is", "List three animals:\n1.", "It was a dark and stormy night"]
greedy = []
for prompt in prompts:
    ids = references["smollm"].encode(prompt).ids
    with torch.no_grad():
        out = model.generate(torch.tensor([ids]), max_new_tokens=64, min_new_tokens=64, do_sample=False, use_cache=True)[0].tolist()
    greedy.append({"prompt": prompt, "answer": out[len(ids):]})
write("greedy.json", greedy)
print("tokens", len(texts), "blocks", len(blocks), "models", len(tiny))
