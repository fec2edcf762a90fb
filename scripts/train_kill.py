#!/usr/bin/env python3
"""Kills trainings with SIGKILL at random moments, goes on with each, and compares the weights with an undisturbed training.

    python3 scripts/train_kill.py --mneme .build/release/mneme --rounds 20

The model is the tiny Llama of Tests/MnemeTrainTests with a tokenizer of characters; it learns sentences from a file, with a
checkpoint after each step (`mneme adapters train --checkpoint-seconds 0`). A training is killed again and again until it
ends; then the next begins, until --rounds kills are done. Every one must end with the bytes of the training that nobody
killed. With --embedder, the tiny BERT learns pairs of a question and a sentence instead (`mneme embedder train`). Prints JSON; exit status 1 if one did not.
"""
import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

MARKS = ["<|im_start|>", "<|im_end|>"]
TEMPLATE = ("{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}"
            "{{ '<|im_start|>assistant\\n' }}")
STEPS = 60


def write_model(folder):
    """The tiny Llama, with a tokenizer whose tokens are ASCII's characters."""
    here = os.path.dirname(os.path.abspath(__file__))
    shutil.copytree(os.path.join(here, "../Tests/MnemeTrainTests/Golden/tiny"), folder)
    tokens = ["Ċ", "Ġ"] + [chr(c) for c in range(33, 127)] + MARKS
    ids = {token: i for i, token in enumerate(tokens)}
    files = {
        "tokenizer": {
            "model": {"type": "BPE", "vocab": ids, "merges": []},
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False},
            "added_tokens": [{"id": ids[m], "content": m, "special": True} for m in MARKS]},
        "tokenizer_config": {"eos_token": MARKS[1], "chat_template": TEMPLATE}}
    for name, value in files.items():
        with open(f"{folder}/{name}.json", "w") as file:
            json.dump(value, file)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mneme", default=".build/release/mneme")
    parser.add_argument("--rounds", type=int, default=20, help="kills")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--optimizer", default="adamw")
    parser.add_argument("--embedder", action="store_true", help="train an embedding model")
    a = parser.parse_args()
    chance = random.Random(a.seed)
    with tempfile.TemporaryDirectory() as root:
        model, text = root + "/tiny", root + "/text.txt"
        write_model(model)
        with open(text, "w") as file:
            file.write("\n\n".join(f"Boat {i} is number {i * 7 % 24} in the harbour." for i in range(24)))

        pairs = root + "/pairs.jsonl"
        with open(pairs, "w") as file:
            for i in range(80):
                pair = {"prompt": f"where is the boat number {i}?", "completion": f"the boat number {i} lives in harbour {i * 7 % 80}"}
                file.write(json.dumps(pair) + "\n")
        bert = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Tests/MnemeTrainTests/Golden/tinybert")
        store = "models" if a.embedder else "adapters"

        def start(home, resume):
            command = [os.path.abspath(a.mneme), "adapters", "train", "boats"]
            command += ["--resume"] if resume else ["--model", model, "--file", text, "--steps", str(STEPS), "--rank", "4",
                                                    "--optimizer", a.optimizer]
            if a.embedder:
                command = [os.path.abspath(a.mneme), "embedder", "train", "boats"]
                command += ["--resume"] if resume else ["--model", bert, "--file", pairs, "--steps", str(STEPS), "--rank", "4"]
            return subprocess.Popen(command + ["--checkpoint-seconds", "0"], env=dict(os.environ, MNEME_HOME=home),
                                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

        def ended(process):
            _, errors = process.communicate()
            if process.returncode not in (0, -signal.SIGKILL):
                raise SystemExit(f"mneme ended with {process.returncode}: {errors}")
            return process.returncode == 0

        def digest(home):
            with open(f"{home}/{store}/boats/" + ("model" if a.embedder else "adapter_model") + ".safetensors", "rb") as file:
                return hashlib.sha256(file.read()).hexdigest()

        begin = time.time()
        if not ended(start(root + "/whole", False)):
            raise SystemExit("the undisturbed training was killed")
        seconds = time.time() - begin
        wanted = digest(root + "/whole")
        kills, trainings, resumed, different = 0, 0, 0, 0
        while kills < a.rounds:
            home = f"{root}/killed{trainings}"
            trainings += 1
            while True:
                goes_on = os.path.exists(f"{home}/{store}/.boats.training/checkpoint")
                # Killed between its end and the process's.
                if not goes_on and os.path.exists(f"{home}/{store}/boats"):
                    break
                process = start(home, goes_on)
                resumed += goes_on
                if kills < a.rounds:
                    time.sleep(chance.uniform(0, 0.6 * seconds))
                    process.send_signal(signal.SIGKILL)
                if ended(process):
                    break
                kills += 1
            different += digest(home) != wanted
        print(json.dumps({"kills": kills, "trainings": trainings, "resumed": resumed, "different": different,
                          "steps": STEPS, "optimizer": a.optimizer, "seconds_undisturbed": round(seconds, 2)}))
        sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
