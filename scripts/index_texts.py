#!/usr/bin/env python3
"""Writes distinct English sentences, one a line, for `mneme bench index --texts`.

    scripts/index_texts.py --limit 1000000 FOLDER... > texts.txt

Takes the summaries of all packages that Debian's apt knows, and then sentences from the text, HTML, reStructuredText and
dictionary files below the folders. A million came from these packages of Debian 12, unpacked with `dpkg-deb -x`:
wordnet-base dict-gcide linux-doc-6.1 perl-doc openjdk-17-doc rust-doc postgresql-doc-15 libboost1.81-doc python3.11-doc
anarchism debian-reference-en. The order is shuffled with a fixed seed, so that any beginning is a fair sample.
"""
import argparse
import gzip
import html
import os
import random
import re
import subprocess
import sys

TAG = re.compile(r"<(script|style|pre)\b.*?</\1>|<[^>]*>", re.S | re.I)
BLOCK = re.compile(r"</?(p|li|td|th|div|h\d|dd|dt|br|tr|ul|table)\b[^>]*>", re.I)
END = re.compile(r"(?<=[a-z0-9)\"'][.!?;])\s+(?=[A-Z\"(\[])")


def packages():
    try:
        out = subprocess.run(["apt-cache", "dumpavail"], capture_output=True, text=True).stdout
    except OSError:
        return
    for line in out.splitlines():
        if line.startswith("Description"):
            yield line.partition(":")[2].strip()


def paragraphs(path):
    data = open(path, "rb").read()
    if path.endswith((".gz", ".dz")):
        data = gzip.decompress(data)
    text = data.decode("utf-8", "replace")
    if re.search(r"\.html?(\.gz)?$", path):
        text = html.unescape(TAG.sub(" ", BLOCK.sub("\n\n", text)))
    elif os.path.basename(path).startswith("data."):  # WordNet: the gloss stands behind a bar
        text = "\n\n".join(line.partition(" | ")[2] for line in text.splitlines())
    return re.split(r"\n\s*\n", text)


def sentences(folder):
    names = re.compile(r"\.(html?|txt|rst|pod|dict\.dz|dict)(\.gz)?$|^data\.|^fortunes")
    for base, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            path = os.path.join(base, name)
            if names.search(name) and not os.path.islink(path):
                for paragraph in paragraphs(path):
                    for sentence in END.split(" ".join(paragraph.split())):
                        yield sentence


def fit(text):
    """A sentence: some words, mostly letters, neither markup nor code."""
    letters = sum(c.isalpha() or c == " " for c in text)
    return 25 <= len(text) <= 300 and text.count(" ") >= 3 and letters >= 0.85 * len(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="*")
    parser.add_argument("--limit", type=int, default=1_000_000)
    arguments = parser.parse_args()
    found = {}
    for source in [packages()] + [sentences(folder) for folder in arguments.folders]:
        for text in source:
            if fit(text):
                found.setdefault(text.lower(), text)
    texts = list(found.values())
    random.Random(1).shuffle(texts)
    print(f"{len(texts)} distinct sentences", file=sys.stderr)
    sys.stdout.write("".join(text + "\n" for text in texts[: arguments.limit]))


if __name__ == "__main__":
    main()
