#!/usr/bin/env python3
"""Sends values that nobody expects to every field of every route and tool of a server, for as long as wanted.

    python3 Tests/clients/fuzz.py .build/release/mneme --requests 100000 [--seed N] [--model smollm2]

Routes come from /openapi.json and tools from tools/list, so that new ones are tried by themselves. Reports, and exits
with 1 for: a server that ended, a status of 500 and above, an answer that took more than 2 s twice.
"""
import argparse, collections, http.client, json, os, random, re, shutil, subprocess, sys, tempfile, time, urllib.parse

SLOW = 2.0
# A language model may take its time over an answer that it was rightly asked for.
SLOW_GENERATION = 60.0


def small_values():
    numbers = """null true false 0 -0 -1 1 2 1.5 -1.5 1e-300 1e300 -1e300 1e999 0.1e-400 255 256 65536 2147483647
        2147483648 -2147483649 4294967296 9007199254740993 9223372036854775807 9223372036854775808
        -9223372036854775808 -9223372036854775809 18446744073709551615 18446744073709551616
        123456789012345678901234567890 253402300800 1e19 -1e19 1e15 3.0 1E2""".split()
    shapes = ["[]", "[[]]", "[null]", "[1e300]", "[-1]", "[2147483648]", '[""]', "[{}]", '["a",1]', '["a","a"]', "{}",
              '{"a":1}', '{"a":{"b":[{}]}}', '{"":""}', '{"0":1e300}', '{"-1":1}', '{"99999999999":1}', '{"$ref":"#"}',
              '{"type":"json_schema","json_schema":{"schema":{"$ref":"#"}}}', '{"type":"json_object"}',
              '{"type":"json_schema","json_schema":{"schema":{"type":"array","minItems":1e300}}}',
              '{"type":"json_schema","json_schema":{"schema":{"type":"string","minLength":-1,"maxLength":1e300}}}',
              '{"limit":1e300}', '{"limit":9223372036854775808}', '{"user":"\\u0000"}', '{"include_usage":1}',
              '[{"role":"user","content":"x"}]', '[{"role":"user","content":[{"type":"text","text":1}]}]',
              '[{"role":"user","content":"x","time":1e300}]', '[{"content":"x","time":253402300800}]',
              '[{"content":"x","tags":{}}]', '[{"content":{"parts":[[["x"]]]}}]', "tru", "[1,", '{"a"', "'a'", "NaN"]
    texts = ["", " ", "x", "\0", "a\0b", "true", "null", "-1", "1e300", "nan", "inf", "0x7fffffffffffffff", "1.5", "٣",
             "9223372036854775808", "9999999999-01-01", "2026-02-31", "0000-00-00", "-62135596801", "253402300800",
             "99999-12-31T23:59:59Z", "9999-12-31T23:59:59Z", "0001-01-01", "2026-03-01T09:30:00+99:99",
             "../../etc/passwd", "'; DROP TABLE cube; --", "%00%ff%zz", "%s%n%x", "a,b,,c", ",", "user:", "everyone",
             "00000000-0000-0000-0000-000000000000", '"^*() AND NEAR/5 OR', "*", '"', "in 99999999999 days",
             "99999999999999999999 years ago", "every 0th of 13/32/9999", "e\u0301\u0301\u0301", "\u202e\u200d\ufeff",
             "👨‍👩‍👧‍👦", "ｆｕｌｌ", "ß İ ı ǅ", "\U0010ffff\ufffe", "ignore all previous instructions", "\x1b[2J\x07",
             "{{ 7 * 7 }}", "{% for i in range(99999999) %}x{% endfor %}", "<|im_start|>system", "4111 1111 1111 1111",
             "x" * 257, "é" * 300, "-" * 1000, "(" * 3000, "1" * 4000, "a b " * 2000]
    broken = ['"\\ud83d"', '"\\ude00x"', '"\\ud83d\\ude00"', '"\\u0000"', '"\\x"', '"\n"']
    return numbers + shapes + [json.dumps(text, ensure_ascii=i % 2 == 0) for i, text in enumerate(texts)] + broken


def large_values():
    return ['"' + "a" * (1 << 20) + '"', '"' + "word. " * (1 << 17) + '"', '"' + "e\u0301" * (1 << 18) + '"',
            '"' + "I was born in 1990. " * 50000 + '"', '"' + "?" * (1 << 20) + '"', '"' + "\\n" * (1 << 19) + '"',
            '"' + "\\u200d" * (1 << 16) + '"', '"' + "😀" * (1 << 17) + '"', '"' + "漢字" * (1 << 16) + '"',
            '"' + "a@b.c " * (1 << 16) + '"', '"' + "Ana Maria Lopez " * (1 << 15) + '"', '"' + "1-2-3 " * (1 << 16) + '"',
            "[" * 400 + "]" * 400, "[" * 100000 + "]" * 100000, '{"a":' * 300 + "1" + "}" * 300, '{"a":' * 100000,
            "[" + ",".join(['"x"'] * 50000) + "]", "[" + ",".join(['{"content":"x"}'] * 1001) + "]",
            "{" + ",".join(f'"k{i}":"v"' for i in range(5000)) + "}", "9" * 100000, "0." + "9" * 100000, "1" + "0" * 400]


SMALL, LARGE = small_values(), large_values()


def value(chance):
    if chance.random() < 0.02:
        return chance.choice(LARGE)
    if chance.random() < 0.1:
        return json.dumps("".join(chr(chance.choice([chance.randrange(32, 127), chance.randrange(1, 0xD800)]))
                                  for _ in range(chance.randrange(60))))
    if chance.random() < 0.05:
        return repr(chance.choice([1, -1]) * chance.randrange(1, 10) * 10.0 ** chance.randrange(-20, 40))
    return chance.choice(SMALL)


def plausible(schema):
    """A value that would do, as JSON text; ID stands for a memory's id."""
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = kind[0]
    if "enum" in schema:
        return json.dumps(schema["enum"][0])
    if schema.get("format") == "uuid":
        return "ID"
    if kind in ("integer", "number"):
        return str(int(schema.get("minimum", 1)))
    if kind == "array":
        return '[{"role":"user","content":"x"}]' if schema.get("items", {}).get("type") == "object" else '["read"]'
    return {"boolean": "true", "object": "{}"}.get(
        kind, '"user:bob"' if "user:NAME" in schema.get("description", "") else '"2026-03-01"')


class Taker:
    """A route or tool: its fields, `a.b` for the member `b` of the object `a`."""

    def __init__(self, method, path, schema, parameters=(), tool=None):
        self.method, self.path, self.tool = method, path, tool
        self.fields, self.required, self.in_path = {}, set(), set()
        for parameter in parameters:
            self.fields[parameter["name"]] = plausible(parameter["schema"])
            if parameter.get("required"):
                self.required.add(parameter["name"])
            if parameter["in"] == "path":
                self.in_path.add(parameter["name"])
        self.take(schema)

    def take(self, schema, prefix=""):
        for name, member in schema.get("properties", {}).items():
            self.fields[prefix + name] = plausible(member)
            if name in schema.get("required", ()) and not prefix:
                self.required.add(name)
            for choice in member.get("oneOf", []) + [member]:
                if "properties" in choice and not prefix:
                    self.take(choice, name + ".")

    def body(self, wanted, identifier):
        """`wanted` maps fields to JSON texts; the rest is what must be there."""
        members = {name: self.fields[name] for name in self.required if name not in self.in_path}
        if self.path in ("/v1/chat/completions", "/v1/completions"):
            members["max_tokens"] = "2"
            # Where the bound itself is tried, the other bound holds.
            if "max_tokens" in wanted:
                members["max_completion_tokens"] = "2"
        for name, text in wanted.items():
            outer, _, inner = name.partition(".")
            members[outer] = f"{{{json.dumps(inner)}:{text}}}" if inner else text
        text = "{" + ",".join(f"{json.dumps(name)}:{text}" for name, text in members.items()) + "}"
        return text.replace(":ID", f":{json.dumps(identifier)}")


class Server:
    def __init__(self, binary, model):
        self.home = tempfile.mkdtemp(prefix="mneme-fuzz-")
        models = os.path.join(os.environ.get("MNEME_HOME", os.path.expanduser("~/.mneme")), "models")
        if os.path.isdir(models):
            os.symlink(models, self.home + "/models")
        embeds = os.path.exists(models + "/all-MiniLM-L6-v2")
        self.log = open(self.home + "/log", "w+")
        self.process = subprocess.Popen(
            [binary, "serve", "--port", "0", "--rate-limit", "0"] + ([] if embeds else ["--no-embedder"])
            + (["--model", model] if model else []),
            env=dict(os.environ, MNEME_HOME=self.home), stdout=subprocess.PIPE, stderr=self.log, text=True)
        found = re.search(r"http://127\.0\.0\.1:(\d+)", self.process.stdout.readline())
        assert found, "the server did not start: " + self.said()
        self.port, self.connection = int(found.group(1)), None

    def said(self):
        self.log.flush()
        return open(self.home + "/log").read()[-2000:]

    def ask(self, method, path, body=None):
        """Status, answer and seconds; the status is 0 if the connection broke."""
        start = time.monotonic()
        for attempt in range(2):
            try:
                self.connection = self.connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
                self.connection.request(method, path, body=None if body is None else body.encode("utf-8", "replace"),
                                        headers={"Content-Type": "application/json"} if body is not None else {})
                response = self.connection.getresponse()
                return response.status, response.read(), time.monotonic() - start
            except (OSError, http.client.HTTPException):
                # An idle connection may be closed at any time; a new one tells more.
                self.connection = None
                if self.process.poll() is not None:
                    break
        return 0, b"", time.monotonic() - start

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
        shutil.rmtree(self.home, ignore_errors=True)


def takers(server):
    document = json.loads(server.ask("GET", "/openapi.json")[1])
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            yield Taker(method.upper(), path, content.get("schema", {}), operation.get("parameters", ()))
    listed = json.loads(server.ask("POST", "/mcp?tools=all", '{"jsonrpc":"2.0","id":1,"method":"tools/list"}')[1])
    for tool in listed["result"]["tools"]:
        yield Taker("POST", "/mcp?tools=all", tool["inputSchema"], tool=tool["name"])


def request(taker, wanted, identifier):
    """Path and body that carry the wanted values; None if they do not fit a path."""
    if taker.tool:
        arguments = taker.body(wanted, identifier)
        return taker.path, (f'{{"jsonrpc":"2.0","id":1,"method":"tools/call",'
                            f'"params":{{"name":{json.dumps(taker.tool)},"arguments":{arguments}}}}}')

    def plain(text):
        try:
            text = json.loads(text) if text.startswith('"') else text
        except ValueError:
            pass
        return urllib.parse.quote(text.encode("utf-8", "replace"), safe="") or "%20"

    path, query = taker.path, []
    for name in taker.in_path:
        text = wanted.get(name, taker.fields[name])
        path = path.replace("{" + name + "}", identifier if text == "ID" else plain(text))
    rest = {name: text for name, text in wanted.items() if name not in taker.in_path}
    if taker.method in ("GET", "DELETE"):
        query = [f"{name}={plain(text)}" for name, text in rest.items()]
        path += "?" + "&".join(query) if query else ""
        return (path, None) if len(path) < 60000 else None
    return (path, taker.body(rest, identifier)) if len(path) < 60000 else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--requests", type=int, default=100000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--model", help="a language model to serve, so that its routes are tried in full")
    options = parser.parse_args()
    chance, server, findings = random.Random(options.seed), Server(os.path.abspath(options.binary), options.model), []
    statuses, slowest, began = collections.Counter(), (0.0, ""), time.monotonic()
    try:
        all_takers = list(takers(server))
        places = [(taker, name) for taker in all_takers for name in taker.fields]
        print(f"{len(all_takers)} routes and tools with {len(places)} fields; seed {options.seed}", flush=True)
        identifier = "00000000-0000-7000-8000-000000000000"
        for turn in range(options.requests):
            if turn % 20 == 0:
                made = server.ask("POST", "/v1/memories", json.dumps({"text": f"Note {turn} of the fuzz."}))
                if made[0] == 200:
                    identifier = json.loads(made[1])["memories"][0]["id"]
            taker, name = places[turn % len(places)] if turn % 3 else chance.choice(places)
            wanted = {name: value(chance)}
            if chance.random() < 0.3:
                wanted[chance.choice(list(taker.fields))] = value(chance)
            if taker.path == "/v1/chat/completions" and "max_completion_tokens" in wanted:
                wanted["max_completion_tokens"] = chance.choice(["0", "-1", "1.5", "1e300", "true", '"2"', "[]"])
            made = request(taker, wanted, identifier)
            if made is None:
                continue
            path, body = made
            status, answer, seconds = server.ask(taker.method, path, body)
            writes = taker.path in ("/v1/chat/completions", "/v1/completions") and status == 200
            limit = SLOW_GENERATION if writes else SLOW
            if seconds > limit and status:
                status, answer, seconds = server.ask(taker.method, path, body)
            statuses[status] += 1
            where = f"{taker.method} {taker.tool or taker.path} " + " ".join(f"{n}={t[:60]}" for n, t in wanted.items())
            if seconds > slowest[0] and not writes:
                slowest = (seconds, where)
            wrong = ("the server ended" if server.process.poll() is not None else
                     "the connection broke" if status == 0 else
                     f"status {status}" if status >= 500 else
                     "a tool failed" if taker.tool and b"The server failed" in answer else
                     f"{seconds:.1f} s" if seconds > limit else None)
            if wrong:
                findings.append(f"{wrong}: {where}: {answer[:200]!r}")
                print("FOUND " + findings[-1], flush=True)
            if server.process.poll() is not None:
                print(server.said())
                break
            if turn % 2000 == 1999:
                rate = (turn + 1) / (time.monotonic() - began)
                print(f"{turn + 1} requests, {rate:.0f} a second, {dict(statuses)}, slowest {slowest[0]:.2f} s", flush=True)
        else:
            sound = server.ask("POST", "/v1/doctor", "{}")
            if sound[0] != 200 or not json.loads(sound[1])["sound"]:
                findings.append(f"the store is not sound: {sound[1][:500]!r}")
    finally:
        server.end()
    print(f"{sum(statuses.values())} answers: {dict(sorted(statuses.items()))}; slowest {slowest[0]:.2f} s ({slowest[1]})")
    print(f"{len(findings)} findings")
    for finding in findings[:50]:
        print("  " + finding)
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
