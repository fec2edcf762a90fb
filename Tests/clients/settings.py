#!/usr/bin/env python3
"""Tests of settings, of commands that ask a running server, of metrics and of traces' variables.

    python3 Tests/clients/settings.py .build/release/mneme [NAME …]
"""
import http.server, json, re, threading, time, urllib.request

from harness import Folder, Server, run_tests, test


@test
def a_setting_comes_from_option_environment_file_or_program():
    with Folder() as f:
        def config(): return f.json("config")
        assert config()["port"] == {"value": "8420", "source": "built in", "help": "Its port; 0 is any."}, config()["port"]
        file = f.path + "/settings.json"
        with open(file, "w") as out: json.dump({"port": 8421, "kv_memory": 1.5, "allow_origin": ["https://a.example", "https://b.example"]}, out)
        assert config()["port"]["value"] == "8421" and config()["port"]["source"] == file
        assert config()["kv_memory"]["value"] == "1.5" and config()["allow_origin"]["value"] == "https://a.example,https://b.example"
        f.environment["MNEME_PORT"] = "8422"
        assert config()["port"] == {"value": "8422", "source": "MNEME_PORT", "help": "Its port; 0 is any."}
        f.environment["MNEME_PORT"] = ""
        assert config()["port"]["value"] == "8421", "an empty variable counts as not set"
        other = f.path + "/other.json"
        with open(other, "w") as out: json.dump({"port": 8423}, out)
        assert f.json("config", "--config", other)["port"]["value"] == "8423"
        f.environment["MNEME_CONFIG"] = other
        assert config()["port"]["value"] == "8423" and f.json("--config=" + file, "config")["port"]["value"] == "8421"
        # The harness starts the server with --port 0, which counts before the file.
        with Server(f, "--no-embedder") as server: assert not server.url.endswith(":8423"), server.url
        f.environment["MNEME_KV_REMOTE"] = "redis://:secret@localhost"
        assert "secret" not in f.run("config").stdout + f.run("config", "--json").stdout


@test
def a_wrong_setting_is_named_with_its_place():
    with Folder() as f:
        file = f.path + "/settings.json"
        for text, words in (('{"prot": 1}', ["'prot'", file, "port"]), ('{"port": 70000}', ["'port'", file, "65535"]),
                            ('{"port": "x"}', ["'port'", file]), ('{"kv_codec": "f8"}', ["'kv_codec'", "f16"]),
                            ('{"allow_origin": "x"}', ["'allow_origin'", "list"]), ("[1]", [file]), ("{", [file]), ('{"a": 1, "a": 2}', [file])):
            with open(file, "w") as out: out.write(text)
            result = f.run("stats", check=False)
            assert result.returncode == 2 and all(word in result.stderr for word in words), (text, result)
        with open(file, "w") as out: out.write("{}")
        f.environment["MNEME_RATE_LIMIT"] = "many"
        result = f.run("stats", check=False)
        assert result.returncode == 2 and "MNEME_RATE_LIMIT" in result.stderr, result
        del f.environment["MNEME_RATE_LIMIT"]
        for arguments in (["config", "--config"], ["config", "--config", f.path + "/none.json"]):
            assert f.run(*arguments, check=False).returncode == 2, arguments


@test
def commands_ask_a_running_server():
    with Folder() as there, Folder() as here:
        with Server(there) as server:
            here.environment["MNEME_SERVER"] = server.url
            made = here.json("remember", "Tom's boat is called Marigold & Söhne.", "--user", "tom", "--tag", "boat")["memories"][0]
            assert here.json("recall", "What is the boat called?", "--user", "tom")["memories"][0]["memory"]["id"] == made["id"]
            assert here.json("list", "--user", "tom", "--tag", "boat", "--limit", "5")["memories"][0]["id"] == made["id"]
            assert "Marigold" in here.run("get", made["id"], "--user", "tom").stdout
            assert there.json("stats", "--user", "tom")["memories"] == 1
            notes = here.path + "/notes.txt"
            with open(notes, "w") as out: out.write("The anchor lies in the shed.\n")
            here.run("import", notes, "--user", "tom")
            here.run("export", "--user", "tom", "-o", here.path + "/out.jsonl")
            with open(here.path + "/out.jsonl") as file: assert "anchor" in file.read()
            # A store that is named, and no server, are meant as they stand.
            local = ["--store", here.path + "/own.db", "--no-embedder"]
            here.run("remember", "Only here.", *local)
            assert here.json("stats", *local)["memories"] == 1
            for arguments, code, word in ((["get", "01890000-0000-7000-8000-000000000000"], 1, "no memory"), (["list", "--limit", "0"], 2, "limit"),
                                          (["stats", "--server", "nowhere"], 2, "address"), (["stats", "--server", "http://127.0.0.1:1"], 1, "does not answer"),
                                          (["stats", "--server", server.url, "--store", "x.db"], 2, "two places")):
                result = here.run(*arguments, check=False)
                assert result.returncode == code and word in result.stderr, (arguments, result)
            # A key that is made closes the server to those without one.
            key = re.search(r"mn_\w+", there.run("keys", "create", "tom", "--user", "tom").stdout).group()
        with Server(there) as server:
            here.environment["MNEME_SERVER"] = server.url
            refused = here.run("list", check=False)
            assert refused.returncode == 1 and "MNEME_API_KEY" in refused.stderr, refused
            here.environment["MNEME_API_KEY"] = key
            assert here.json("list")["memories"][0]["scope"]["user"] == "tom"


def families(text):
    """Reads Prometheus text (format 0.0.4) strictly: types by name, samples by name and labels."""
    types, samples, current = {}, {}, None
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "): current = line.split(" ", 3)[2]
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == current and name not in types and kind in ("counter", "gauge", "histogram"), line
            types[name] = kind
        else:
            found = re.fullmatch(r'([a-zA-Z_:][\w:]*)(?:\{((?:\w+="(?:[^"\\\n]|\\[\\n"])*",?)*)\})? (\S+)', line)
            assert found, line
            name = found[1]
            base = re.sub(r"_(bucket|sum|count)$", "", name) if types[current] == "histogram" else name
            assert base == current, line
            key = (name, tuple(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', found[2] or "")))
            assert key not in samples, line
            samples[key] = float(found[3])
    return types, samples


@test
def metrics_are_of_their_kinds():
    with Folder() as f, Server(f, "--model", "smollm2") as server:
        def read(): return families(urllib.request.urlopen(server.url + "/metrics").read().decode())
        body = json.dumps({"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8}).encode()
        urllib.request.urlopen(urllib.request.Request(server.url + "/v1/chat/completions", body, {"Content-Type": "application/json"})).read()
        types, before = read()
        for name in ("mneme_requests_total", "mneme_kv_tokens", "mneme_llm_answer_tokens", "mneme_kv_evicted_blocks", "process_cpu_seconds_total"):
            assert types[name] == "counter", (name, types[name])
        for name in ("mneme_memories", "mneme_kv_bytes", "mneme_llm_running", "process_resident_memory_bytes", "process_open_fds"):
            assert types[name] == "gauge", (name, types[name])
        assert [key for key in before if key[0] == "mneme_build_info"][0][1][0][0] == "version"
        assert abs(time.time() - before[("process_start_time_seconds", ())]) < 600
        for name in ("mneme_request_seconds", "mneme_llm_time_to_first_token_seconds", "mneme_llm_time_between_tokens_seconds"):
            assert types[name] == "histogram", name
        # Buckets rise, and the last is the count.
        first = "mneme_llm_time_to_first_token_seconds"
        buckets = [value for (name, _), value in before.items() if name == first + "_bucket"]
        assert buckets == sorted(buckets) and buckets[-1] == before[(first + "_count", ())] == 1, buckets
        _, after = read()
        key = ("mneme_requests_total", (("operation", "metrics"), ("status", "200")))
        assert after[key] == before.get(key, 0) + 1
        for (name, labels), value in before.items():
            if types.get(name) == "counter": assert after[(name, labels)] >= value, name


@test
def traces_follow_the_environment():
    seen = []

    class Collector(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.append((self.path, self.headers.get("x-key"), body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_): pass

    collector = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{collector.server_port}"

    def spans(**variables):
        del seen[:]
        with Folder() as f:
            f.environment.update(variables)
            with Server(f, "--no-embedder") as server: urllib.request.urlopen(server.url + "/v1/stats").read()
        return seen

    sent = spans(OTEL_EXPORTER_OTLP_ENDPOINT=address, OTEL_EXPORTER_OTLP_HEADERS="x-key=a%20b", OTEL_SERVICE_NAME="notes",
                 OTEL_RESOURCE_ATTRIBUTES="deployment.environment=test")
    assert sent and sent[0][0] == "/v1/traces" and sent[0][1] == "a b", sent
    attributes = {a["key"]: a["value"]["stringValue"] for a in sent[0][2]["resourceSpans"][0]["resource"]["attributes"]}
    assert attributes["service.name"] == "notes" and attributes["deployment.environment"] == "test", attributes
    assert spans(OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=address + "/here")[0][0] == "/here"
    assert not spans(OTEL_EXPORTER_OTLP_ENDPOINT=address, OTEL_TRACES_SAMPLER="always_off")
    assert not spans(OTEL_EXPORTER_OTLP_ENDPOINT=address, OTEL_SDK_DISABLED="true")
    assert not spans(OTEL_EXPORTER_OTLP_ENDPOINT=address, OTEL_TRACES_EXPORTER="none")
    with Folder() as f:
        for name, value in (("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), ("OTEL_TRACES_SAMPLER", "some"), ("OTEL_EXPORTER_OTLP_HEADERS", "x"),
                            ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon")):
            f.environment.update({"OTEL_EXPORTER_OTLP_ENDPOINT": address, name: value})
            result = f.run("serve", "--port", "0", "--no-embedder", check=False)
            assert result.returncode == 2 and name in result.stderr, result
            del f.environment[name]
    collector.shutdown()


run_tests()
