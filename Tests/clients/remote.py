#!/usr/bin/env python3
"""Tests of keys and values on a Redis server over TLS, and of erasing there from the command line.

    python3 Tests/clients/remote.py .build/release/mneme [NAME …]

They need redis-server with TLS, openssl and the language model smollm2; without one, all are skipped.
"""
import json, os, shutil, socket, subprocess, time, urllib.request

from harness import HOME, Folder, Server, run_tests, test


class Redis:
    """A server over TLS alone, with an authority of its own; it ends with the test."""

    def __init__(self, folder):
        self.folder = folder + "/redis"
        os.makedirs(self.folder)
        def openssl(*words): subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True)
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        openssl("req", "-x509", *curve, "-days", "2", "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem")
        openssl("req", *curve, "-subj", "/CN=server", "-keyout", "server.key", "-out", "server.csr")
        with open(self.folder + "/names", "w") as out: out.write("subjectAltName=DNS:localhost\n")
        openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names", "-out", "server.pem")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"rediss://:word@localhost:{self.port}?ca={self.folder}/ca.pem"
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--tls-port", str(self.port), "--bind", "127.0.0.1", "--tls-cert-file", "server.pem", "--tls-key-file", "server.key",
             "--tls-ca-cert-file", "ca.pem", "--tls-auth-clients", "no", "--requirepass", "word", "--save", "", "--dir", self.folder], cwd=self.folder, stdout=subprocess.DEVNULL)
        for _ in range(100):
            if self.ask("PING") == "PONG": return
            time.sleep(0.1)
        raise AssertionError("redis-server does not start")

    def stop(self):
        self.process.kill()
        self.process.wait()

    def ask(self, *words):
        return subprocess.run(["redis-cli", "-h", "localhost", "-p", str(self.port), "--tls", "--cacert", self.folder + "/ca.pem", "-a", "word", "--no-auth-warning", *words],
                              capture_output=True, text=True).stdout.strip()


def with_redis(function):
    """Runs a test with a folder and a server, or says why it cannot."""
    def run():
        missing = [name for name in ("redis-server", "redis-cli", "openssl") if not shutil.which(name)]
        if missing: return f"there is no {missing[0]}"
        if not os.path.exists(HOME + "/models/smollm2"): return "there is no model smollm2"
        with Folder() as f:
            redis = Redis(f.path)
            try: return function(f, redis)
            finally: redis.stop()
    run.__name__ = function.__name__
    return test(run)


def chat(server, text, user):
    body = dict(messages=[{"role": "user", "content": text}], max_tokens=4, memory={"user": user})
    urllib.request.urlopen(urllib.request.Request(server.url + "/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}), timeout=120).read()


@with_redis
def erasing_reaches_the_server(f, redis):
    f.environment["MNEME_EMBEDDER"] = "none"
    with Server(f, "--model", "smollm2", "--kv-remote", redis.url, "--kv-disk", "0") as server:
        chat(server, "My secret word is Xylophone-4711. " * 12, "ana")
        chat(server, "Boats are what I like to talk about, for as long as anybody listens. " * 8, "tom")
        # Both begin alike; each has blocks of its own behind that.
        sets = ["mneme:kv:source:owner:default/ana", "mneme:kv:source:owner:default/tom"]
        for _ in range(150):
            if redis.ask("SDIFF", *sets) and redis.ask("SDIFF", *reversed(sets)): break
            time.sleep(0.1)
    # The list of servers knows it, without the password.
    with open(f.path + "/kv-remotes") as file: kept = file.read()
    assert f"rediss://localhost:{redis.port}/0" in kept and "word" not in kept, kept
    memories = f.json("list", "--user", "ana")["memories"]
    assert memories, "nothing was remembered"
    # Without the password the server refuses, and nothing is erased.
    result = f.run("erase", memories[0]["id"], "--user", "ana", check=False)
    assert result.returncode == 1 and "may be left on rediss://localhost" in result.stderr and "MNEME_KV_REMOTE" in result.stderr, result
    assert [each["id"] for each in f.json("list", "--user", "ana")["memories"]] == [each["id"] for each in memories]
    f.environment["MNEME_KV_REMOTE"] = redis.url
    shown = f.run("kv", "remotes").stdout
    assert f"rediss://localhost:{redis.port}/0" in shown and "word@" not in shown and " 0 blocks" not in shown and "blocks" in shown, shown
    before = int(redis.ask("DBSIZE"))
    result = f.run("erase", memories[0]["id"], "--user", "ana", "--prove", f.path + "/report.json")
    assert "none was made of it" in result.stdout, result
    assert redis.ask("EXISTS", "mneme:kv:source:owner:default/ana") == "0" and int(redis.ask("DBSIZE")) < before
    with open(f.path + "/report.json") as file: report = json.load(file)
    assert report["elsewhere"][0]["found"] == 0 and report["elsewhere"][0]["searched"] > 0, report["elsewhere"]
    assert f.run("verify-erasure", f.path + "/report.json").returncode == 0
    # Another's stay.
    assert redis.ask("EXISTS", "mneme:kv:source:owner:default/tom") == "1"
    # A server that is away is named, and nothing is said to be erased; one that is no more can be taken off the list.
    redis.stop()
    other = f.json("list", "--user", "tom")["memories"][0]["id"]
    result = f.run("erase", other, "--user", "tom", check=False)
    assert result.returncode == 1 and "may be left on" in result.stderr, result
    assert f.json("get", other, "--user", "tom")["memory"]["id"] == other
    del f.environment["MNEME_KV_REMOTE"]
    f.run("kv", "remotes", "--forget", kept.strip())
    f.run("erase", other, "--user", "tom")
    assert f.run("kv", "remotes", "--forget", kept.strip(), check=False).returncode == 2


@with_redis
def a_second_server_finds_what_the_first_computed(f, redis):
    def ask(server, text):
        body = json.dumps(dict(prompt=text, max_tokens=8, temperature=0)).encode()
        request = urllib.request.Request(server.url + "/v1/completions", body, {"Content-Type": "application/json"})
        answer = json.load(urllib.request.urlopen(request, timeout=120))
        return answer["choices"][0]["text"], answer["usage"]["prompt_tokens_details"]["cached_tokens"]
    story = "The harbour was quiet, and the boats lay side by side in the evening light. " * 12
    options = ("--model", "smollm2", "--kv-remote", redis.url, "--kv-disk", "0")
    # Two processes with homes of their own share nothing but the server; the second goes by the limit of the first.
    with Folder() as other:
        for each in (f, other): each.environment["MNEME_EMBEDDER"] = "none"
        with Server(f, *options, "--kv-remote-memory", "0.05") as first:
            expected, cached = ask(first, story)
            assert cached == 0 and ask(first, story)[0] == expected
            for _ in range(150):
                if int(redis.ask("HGET", "mneme:kv:totals", "bytes") or 0) > 4_000_000: break
                time.sleep(0.1)
            with Server(other, *options) as second:
                found, cached = ask(second, story)
                assert found == expected and cached >= 96, (found, expected, cached)
                # What follows is computed while layers come: with the same words as where all is in memory.
                longer = story + "Then somebody lit a lamp. " * 8
                with_layers, cached = ask(second, longer)
                assert cached >= 96 and with_layers == ask(first, longer)[0]
                metrics = urllib.request.urlopen(second.url + "/metrics", timeout=20).read().decode()
                assert "mneme_kv_remote_tokens" in metrics
                for i in range(12): ask(second, f"{i} sheep, and " + story)
        for _ in range(100):
            sizes = redis.ask("HMGET", "mneme:kv:totals", "bytes", "limit").split()
            if int(sizes[0]) > 40_000_000: break
            time.sleep(0.1)
        assert 30_000_000 < int(sizes[0]) <= int(sizes[1]) == int(0.05 * (1 << 30)), sizes
        other.environment["MNEME_KV_REMOTE"] = redis.url
        shown = other.run("kv", "remotes").stdout
        assert "of 51 MiB" in shown, shown


@with_redis
def what_is_wrong_with_tls_is_said(f, redis):
    # A Redis without TLS says nothing to it: it is asked in plain, and named within a moment.
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    plain = subprocess.Popen(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", redis.folder], stdout=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        f.environment["MNEME_KV_REMOTE"] = f"rediss://localhost:{port}?ca={redis.folder}/ca.pem"
        result = f.run("kv", "remotes", check=False)
        assert "speaks no TLS at this port" in result.stdout + result.stderr, result
        del f.environment["MNEME_KV_REMOTE"]
    finally:
        plain.kill()
        plain.wait()
    for url, words in ((f"rediss://:word@localhost:{redis.port}", "?ca=FILE"), (redis.url.replace("localhost", "127.0.0.1"), "other names than 127.0.0.1"),
                       (redis.url.replace("ca.pem", "none.pem"), "none.pem"), (redis.url + "&cert=a", "cert and key"), ("rediss://", "redis://")):
        result = f.run("generate", "x", "--max-tokens", "1", "--kv-remote", url, check=False)
        assert result.returncode in (1, 2) and words in result.stderr and "word@localhost" not in result.stderr, (url, result)


run_tests()
