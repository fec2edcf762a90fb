#!/usr/bin/env python3
"""Makes the golden values that the model tests compare with. Run once; the output is committed.

    python3 scripts/make_golden.py MODEL_FOLDER Tests/MnemeModelsTests/Golden

Needs: tokenizers, torch, transformers, sentence-transformers (CPU). The texts are made here from
a fixed seed; none is anybody's data.
"""
import json, os, random, sys, unicodedata
os.environ.setdefault("HF_HUB_OFFLINE", "1")
import numpy as np
from tokenizers import Tokenizer
from sentence_transformers import SentenceTransformer

folder, target = sys.argv[1:3]
random.seed(20260101)
words = ("memory coffee Lisbon guitar sister yesterday unbelievable antidisestablishmentarianism café naïve Zürich "
         "résumé piñata smörgåsbord Ελλάδα Москва привет мир हिन्दी नमस्ते مرحبا العالم שלום 東京 北京 你好 こんにちは カタカナ 안녕하세요 "
         "ไทย Việt Nam İstanbul straße ﬁne ½ ² № ™ € £ ¥ don't it's O'Neill x86-64 C++ 3.14 1,000,000 user@example.org "
         "https://example.org/a?b=c#d 👍 👨‍👩‍👧 🇵🇹 ❤️ 😀😀 — – … “quoted” ‘single’ «guillemets» ¿qué? ¡hola! [MASK] [SEP] [CLS] [unk] ##ing "
         "\u200bzero\u200bwidth \u00a0nbsp tab\tnew\nline \u0007bell \u0000nul \ufffd soft\u00adhyphen é e\u0301 \u0301 a\u0327\u0301 "
         "ＦＵＬＬ ﷺ ǅ ß ẞ ŉ ₿ ∑ ∫ ≤ → ☃ ♫ _under_ ^caret `tick` ~tilde |pipe $dollar <tag> =equals +plus").split(" ")
texts = ["", " ", "\n\t", "a", "A", "\u0000", "[CLS]", "x" * 99, "x" * 100, "x" * 101, "é" * 100, "é" * 101, "的" * 300,
         "word " * 400, "!" * 300, "supercalifragilisticexpialidocious " * 3]
for start in range(0x20, 0x3000, 24):
    texts.append("a" + "b".join(chr(c) for c in range(start, start + 24)) + "c")
for start in list(range(0x3000, 0xa000, 997)) + list(range(0xa000, 0xd7f0, 997)) + list(range(0xe000, 0x10000, 331)) + list(range(0x10000, 0x30000, 2003)):
    texts.append(" ".join(chr(c) for c in range(start, start + 8)))
while len(texts) < 2600:
    n = random.randint(1, 24)
    texts.append(random.choice([" ", " ", " ", "", ", "]).join(random.choice(words) for _ in range(n)))
texts = [t for t in texts if not any(0xd800 <= ord(c) <= 0xdfff for c in t)]
# Characters without a meaning in every Unicode version that the two sides may carry are left out.
texts = ["".join(c for c in t if unicodedata.category(c) != "Cn") for t in texts]

tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
tokenizer.no_padding()
tokenizer.enable_truncation(256)
with open(os.path.join(target, "tokens.json"), "w") as out:
    json.dump([[t, tokenizer.encode(t).ids] for t in texts], out, ensure_ascii=True, separators=(",", ":"))

subjects = "My sister|The old printer|Our team|A friend from Porto|The neighbour's dog|Nobody|The new library card|Grandmother|The project|She".split("|")
verbs = "moved to|finally finished|talked about|was worried by|forgot|baked bread for|planned a trip to|painted|sold|could not find".split("|")
objects = "the mountains last spring|a second-hand guitar|the chemistry exam|Berlin in 2019|a surprise party on Friday|the keys to the boat|seven tomato plants|an unpaid invoice|the museum café|nothing at all".split("|")
sentences = []
for i in range(480):
    count = random.choice([1, 1, 1, 2, 3, 8])
    sentences.append(" ".join(f"{random.choice(subjects)} {random.choice(verbs)} {random.choice(objects)}." for _ in range(count)))
sentences += [t for t in texts if len(t) > 30][-40:]
model = SentenceTransformer(folder, device="cpu")
vectors = model.encode(sentences, batch_size=16, normalize_embeddings=True)
vectors.astype("<f2").tofile(os.path.join(target, "vectors.f16"))
with open(os.path.join(target, "sentences.json"), "w") as out:
    json.dump(sentences, out, ensure_ascii=True, separators=(",", ":"))
print(len(texts), "token strings,", len(sentences), "vectors", vectors.shape)
