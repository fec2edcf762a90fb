#!/usr/bin/env python3
"""Writes docs/recipes.md: what `mneme eval` measured, beside what each paper claims.

    mneme eval --recipes all --data locomo10.json --json > rows.json
    mneme recipes --json > cards.json
    scripts/recipes_table.py rows.json cards.json "two cores of …, N conversations" > docs/recipes.md

What stands behind the cards (structures, managers, compositions, streams, what works) is written by hand and taken over
from the committed page.
"""
import json, subprocess, sys

rows = {row["recipe"]: row for row in json.load(open(sys.argv[1]))}
cards = json.load(open(sys.argv[2]))
where = sys.argv[3]
questions = max(row["questions"] for row in rows.values())

print(f"""# Recipes, measured

What the memory systems of `mneme recipes` find and cost here, beside what their papers claim. Written by
`scripts/recipes_table.py` from `mneme eval --recipes all --data FILE --json`; {where}.

A question counts as found at k if one piece (any@k) or all pieces (all@10) of its evidence are among the first k memories;
{questions} questions of LoCoMo's categories 1 to 4. Tokens are those of the ten texts that come back. Milliseconds are a
write or its share of the maintenance for each turn, and the median recall; embedding comes on top and is the same for all.
No language model was asked: what a paper has a model do, a rule did. So these are the papers' ideas, measured alike, not
the papers' systems, and their claims (mostly of answers by large models) are in other measures.

| Recipe | any@1 | any@5 | any@10 | all@10 | tokens | model calls | ms/write | ms maintain | ms/recall | MiB | memories |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|""")
for card in cards:
    row = rows.get(card["name"])
    if row is None:
        continue
    cells = [f"{row[k]:.3f}" for k in ("any1", "any5", "any10", "all10")]
    cells += [f"{row['tokens']:.0f}", str(row["modelCalls"]), f"{row['writeMilliseconds']:.2f}"]
    cells += [f"{row['maintainMilliseconds']:.2f}", f"{row['recallMilliseconds']:.1f}"]
    cells += [f"{row['bytes'] / 2**20:.1f}", str(row["memories"])]
    print(f"| `{card['name']}` | " + " | ".join(cells) + " |")
print("""
## What each is, and what its paper claims
""")
for card in cards:
    if card["name"] == "standard":
        continue
    print(f"- **`{card['name']}`**: {card['idea']}.\n  {card['paper']}. The paper: {card['claim']}.\n  Simpler here: {card['simplified']}.")
page = subprocess.run(["git", "show", "HEAD:docs/recipes.md"], capture_output=True, text=True, check=True).stdout
behind = page.find("\n## ", page.index("\n## What each is") + 1)
if behind >= 0:
    print(page[behind:], end="")
