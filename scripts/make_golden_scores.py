#!/usr/bin/env python3
"""Golden values of the benchmarks' scores, from the packages that define them.

    pip install nltk rouge_score torchmetrics
    python3 scripts/make_golden_scores.py > Tests/MnemeBenchTests/Golden/scores.json

- stems: NLTK's PorterStemmer.
- F1 and exact match: SQuAD's script, as torchmetrics ships it.
- stem F1 and list F1: LoCoMo's definition (task_eval/evaluation.py): commas go, and `and` is an article, words are
  stemmed by NLTK; a list's score is the mean over the reference's parts of the best part of the answer.
- ROUGE-L: the package rouge_score with its stemmer.
- NDCG: LongMemEval's definition (src/retrieval/eval_utils.py).
"""
import collections
import json
import math
import string

from nltk.stem import PorterStemmer
from rouge_score import rouge_scorer
from torchmetrics.functional.text.squad import (
    _compute_exact_match_score as compute_exact, _compute_f1_score as compute_f1, _normalize_text as normalize_answer)

WORDS = """caresses ponies ties caress cats feed agreed plastered bled motoring sing conflated troubled sized hopping
tanned falling hissing fizzed failing filing happy sky relational conditional rational valenci hesitanci digitizer
conformabli radicalli differentli vileli analogousli vietnamization predication operator feudalism decisiveness
hopefulness callousness formaliti sensitiviti sensibiliti triplicate formative formalize electriciti electrical
hopeful goodness revival allowance inference airliner gyroscopic adjustable defensible irritant replacement
adjustment dependent adoption homologou communism activate angulariti homologous effective bowdlerize probate rate
cease controll roll dies died flies spied skies dying lying tying news innings enjoyment enjoy fully carefully
archaeology biology geology logical really totally usefulness playing played plays yyyy a be is ok on owed
vaccination sisters allergies universities generously ministry ministries études naïve daß 2024 don't x-ray
proceeded exceed succeeding by shyly say saying tried trying cry early yearly possibly visibly abilities""".split()
PAIRS = [
    ("7 May 2023", "May 7, 2023"), ("The adoption agencies", "Adoption agencies"), ("yes", "Yes, she would"),
    ("painting, and hiking", "hiking, painting, pottery"), ("a transgender woman", "Transgender woman"),
    ("No information available", "self-care is important"), ("", "nothing"), ("the the the", "a"),
    ("She ran a charity race for mental health last Saturday.", "a charity race"),
    ("It is an A-rated theatre", "A rated theatre"), ("no", "no"), ("no", "not at all"),
    ("running, reading books; and playing her violin", "running, reading, or playing her violin"),
    ("Three dogs and the four cats", "3 dogs, 4 cats"), ("It's Emil’s “greyhound” – Vega", "Emil's greyhound Vega"),
    ("camping trips in the mountains, beach walks", "camping, beaches, mountains"), ("10,000 steps", "10000 steps"),
]
RANKINGS = [("abcdef", "a", 5), ("abcdef", "b", 5), ("abcdef", "cf", 3), ("abcdef", "cf", 10), ("abcdef", "xf", 10),
            ("abc", "abc", 2), ("abc", "z", 3)]
stemmer = PorterStemmer()
rouge = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=True)


def overlap(answer, reference):
    """The harmonic mean of precision and recall of two lists of words."""
    common = sum((collections.Counter(answer) & collections.Counter(reference)).values())
    return 2 * common / (len(answer) + len(reference)) if common else 0.0


def stem_f1(answer, reference):
    """LoCoMo's F1: SQuAD's words without commas and `and`, stemmed."""
    def stems(text):
        words = normalize_answer(text.replace(",", "")).split()
        return [stemmer.stem(word) for word in words if word != "and"]
    return overlap(stems(answer), stems(reference))


def list_f1(answer, reference):
    """LoCoMo's F1 of lists with commas."""
    best = [max(stem_f1(part, wanted) for part in answer.split(",")) for wanted in reference.split(",")]
    return sum(best) / len(best)


def ndcg(ranking, wanted, k):
    """LongMemEval's: of ranks 1 and 2 neither is discounted."""
    def gain(hits):
        return sum(hit / (1 if i == 0 else math.log2(i + 1)) for i, hit in enumerate(hits))
    ideal = gain([1] * min(k, len(wanted)))
    return gain([item in wanted for item in ranking[:k]]) / ideal


def squad_f1(answer, reference):
    """SQuAD's F1, except that yes, no and noanswer fit themselves alone (DensePhrases, MemoryAgentBench)."""
    words = normalize_answer(answer), normalize_answer(reference)
    if words[0] != words[1] and {"yes", "no", "noanswer"} & set(words):
        return 0.0
    # Without words on either side torchmetrics counts equality, the benchmarks 0.
    return float(compute_f1(answer, reference)) if all(words) else 0.0


print(json.dumps({
    "stems": {word: stemmer.stem(word) for word in WORDS},
    "pairs": [{
        "answer": answer, "reference": reference, "f1": squad_f1(answer, reference),
        "exact": int(compute_exact(answer, reference)), "stemF1": stem_f1(answer, reference),
        "listF1": list_f1(answer, reference), "rougeL": rouge.score(reference, answer)["rougeL"].fmeasure,
        "contains": int(normalize_answer(reference) in normalize_answer(answer)),
    } for answer, reference in PAIRS],
    "rankings": [{"ranking": list(ranking), "wanted": list(wanted), "k": k, "ndcg": ndcg(ranking, wanted, k)}
                 for ranking, wanted, k in RANKINGS],
    "punctuation": string.punctuation,
}, indent=1, ensure_ascii=False, sort_keys=True))
