#!/usr/bin/env python3
"""Tests of `mneme proxy` with the client openai, before `mneme serve` and its language model.

    python3 Tests/clients/proxy.py .build/release/mneme [NAME …]
"""
import json, os, subprocess

from harness import Folder, Server, run_tests, test

MODEL = "smollm2"


def ask(client, question, **options):
    """The answer's text, and how the cache answered."""
    options = {"max_tokens": 64, "temperature": 0, **options}
    raw = client.chat.completions.with_raw_response.create(
        model=MODEL, messages=[{"role": "user", "content": question}], **options)
    return raw.parse().choices[0].message.content, raw.headers["x-mneme-cache"], raw.headers


@test
def the_openai_client_is_answered_from_the_cache():
    from openai import BadRequestError, OpenAI
    with Folder() as f, Server(f, "--model", MODEL) as server:
        with Server(f, "--upstream", server.url + "/v1", command="proxy") as proxy:
            client = OpenAI(base_url=proxy.url + "/v1", api_key="any")
            first, how, _ = ask(client, "What is the capital of Austria?")
            assert how == "miss" and first, (how, first)
            again, how, headers = ask(client, "What is the capital of Austria?")
            assert (again, how) == (first, "hit") and int(headers["age"]) >= 0
            similar, how, headers = ask(client, "Can you tell me what the capital of Austria is?")
            assert (similar, how) == (first, "similar") and 0.5 <= float(headers["x-mneme-cache-similarity"]) < 1
            for other in ("What is the capital of Australia?", "What was the capital of Austria?", "What is not the capital of Austria?"):
                assert ask(client, other)[1] == "miss", other
            # A stream, from what was asked whole, and the other way round.
            pieces = client.chat.completions.create(
                model=MODEL, messages=[{"role": "user", "content": "What is the capital of Austria?"}], max_tokens=64,
                temperature=0, stream=True, stream_options={"include_usage": True})
            pieces = list(pieces)
            assert "".join(p.choices[0].delta.content or "" for p in pieces if p.choices) == first
            assert pieces[-1].usage and pieces[-1].usage.total_tokens > 0
            streamed = "".join(
                p.choices[0].delta.content or "" for p in client.chat.completions.create(
                    model=MODEL, messages=[{"role": "user", "content": "Name a color."}], max_tokens=60, temperature=0, stream=True))
            whole, how, _ = ask(client, "Name a color.", max_tokens=60)
            assert how in ("hit", "miss") and (how == "miss" or whole == streamed), (how, whole, streamed)
            # Another setting is another question; a temperature is never answered from the cache.
            assert ask(client, "What is the capital of Austria?", max_tokens=11)[1] == "miss"
            assert ask(client, "What is the capital of Austria?", temperature=0.5)[1] == "bypass"
            assert ask(client, "What is the capital of Austria?", extra_headers={"Cache-Control": "no-store"})[1] == "bypass"
            # Other routes, and errors of the upstream with their status.
            assert MODEL in [m.id for m in client.models.list()]
            assert len(client.embeddings.create(model="minilm", input="x").data[0].embedding) == 384
            try:
                ask(client, "What is the capital of Austria?", max_tokens=-1)
                assert False, "a negative number of tokens"
            except BadRequestError as error: assert "max_tokens" in str(error), error
        rows = f.json("cache", "list")
        assert rows and any(row["question"] == "What is the capital of Austria?" and row["hits"] >= 2 for row in rows), rows
        assert f.json("cache", "show", str(rows[0]["id"]))["answer"]
        fact = next(row for row in f.json("cache", "stats") if row["category"] == "fact")
        assert fact["counts"]["similar"] >= 1 and fact["counts"]["exact"] >= 1, fact
        assert "erased" in f.run("cache", "clear", "--matching", "austria").stdout
        assert not [row for row in f.json("cache", "list") if "Austria" in row["question"]]
        assert f.run("cache", "clear", check=False).returncode == 2, "a slip erases nothing"
        with open(f.path + "/cache.db", "rb") as file: assert b"Austria" not in file.read()


@test
def keys_never_share_answers():
    from openai import AuthenticationError, OpenAI
    with Folder() as f, Server(f, "--model", MODEL) as server:
        ana, ben = (f.run("keys", "create", name, "--user", name).stdout.strip() for name in ("ana", "ben"))
        f.environment["MNEME_UPSTREAM_KEY"] = ana
        with Server(f, "--upstream", server.url + "/v1", command="proxy") as proxy:
            try:
                ask(OpenAI(base_url=proxy.url + "/v1", api_key="mn_wrong"), "What is the capital of France?")
                assert False, "a wrong key"
            except AuthenticationError: pass
            clients = [OpenAI(base_url=proxy.url + "/v1", api_key=key) for key in (ana, ben)]
            for client in clients: assert ask(client, "What is the capital of France?")[1] == "miss"
            for client in clients: assert ask(client, "What is the capital of France?")[1] == "hit"
            assert ask(clients[0], "What is the capital of France?", user="x")[1] == "miss"


@test
def policies_are_followed_at_once_and_questions_evaluated():
    from openai import OpenAI
    with Folder() as f, Server(f, "--model", MODEL) as server:
        with Server(f, "--upstream", server.url + "/v1", command="proxy") as proxy:
            client = OpenAI(base_url=proxy.url + "/v1", api_key="any")
            f.run("cache", "set", "fact", "--reuse", "exact", "--time-to-live", "2h")
            ask(client, "What is the capital of France?")
            assert ask(client, "Please tell me what the capital of France is")[1] == "miss"
            f.run("cache", "set", "fact", "--standard")
            assert ask(client, "Do you know what the capital of France is?")[1] == "similar"
        for wrong in (("fact", "--threshold", "2"), ("nothing",), ("fact", "--quota", "-1"), ("fact", "--reuse", "x")):
            assert f.run("cache", "set", *wrong, check=False).returncode == 2, wrong
        here = os.path.dirname(os.path.abspath(__file__))
        made = subprocess.run(["python3", here + "/../../scripts/make_cache_data.py", "test"], capture_output=True, text=True, check=True)
        with open(f.path + "/questions.jsonl", "w") as out: out.write(made.stdout)
        rows = {row["name"]: row for row in f.json("cache", "eval", f.path + "/questions.jsonl")}
        chosen = rows["policy by category"]
        hits = chosen["exact"] + chosen["similar"]
        assert hits >= 0.4 * chosen["questions"] and chosen["falseHits"] < 0.01 * hits, chosen
        assert rows["cosine 0.80"]["falseHits"] > chosen["falseHits"]
        assert rows["learned, words"]["stale"] > chosen["stale"], "one time to live for all gives stale answers"
        with open(f.path + "/questions.jsonl", "w") as out: out.write('{"at": 1}\n')
        assert f.run("cache", "eval", f.path + "/questions.jsonl", check=False).returncode == 2


run_tests()
