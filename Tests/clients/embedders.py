#!/usr/bin/env python3
"""Tests of the commands for embedding models: choosing one, an endpoint, and making vectors anew.

    python3 Tests/clients/embedders.py .build/release/mneme [NAME …]
"""
import json, os, shutil, signal, subprocess, time

from harness import BINARY, Folder, Server, run_tests, test

TINY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../MnemeModelsTests/Golden/encoders")
PEOPLE = ["Anna", "Omar", "Lucía", "Kenji", "Freya", "Tariq", "Ingrid", "Paulo", "Nadia", "Viktor"]


def install(folder, *names):
    for name in names: shutil.copytree(f"{TINY}/{name}", f"{folder.path}/models/{name}")


def fill(folder, count):
    with open(folder.path + "/notes.jsonl", "w") as out:
        for i in range(count):
            out.write(json.dumps({"content": f"{PEOPLE[i % 10]} keeps the key number {i} in drawer {i // 7}.", "user_id": "ana"}) + "\n")
    folder.run("import", folder.path + "/notes.jsonl")


def finds(folder, numbers):
    for i in numbers:
        found = folder.json("recall", f"Who keeps the key number {i}?", "--user", "ana")["memories"]
        assert any(f"number {i} " in each["memory"]["text"] for each in found), (i, found)


@test
def an_embedder_is_listed_chosen_and_shown():
    with Folder() as f:
        install(f, "bert-cls", "table")
        rows = {row["name"]: row for row in f.json("embedder", "list")}
        assert set(rows) == {"all-MiniLM-L6-v2", "bert-cls", "table"}, rows
        assert rows["all-MiniLM-L6-v2"]["isUsed"] and not rows["table"]["isUsed"]
        with open(f.path + "/settings.json", "w") as out: json.dump({"port": 8421, "embedder": "minilm"}, out)
        f.run("embedder", "use", "table")
        with open(f.path + "/settings.json") as file: assert json.load(file) == {"port": 8421, "embedder": "table"}
        assert f.json("embedder", "list")[2]["isUsed"]
        shown = f.json("embedder")
        assert shown["name"] == "table" and shown["identifier"].startswith("table@") and shown["source"].endswith("settings.json"), shown
        f.run("remember", "The anchor lies in the shed.")
        assert f.json("embedder", "show")["vectors"] == 1
        # A path, and what cannot be used.
        f.run("embedder", "use", f.path + "/models/../models/bert-cls")
        assert f.json("embedder")["identifier"].startswith("bert-cls@")
        for name, words in (("nothing-here", "mneme pull"), ("smollm2", ""), ("http://127.0.0.1:1/v1#m", "does not answer"), ("http://127.0.0.1:1/v1", "#nomic")):
            result = f.run("embedder", "use", name, check=False)
            assert result.returncode in (1, 2) and words in result.stderr, (name, result)
        assert f.json("embedder")["identifier"].startswith("bert-cls@"), "the setting stays"
        # Option before variable before file.
        f.environment["MNEME_EMBEDDER"] = "none"
        assert f.json("embedder")["name"] == "none" and "identifier" not in f.json("embedder")
        assert f.json("embedder", "show", "--embedder", "table")["vectors"] == 1
        assert f.run("stats", "--embedder", "table", "--no-embedder", check=False).returncode == 2


@test
def vectors_are_made_anew_also_after_a_kill_and_recall_goes_on():
    with Folder() as f:
        install(f, "bert-cls", "table")
        f.environment["MNEME_EMBEDDER"] = "table"
        count = 8000
        fill(f, count)
        assert f.json("embedder")["vectors"] == count
        f.environment["MNEME_EMBEDDER"] = "bert-cls"
        result = f.run("recall", "Who keeps the key number 77?", "--user", "ana")
        assert "mneme reembed" in result.stderr and "serve" in result.stderr, result.stderr
        # What is written now has the new embedder's vector at once; the others wait to be asked for.
        f.run("remember", "The anchor lies in the shed.", "--user", "ana")
        shown = f.json("embedder")
        assert (shown["vectors"], shown["others"], shown["missing"]) == (1, count, 0), shown
        before, kills = count, 0
        while kills < 20:
            process = subprocess.Popen([BINARY, "reembed"], env=f.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            # A fast machine is through in a tenth of a second.
            time.sleep(0.04 + 0.01 * kills)
            process.send_signal(signal.SIGKILL)
            if process.wait() == 0: break
            kills += 1
            left = f.json("embedder")["others"]
            assert left <= before, "no vector is lost"
            before = left
            finds(f, (kills * 131 % count,))
            if left == 0: break
        assert kills > 0
        finds(f, range(3, count, 997))
        f.run("reembed")
        shown = f.json("embedder")
        assert (shown["vectors"], shown["others"], shown["missing"]) == (count + 1, 0, 0) and len(shown["stored"]) == 1, shown
        result = f.run("recall", "Who keeps the key number 77?", "--user", "ana")
        assert "reembed" not in result.stderr, result.stderr
        assert f.json("doctor")["sound"]


@test
def a_model_whose_memory_is_archived_serves_no_more_until_it_is_restored():
    with Folder() as f:
        install(f, "bert-cls")
        with open(f.path + "/pairs.jsonl", "w") as out:
            for i in range(64):
                out.write(json.dumps({"prompt": f"Where is key {i}?", "completion": f"The key number {i} is in drawer {i // 7}."}) + "\n")
        f.run("embedder", "train", "mine", "--model", "bert-cls", "--file", f.path + "/pairs.jsonl", "--steps", "2")
        f.environment["MNEME_EMBEDDER"] = "mine"
        f.run("remember", "The anchor lies in the shed.")
        learned = f.json("embedder")["identifier"]
        assert learned.startswith("mine@"), learned
        memory = f.json("list", "--form", "adapter")["memories"][0]["id"]
        f.run("forget", memory)
        shown = f.run("embedder", "show", "--json")
        assert json.loads(shown.stdout)["identifier"].startswith("bert-cls@") and "archived" in shown.stderr, shown
        assert "out of use" in f.run("embedder", "list").stdout
        found = f.run("recall", "Where is the anchor?", "--json")
        assert "shed" in found.stdout and "those of mine" not in found.stderr, found
        f.run("restore", memory)
        assert f.json("embedder")["identifier"] == learned
        assert "out of use" not in f.run("embedder", "list").stdout


@test
def a_server_makes_vectors_anew_in_the_background():
    with Folder() as f:
        install(f, "bert-cls", "table")
        f.environment["MNEME_EMBEDDER"] = "table"
        fill(f, 600)
        f.environment["MNEME_EMBEDDER"] = "bert-cls"
        with Server(f):
            time.sleep(1)
            assert f.json("embedder")["others"] == 600, "nothing is made anew unasked"
            f.run("jobs", "add", "embed")
            deadline = time.time() + 120
            while f.json("embedder")["others"] and time.time() < deadline: finds(f, (5,))
            assert f.json("embedder")["vectors"] == 600


@test
def an_endpoint_makes_the_vectors():
    with Folder() as there, Folder() as f:
        install(there, "table")
        there.environment["MNEME_EMBEDDER"] = "table"
        fill(f, 300)
        with Server(there) as server:
            name = server.url + "/v1#table"
            f.run("embedder", "use", name)
            assert f.json("embedder")["identifier"] == name
            finds(f, (17,))
            f.run("reembed")
            assert f.json("embedder")["vectors"] == 300
            finds(f, (17, 230))
            f.run("remember", "The anchor lies in the shed.", "--user", "ana")
            assert f.json("embedder")["vectors"] == 301
        # The endpoint is gone: what is written is kept and waits, a question goes on by words and says what is wrong.
        result = f.run("remember", "The rudder is broken.", "--user", "ana")
        assert "wait" in result.stderr, result.stderr
        assert f.json("embedder")["missing"] == 1
        result = f.run("recall", "What is broken?", "--user", "ana")
        assert "does not answer" in result.stderr and "by words alone" in result.stderr, result
        assert "rudder" in result.stdout, result


run_tests()
