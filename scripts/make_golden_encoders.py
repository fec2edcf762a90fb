#!/usr/bin/env python3
"""Makes tiny random encoders of each family that embeds texts, and what sentence-transformers makes
of some texts with them. Run once; the output is committed.

    python3 scripts/make_golden_encoders.py Tests/MnemeModelsTests/Golden/encoders

Needs: torch (CPU), transformers, sentence-transformers, tokenizers, sentencepiece, model2vec. The
texts are made here; none is anybody's data.
"""
import json, os, random, shutil, sys, tempfile
os.environ.setdefault("HF_HUB_OFFLINE", "1")
import numpy as np
import sentencepiece
import torch
from model2vec import StaticModel
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer, models
from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, processors, trainers
from tokenizers import models as pieces
from transformers import (BertConfig, BertModel, DistilBertConfig, DistilBertModel, PreTrainedTokenizerFast,
                          RobertaConfig, RobertaModel, XLMRobertaConfig, XLMRobertaModel)

target = sys.argv[1]
random.seed(7)
torch.manual_seed(7)
corpus = ("Anna moved to Lisbon last spring and teaches chemistry at a small school. ¿Dónde vive Ana ahora? "
          "Die Schwester von Jürgen spielt Gitarre, seit sie zwölf ist. Où est la clé du bateau ? "
          "Москва большой город, а дом стоит у реки. 東京は大きい町です。 今天我们去北京。 In 2019 he ran 42.195 km! "
          "The meeting was moved to Thursday at 4pm; bring the keys, please. naïve café résumé straße").split(" ")
lines = [" ".join(random.choice(corpus) for _ in range(random.randint(3, 12))) for _ in range(400)]
texts = ["", "a", "Anna moved to Lisbon.", "¿Dónde vive Ana ahora?", "  two  spaces ", "東京は大きい町です。今天我们去北京。",
         "Москва большой город", "</s> [SEP] <s> [CLS]", "the keys, please! " * 30, "emoji 👍🏽 and é e\u0301",
         "naïve café", "UPPER lower MiXeD"] + lines[:12]
size = dict(hidden_size=64, num_hidden_layers=1, num_attention_heads=4, intermediate_size=64)


def wrap(tokenizer, **names):
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)


def word_piece():
    t = Tokenizer(pieces.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=True)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    t.train_from_iterator(lines, trainers.WordPieceTrainer(vocab_size=300, special_tokens=special))
    t.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]",
        special_tokens=[("[CLS]", t.token_to_id("[CLS]")), ("[SEP]", t.token_to_id("[SEP]"))])
    return wrap(t, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]")


def unigram():
    with tempfile.TemporaryDirectory() as folder:
        open(folder + "/lines", "w").write("\n".join(lines))
        sentencepiece.SentencePieceTrainer.train(
            input=folder + "/lines", model_prefix=folder + "/m", vocab_size=150, model_type="unigram",
            character_coverage=1.0, normalization_rule_name="identity", minloglevel=2)
        model = sentencepiece.SentencePieceProcessor(model_file=folder + "/m.model")
    # XLM-RoBERTa's order: <s>, <pad>, </s>, <unk>, the pieces, <mask>.
    vocabulary = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    vocabulary += [(model.id_to_piece(i), model.get_score(i)) for i in range(3, model.vocab_size())] + [("<mask>", 0.0)]
    t = Tokenizer(pieces.Unigram(vocabulary, unk_id=3))
    t.normalizer = normalizers.Sequence([normalizers.Replace(__import__("tokenizers").Regex(" {2,}"), " ")])
    t.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    t.decoder = decoders.Metaspace()
    t.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    t.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    return wrap(t, unk_token="<unk>", pad_token="<pad>", cls_token="<s>", sep_token="</s>", bos_token="<s>",
                eos_token="</s>", mask_token="<mask>")


def byte_level():
    t = Tokenizer(pieces.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(lines, trainers.BpeTrainer(
        vocab_size=330, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"]))
    t.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return wrap(t, unk_token="<unk>", pad_token="<pad>", cls_token="<s>", sep_token="</s>", bos_token="<s>",
                eos_token="</s>", mask_token="<mask>")


def transformer(config, model, tokenizer, length):
    """A transformer module of random weights, larger than those of initialisation, so that faults show."""
    config.vocab_size = len(tokenizer)
    made = model(config)
    for name, parameter in made.named_parameters():
        with torch.no_grad():
            parameter.copy_((torch.randn_like(parameter) * (0.1 if "LayerNorm" in name else 0.3)
                             + (1 if name.endswith("LayerNorm.weight") else 0)).half().float())
    folder = tempfile.mkdtemp()
    made.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    module = models.Transformer(folder, max_seq_length=length)
    shutil.rmtree(folder)
    return module


def keep(name, model, roles):
    """Writes the model's files, its weights as F16, and the vectors of the texts in each role."""
    folder = f"{target}/{name}"
    shutil.rmtree(folder, ignore_errors=True)
    model.save(folder, create_model_card=False)
    for path, _, files in os.walk(folder):
        for file in files:
            if file.endswith(".safetensors"):
                values = {k: v.half() for k, v in load_file(f"{path}/{file}").items() if v.is_floating_point()}
                save_file({k: v for k, v in values.items() if "pooler" not in k}, f"{path}/{file}", {"format": "pt"})
            elif file not in ("config.json", "modules.json", "tokenizer.json", "tokenizer_config.json",
                              "sentence_bert_config.json", "config_sentence_transformers.json"):
                os.remove(f"{path}/{file}")
    out = {"texts": texts}
    for role, prompt in roles.items():
        vectors = model.encode([prompt + t for t in texts], normalize_embeddings=True)
        out[role] = [[round(float(v), 6) for v in row] for row in vectors]
    json.dump(out, open(folder + "/vectors.json", "w"), ensure_ascii=True, separators=(",", ":"))
    print(name, vectors.shape, sum(os.path.getsize(f"{p}/{f}") for p, _, fs in os.walk(folder) for f in fs) >> 10, "KiB")


os.makedirs(target, exist_ok=True)
bert = transformer(BertConfig(**size, max_position_embeddings=64), BertModel, word_piece(), 48)
keep("bert-cls", SentenceTransformer(modules=[bert, models.Pooling(64, "cls"), models.Normalize()], device="cpu",
                                     prompts={"query": "ask: ", "document": "say: "}),
     {"plain": "", "query": "ask: ", "document": "say: "})
xlmr = transformer(XLMRobertaConfig(**size, max_position_embeddings=66, pad_token_id=1, type_vocab_size=1,
                                    layer_norm_eps=1e-5), XLMRobertaModel, unigram(), 64)
keep("multilingual-e5-tiny", SentenceTransformer(modules=[xlmr, models.Pooling(64, "mean"), models.Normalize()],
                                                 device="cpu"),
     {"plain": "", "query": "query: ", "document": "passage: "})
roberta = transformer(RobertaConfig(**size, max_position_embeddings=50, pad_token_id=1, type_vocab_size=1,
                                    layer_norm_eps=1e-5), RobertaModel, byte_level(), 40)
keep("roberta-last", SentenceTransformer(modules=[roberta, models.Pooling(64, "lasttoken")], device="cpu"),
     {"plain": ""})
distilled = transformer(DistilBertConfig(dim=64, n_layers=1, n_heads=4, hidden_dim=64, max_position_embeddings=64),
                        DistilBertModel, word_piece(), 64)
keep("distilbert-dense", SentenceTransformer(
    modules=[distilled, models.Pooling(64, "mean"), models.Dense(64, 32, activation_function=torch.nn.Tanh())],
    device="cpu"), {"plain": ""})

# A table of Model2Vec, of which the texts are those of the others.
folder = target + "/table"
shutil.rmtree(folder, ignore_errors=True)
tokenizer = unigram().backend_tokenizer
table = np.random.default_rng(7).normal(size=(tokenizer.get_vocab_size(), 32)).astype(np.float16)
static = StaticModel(table, tokenizer, config={}, normalize=True)
static.save_pretrained(folder)
for file in os.listdir(folder):
    if file not in ("config.json", "model.safetensors", "tokenizer.json"):
        os.remove(f"{folder}/{file}")
vectors = [[round(float(v), 6) for v in static.encode(t)] for t in texts]
json.dump({"texts": texts, "plain": vectors}, open(folder + "/vectors.json", "w"), ensure_ascii=True,
          separators=(",", ":"))
