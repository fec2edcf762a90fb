#!/usr/bin/env python3
"""Compares Mneme's rendering of published chat templates with the reference's.

    python3 scripts/check_templates.py .build/release/mneme FOLDER

FOLDER holds *.jinja files, such as models/templates of llama.cpp's source. Needs jinja2. The reference is set up as transformers
does it. A template that refuses the messages must be refused by both.
"""
import glob, json, os, subprocess, sys
from datetime import datetime, timezone
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2 import TemplateError as JinjaError
from jinja2.ext import Extension


class Generation(Extension):
    tags = {"generation"}

    def parse(self, parser):
        next(parser.stream)
        return parser.parse_statements(["name:endgeneration"], drop_needle=True)


def reference(text, variables):
    def refuse(message):
        raise JinjaError(message)
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
    environment.filters["tojson"] = lambda value, ensure_ascii=False, indent=None, separators=None, sort_keys=False: json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
    environment.globals["raise_exception"] = refuse
    environment.globals["strftime_now"] = lambda form: datetime.now(timezone.utc).strftime(form)
    return environment.from_string(text).render(**variables)


talks = [
    [{"role": "user", "content": "Hi there"}],
    [{"role": "system", "content": "Be brief."}, {"role": "user", "content": " What's 1 < 2? "}, {"role": "assistant", "content": "Yes.\n"}, {"role": "user", "content": "Why?\n\nTell me"}],
    [{"role": "user", "content": "a"}, {"role": "assistant", "content": "<think>hm</think>b"}, {"role": "user", "content": "c"}],
]
binary, folder = sys.argv[1:3]
good, bad = 0, []
for path in sorted(glob.glob(folder + "/*.jinja")):
    text = open(path, encoding="utf-8").read()
    problem = None
    for talk in talks:
        variables = {"messages": talk, "add_generation_prompt": True, "bos_token": "<s>", "eos_token": "</s>"}
        try:
            expected = reference(text, variables)
        except Exception as error:
            expected = None
        result = subprocess.run([binary, "models", "render", path], input=json.dumps(variables), capture_output=True, text=True)
        if expected is None:
            if result.returncode == 0:
                problem = "rendered what the reference refuses"
        elif result.returncode != 0:
            problem = result.stderr.strip()
        elif result.stdout != expected:
            place = next((i for i, (a, b) in enumerate(zip(result.stdout, expected)) if a != b), min(len(result.stdout), len(expected)))
            problem = f"differs at {place}: {result.stdout[place - 20:place + 30]!r} instead of {expected[place - 20:place + 30]!r}"
        if problem:
            break
    if problem:
        bad.append((os.path.basename(path), problem))
    else:
        good += 1
print(f"{good} templates equal the reference's")
for name, problem in bad:
    print(f"  {name}: {problem}")
