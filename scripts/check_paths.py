#!/usr/bin/env python3
"""Says which files and folders that CONTRIBUTING.md, docs/ and others name are not in the tree.

Checked are texts in backticks that end like a source file or in a slash, and links to files. A name alone
("Ranker.swift") has to be the end of a path that is there; * stands for anything within a name.
"""
import fnmatch
import os
import re
import subprocess
import sys

ENDS = (".swift", ".c", ".h", ".py", ".md", ".sh", ".cpp", ".bib", ".yml", "/")
files = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard"], capture_output=True, text=True, check=True
).stdout.split("\n")
files = [f for f in files if f and os.path.exists(f)]
folders = {"/".join(f.split("/")[:i]) + "/" for f in files for i in range(1, f.count("/") + 1)}
known = files + sorted(folders)
pages = [f for f in files if f in ("CONTRIBUTING.md", "SECURITY.md", "README.md", "CHANGELOG.md")
         or f.startswith("docs/") and f.endswith(".md")]

missing = []
for page in pages:
    text = re.sub(r"^```.*?^```", "", open(page, encoding="utf-8").read(), flags=re.M | re.S)
    for name in re.findall(r"`([^`\s]+)`", text):
        name = name.rstrip(",.;:")
        if not name.endswith(ENDS) or name.startswith(("/", "~", "$", "--", ".build", "-", ".")) or "://" in name:
            continue
        pattern = name if "*" in name else name.replace("[", "[[]")
        if not (fnmatch.filter(known, pattern) or fnmatch.filter(known, "*/" + pattern)):
            missing.append(f"{page}: `{name}`")
    for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        target = os.path.normpath(os.path.join(os.path.dirname(page), link))
        if "://" not in link and not os.path.exists(target):
            missing.append(f"{page}: link {link}")
if missing:
    sys.exit("These are named, but are not there:\n" + "\n".join(missing))
