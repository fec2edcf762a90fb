"""Training an adapter with mneme and with torch + peft in float32, on the same model, data and machine, one behind the other.

    python scripts/peers/train_peers.py --mneme .build/release/mneme --model smollm2 --steps 4

Both learn rank 8 on all linear layers of the dequantized GGUF file, one sequence of 512 tokens a step, AdamW. Prints tokens a second and
peak resident memory of each process as JSON, and their ratios. torch gets as many threads as there are cores. The first step warms up and
is not counted; each figure is the best step. Needs torch, transformers, peft, gguf.
"""
import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time


def text(words, seed):
    import random
    names = ["river", "stone", "lamp", "garden", "winter", "paper", "signal", "harbor", "copper", "meadow"]
    r = random.Random(seed)
    return " ".join(r.choice(names) for _ in range(words))


def torch_side(model, steps, tokens):
    """Runs in a process of its own, so that its peak is its own."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM
    folder, name = os.path.split(model)
    net = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32)
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    net = get_peft_model(net, LoraConfig(r=8, lora_alpha=16, target_modules=targets))
    net.train()
    optimizer = torch.optim.AdamW([p for p in net.parameters() if p.requires_grad], lr=5e-4)
    torch.manual_seed(1)
    rates, losses = [], []
    for _ in range(steps):
        ids = torch.randint(0, 49000, (1, tokens))
        start = time.time()
        loss = net(input_ids=ids, labels=ids).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        rates.append(tokens / (time.time() - start))
        losses.append(float(loss.detach()))
    print(json.dumps({"rates": rates, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, "losses": losses}))


def mneme_side(program, model, steps, tokens):
    with tempfile.TemporaryDirectory() as home:
        file = home + "/text.jsonl"
        with open(file, "w") as f:
            # Longer than a sequence: each is cut at 512 tokens. One example is one batch's share, so that a step is one sequence.
            f.write(json.dumps({"completion": text(3 * tokens, 0)}) + "\n")
        env = dict(os.environ, MNEME_HOME=home)
        start = time.time()
        command = [program, "adapters", "train", "peer", "--model", model, "--file", file, "--steps", str(steps)]
        process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        out, err = process.communicate()
        _, _, usage = (0, 0, resource.getrusage(resource.RUSAGE_CHILDREN))
        if process.returncode:
            sys.exit(err)
        with open(home + "/adapters/peer/mneme.json") as f:
            training = json.load(f)["training"]
        return {"rate": training["tokens"] / training["seconds"], "peak": usage.ru_maxrss * 1024, "seconds": time.time() - start}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mneme", default=".build/release/mneme")
    parser.add_argument("--model", required=True, help="a GGUF file")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--torch", action="store_true", help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.torch:
        return torch_side(a.model, a.steps, a.tokens)
    # mneme first: only children that have ended count, and torch's peak is its own process's word.
    mine = mneme_side(a.mneme, a.model, a.steps, a.tokens)
    peer = json.loads(subprocess.run([sys.executable, __file__, "--torch", "--model", a.model, "--steps", str(a.steps), "--tokens", str(a.tokens)],
                                     capture_output=True, text=True, check=True).stdout.splitlines()[-1])
    rate = sum(peer["rates"][1:]) / max(1, len(peer["rates"]) - 1)
    print(json.dumps({
        "mneme": {"tokens_per_second": round(mine["rate"], 1), "peak_mib": mine["peak"] >> 20},
        "torch": {"tokens_per_second": round(rate, 1), "peak_mib": peer["peak"] >> 20},
        "speed_ratio": round(mine["rate"] / rate, 2), "memory_ratio": round(mine["peak"] / peer["peak"], 2), "load": os.getloadavg()[0],
    }, indent=1))


if __name__ == "__main__":
    main()
