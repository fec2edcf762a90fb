"""Training an adapter with mneme and with torch + peft in float32, on the same model, data, first values and machine.

    python scripts/peers/train_peers.py --mneme .build/release/mneme --model ~/.mneme/models/smollm2.gguf --steps 4
    python scripts/peers/train_peers.py ... --steps 100 --sequences 9 --curves curves.json
    python scripts/peers/train_peers.py ... --steps 100 --sequences 440 --tokens 64 --curves curves.json    # minutes; none is seen twice

mneme trains first and writes each step's tokens; torch then learns the same tokens from the same A (peft's own first values, B zero) with
the same rates: rank 8 on all linear layers of the dequantized GGUF file, sequences of 512 tokens, AdamW with a decay of 0.01, gradients
clipped to a norm of 1. One sequence is a step's; of several, up to four are. From ten on mneme holds a
tenth out, and torch, which learns what mneme has learned, does not see those either. The first
step of each warms up (mneme reads the file in it) and is not counted; the rate of each is all tokens behind it by all seconds behind it.
Prints tokens a second, peak resident memory of each process, the largest relative difference of the losses, and the ratios as JSON;
--tokens makes shorter sequences, of about so many. --curves keeps all losses and seconds. torch gets as many threads as there are cores. Needs torch, transformers, peft, gguf.
"""
import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
RATE, DECAY, TOKENS = 5e-4, 0.01, 512


def rate(step, steps):
    """TrainingSettings.rate: a twentieth of the steps upwards, then down to a tenth."""
    warm = max(1, steps // 20)
    return RATE * ((step + 1) / warm if step < warm else 1 - 0.9 * (step - warm) / max(1, steps - warm))


def torch_model(model):
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM
    folder, name = os.path.split(os.path.abspath(model))
    torch.manual_seed(1)
    net = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32)
    return get_peft_model(net, LoraConfig(r=8, lora_alpha=16, target_modules=TARGETS, task_type="CAUSAL_LM"))


def start_side(model, folder):
    """In a process of its own, so that torch's memory is not counted with mneme's."""
    torch_model(model).save_pretrained(folder)


def torch_side(model, log):
    """The same, so that its peak is its own."""
    import torch
    net = torch_model(model)
    net.train()
    learned = [p for p in net.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=RATE, weight_decay=DECAY)
    lines = [json.loads(line) for line in open(log)]
    seconds, losses = [], []
    for i, line in enumerate(lines):
        start = time.time()
        total, count = 0.0, 0
        for sequence in line["sequences"]:
            ids = torch.tensor([sequence["tokens"]])
            logits = net(input_ids=ids).logits[0, :-1]
            first = sequence["prompt"]
            total = total + torch.nn.functional.cross_entropy(logits[first - 1:], ids[0, 1:][first - 1:], reduction="sum")
            count += ids.shape[1] - first
        loss = total / count
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        for group in optimizer.param_groups:
            group["lr"] = rate(i, len(lines))
        optimizer.step()
        optimizer.zero_grad()
        seconds.append(time.time() - start)
        losses.append(float(loss.detach()))
    print(json.dumps({"seconds": seconds, "losses": losses, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))


def texts(count, tokens):
    """Sentences of one grammar, of some seven tokens each. Of 512 they are more, and cut."""
    r = random.Random(0)
    names = ["river", "stone", "lamp", "garden", "winter", "paper", "signal", "harbor", "copper", "meadow"]
    verbs = ["follows", "covers", "finds", "leaves", "keeps", "names"]
    for _ in range(count):
        yield " ".join(f"The {r.choice(names)} {r.choice(verbs)} the {r.choice(names)}." for _ in range(TOKENS // 4 if tokens == TOKENS else max(1, tokens // 7)))


def mneme_side(a, folder, log):
    with tempfile.TemporaryDirectory() as home:
        data = home + "/text.jsonl"
        with open(data, "w") as f:
            f.writelines(json.dumps({"completion": text}) + "\n" for text in texts(a.sequences, a.tokens))
        command = [a.mneme, "adapters", "train", "peer", "--model", os.path.abspath(a.model), "--file", data, "--steps", str(a.steps),
                   "--learning-rate", str(RATE), "--start", folder, "--log", log, "--log-tokens", "--keep", "0"]
        process = subprocess.Popen(command, env=dict(os.environ, MNEME_HOME=home), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        # What this child alone took: others have run before it.
        err = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            sys.exit(err)
        lines = [json.loads(line) for line in open(log)]
        assert a.tokens < TOKENS or all(len(s["tokens"]) == TOKENS for line in lines for s in line["sequences"]), "Sequences are shorter than 512 tokens."
        return {"seconds": [x["seconds"] for x in lines], "losses": [x["loss"] for x in lines], "tokens": [x["tokens"] for x in lines],
                "peak": usage.ru_maxrss * 1024}


def child(*arguments):
    done = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mneme", default=".build/release/mneme")
    parser.add_argument("--model", required=True, help="a GGUF file")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--sequences", type=int, default=1, choices=range(1, 1001), metavar="1..1000")
    parser.add_argument("--tokens", type=int, default=TOKENS, choices=range(8, TOKENS + 1), metavar="8..512")
    parser.add_argument("--curves", help="a file for losses and seconds of each step")
    parser.add_argument("--side", nargs=2, help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.side:
        kind, path = a.side
        return start_side(a.model, path) if kind == "start" else torch_side(a.model, path)
    if a.steps < 2:
        sys.exit("The first step is not counted: --steps is 2 at least.")
    with tempfile.TemporaryDirectory() as folder:
        child("--model", a.model, "--side", "start", folder + "/start")
        mine = mneme_side(a, folder + "/start", folder + "/log.jsonl")
        peer = json.loads(child("--model", a.model, "--side", "torch", folder + "/log.jsonl").splitlines()[-1])
    tokens = sum(mine["tokens"][1:])
    rates = [tokens / sum(side["seconds"][1:]) for side in (mine, peer)]
    worst = max(abs(x - y) / abs(y) for x, y in zip(mine["losses"], peer["losses"]))
    if a.curves:
        with open(a.curves, "w") as f:
            json.dump({"mneme": mine, "torch": peer}, f)
    print(json.dumps({
        "mneme": {"tokens_per_second": round(rates[0], 1), "peak_mib": mine["peak"] >> 20, "last_loss": round(mine["losses"][-1], 4)},
        "torch": {"tokens_per_second": round(rates[1], 1), "peak_mib": peer["peak"] >> 20, "last_loss": round(peer["losses"][-1], 4)},
        "speed_ratio": round(rates[0] / rates[1], 2), "memory_ratio": round(mine["peak"] / peer["peak"], 2),
        "largest_loss_difference": round(worst, 5), "load": os.getloadavg()[0],
    }, indent=1))


if __name__ == "__main__":
    main()
