#!/usr/bin/env python3
"""Compares token ids with the reference tokenizers on published vocabularies.

    python3 scripts/check_tokenizers.py .build/release/mneme LLAMA_CPP_SOURCE/models

The folder is in llama.cpp's source (also in the source package of llama-cpp-python on PyPI): vocabularies of well-known models
with texts and the ids that the models' own tokenizers give. SentencePiece vocabularies are also handed to the `sentencepiece`
library and byte-level ones to `tokenizers`, on the 5,000 texts of the test suite. Needs: gguf, sentencepiece, protobuf, tokenizers.
"""
import glob, json, os, subprocess, sys
import gguf

mneme, folder = sys.argv[1:3]
texts = [row[0] for row in json.load(open(os.path.join(os.path.dirname(__file__), "../Tests/MnemeEngineTests/Golden/tokens.json")))]


def ids_of(path, lines, special=False):
    command = [mneme, "models", "tokenize", path] + (["--special"] if special else [])
    done = subprocess.run(command, input="".join(json.dumps(t) + "\n" for t in lines), capture_output=True, text=True)
    if done.returncode:
        return None, done.stderr.strip().splitlines()[-1][:150]
    return [json.loads(line) for line in done.stdout.splitlines()], None


def field(reader, key):
    entry = reader.fields.get(key)
    return entry.contents() if entry else None


def sentencepiece_of(reader, kind):
    """The library's own model, rebuilt from the vocabulary."""
    import sentencepiece, sentencepiece.sentencepiece_model_pb2 as proto
    model, unknown = proto.ModelProto(), False
    for piece, score, kind_ in zip(field(reader, "tokenizer.ggml.tokens"), field(reader, "tokenizer.ggml.scores"), field(reader, "tokenizer.ggml.token_type")):
        # The library knows one unknown token; further ones are control tokens to it.
        if kind_ == 2:
            kind_, unknown = (3 if unknown else 2), True
        model.pieces.add(piece=piece, score=score, type=kind_ if kind_ in (2, 3, 4, 6) else 1)
    spec = model.trainer_spec
    spec.model_type = spec.BPE if kind == "llama" else spec.UNIGRAM
    spec.byte_fallback = any(p.type == 6 for p in model.pieces)
    spec.vocab_size = len(model.pieces)
    for i, piece in enumerate(model.pieces):
        if piece.type == 2:
            spec.unk_id, spec.unk_piece = i, piece.piece
    normalizer = model.normalizer_spec
    prefix, extra = field(reader, "tokenizer.ggml.add_space_prefix"), field(reader, "tokenizer.ggml.remove_extra_whitespaces")
    normalizer.add_dummy_prefix = True if prefix is None else prefix
    normalizer.remove_extra_whitespaces = bool(extra)
    characters = field(reader, "tokenizer.ggml.precompiled_charsmap")
    normalizer.precompiled_charsmap = bytes(b & 255 for b in characters) if characters else b""
    processor = sentencepiece.SentencePieceProcessor()
    processor.LoadFromSerializedProto(model.SerializeToString())
    return processor


failed = 0
for path in sorted(glob.glob(folder + "/ggml-vocab-*.gguf")):
    name, reader = os.path.basename(path)[11:-5], gguf.GGUFReader(path)
    kind = field(reader, "tokenizer.ggml.model")
    results = []
    if os.path.exists(path + ".inp"):
        inputs = open(path + ".inp", encoding="utf-8").read().split("\n__ggml_vocab_test__\n")
        expected = [[int(i) for i in line.split()] for line in open(path + ".out", encoding="utf-8").read().splitlines()]
        got, problem = ids_of(path, inputs)
        if problem:
            print(f"{name:16} {kind:6} not read: {problem}")
            continue
        wrong = [(i, t) for i, (t, a, b) in enumerate(zip(inputs, got, expected)) if a != b]
        results.append(f"{len(inputs) - len(wrong)}/{len(inputs)} of the model's own tokenizer")
        for i, text in wrong[:3]:
            print("   ", repr(text)[:60], "ours", got[i][:12], "expected", expected[i][:12])
        failed += len(wrong)
    if kind in ("llama", "t5"):
        sample = [t for t in texts if "\0" not in t]
        got, problem = ids_of(path, sample)
        if problem:
            print(f"{name:16} {kind:6} not read: {problem}")
            continue
        reference = sentencepiece_of(reader, kind)
        # Control tokens are text to the library when it reads what a user wrote, and to us.
        wrong = [(t, a, b) for t, a, b in ((t, a, reference.EncodeAsIds(t)) for t, a in zip(sample, got)) if a != b]
        results.append(f"{len(sample) - len(wrong)}/{len(sample)} of sentencepiece")
        for text, a, b in wrong[:3]:
            print("   ", repr(text)[:60], "ours", a[:12], "expected", b[:12])
        failed += len(wrong)
    if results:
        print(f"{name:16} {kind:6} {', '.join(results)}")
sys.exit(failed > 0)
