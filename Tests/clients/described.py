#!/usr/bin/env python3
"""Compares what a server answers with its own OpenAPI document, by schemathesis. Exits 1 if anything differs.

    python3 Tests/clients/described.py .build/release/mneme [--seconds 300 [--seed N]] [--model smollm2]

Without --seconds the same requests are made every time: every value that the document's schemas mark as an edge, and ten more
of each route. Every route is asked with values that its schema allows and such that it does not. What is wrong: a status of 500
and above, and a status, content type, header, method or body that the document does not name; a route that a wrong key opens.
Needs the packages in requirements.txt. Without a model its routes are asked, too, and refuse what is asked.
"""
import argparse, os, re, subprocess, sys

from harness import Folder, Server

CHECKS = ["not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
          "response_schema_conformance", "unsupported_method", "allow_header_conformance", "ignored_auth"]

options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
options.add_argument("program")
options.add_argument("--seconds", type=int)
options.add_argument("--seed", type=int, default=1)
options.add_argument("--model")
options.add_argument("--checks", default=",".join(CHECKS))
given = options.parse_args()
extent = ["--seed", str(given.seed), "--max-time", str(given.seconds)] if given.seconds else [
    "--generation-deterministic", "--phases", "examples,coverage,fuzzing", "--max-examples", "10", "--seed", "1"]

with Folder() as folder:
    folder.run("remember", "Ana lives in Paris.", "--speaker", "Ana", "--user", "tester")
    made = folder.run("keys", "create", "tester", "--permissions", "read,write,erase,share,admin").stdout
    key = re.search(r"mn_\S+", made).group()
    # A small context keeps answers short.
    model = ["--model", given.model, "--context", "256"] if given.model else []
    with Server(folder, "--rate-limit", "0", *model) as server:
        result = subprocess.run(
            [os.path.join(os.path.dirname(sys.executable), "schemathesis"), "run", server.url + "/openapi.json",
             "--header", "Authorization: Bearer " + key, "--checks", given.checks, *extent,
             "--request-timeout", "60", "--continue-on-failure", "--suppress-health-check", "all",
             "--warnings", "off"], cwd=folder.path)
sys.exit(1 if result.returncode else 0)
