#!/usr/bin/env python3
"""Says which targets import a module of this package, or of a package it depends on, that Package.swift does not
declare for them: SwiftPM lets such imports pass as long as something else brings the module in."""
import json
import pathlib
import re
import subprocess
import sys

IMPORT = re.compile(
    r"^(?:@\w+ )?(?:public |package )?import (?:struct |protocol |class |enum |func |typealias )?(\w+)", re.M)
SYSTEM = {"CoreFoundation", "Dispatch", "Foundation", "FoundationEssentials", "FoundationNetworking", "Glibc", "Swift",
          "Synchronization", "Testing"}

package = json.loads(subprocess.run(["swift", "package", "--ignore-lock", "dump-package"], capture_output=True, check=True).stdout)
wrong = []
for target in package["targets"]:
    declared = {value[0] for dependency in target["dependencies"] for value in dependency.values()}
    folder = pathlib.Path("Tests" if target["type"] == "test" else "Sources", target["name"])
    for file in sorted(folder.rglob("*.swift")):
        for module in sorted(set(IMPORT.findall(file.read_text(encoding="utf-8"))) - declared - SYSTEM):
            wrong.append(f"{file}: {module}")
if wrong:
    sys.exit("Package.swift does not declare these imports:\n" + "\n".join(wrong))
