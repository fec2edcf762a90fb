#!/usr/bin/env python3
"""Compares the imports of each target with what Package.swift declares for it.

Reported are modules of this package, or of a package it depends on, that are imported and not declared (SwiftPM lets
such imports pass as long as something else brings the module in), and dependencies that are declared and that no file
of the target imports."""
import json
import pathlib
import re
import subprocess
import sys

IMPORT = re.compile(
    r"^ *(?:@\w+ )?(?:public |package |internal |private )?import "
    r"(?:struct |protocol |class |enum |func |typealias )?(\w+)", re.M)
SYSTEM = {"CoreFoundation", "Darwin", "Dispatch", "Foundation", "FoundationEssentials", "FoundationNetworking", "Glibc",
          "Swift", "Synchronization", "Testing"}

dump = subprocess.run(
    ["swift", "package", "--ignore-lock", "dump-package"], capture_output=True, check=True).stdout
undeclared, unused = [], []
for target in json.loads(dump)["targets"]:
    declared = {value[0] for dependency in target["dependencies"] for value in dependency.values()}
    folder = pathlib.Path("Tests" if target["type"] == "test" else "Sources", target["name"])
    imported = set()
    for file in sorted(folder.rglob("*.swift")):
        modules = set(IMPORT.findall(file.read_text(encoding="utf-8")))
        imported |= modules
        undeclared += [f"{file}: {module}" for module in sorted(modules - declared - SYSTEM)]
    unused += [f"{target['name']}: {name}" for name in sorted(declared - imported)]
if undeclared:
    print("Package.swift does not declare these imports:\n" + "\n".join(undeclared), file=sys.stderr)
if unused:
    print("No file imports these dependencies of its target:\n" + "\n".join(unused), file=sys.stderr)
sys.exit(bool(undeclared or unused))
