"""Scores of named entities by seqeval, for node/training/entities.test.ts: random tags of words, and what is made of them.

usage: python3 entities.py     writes entities.json beside this script
Needs seqeval: pip install seqeval==1.2.2
"""
import json
import os
import random

from seqeval.metrics import f1_score, precision_score, recall_score

SCHEMES = {
    "IOB": ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"],
    "IOBES": ["O", "B-PER", "I-PER", "E-PER", "S-PER", "B-a-b", "I-a-b", "E-a-b", "S-a-b"],
    "no outside": ["B-PER", "I-PER", "I-LOC"],
}


def tags(names, length):
    return [random.choice(names) for _ in range(length)]


def changed(right, names):
    return [random.choice(names) if random.random() < 0.3 else tag for tag in right]


if __name__ == "__main__":
    random.seed(1)
    cases = []
    for name, names in SCHEMES.items():
        for texts in (1, 5, 5, 5):
            right = [tags(names, random.randint(1, 12)) for _ in range(texts)]
            found = [changed(one, names) for one in right]
            scores = dict(precision=precision_score(right, found), recall=recall_score(right, found), f1=f1_score(right, found))
            cases.append(dict(scheme=name, right=right, found=found) | {k: float(v) for k, v in scores.items()})
    cases.append(dict(scheme="nothing", right=[["O", "O"]], found=[["O", "O"]], precision=0.0, recall=0.0, f1=0.0))
    out = os.path.join(os.path.dirname(os.path.abspath(__file__)), "entities.json")
    with open(out, "w") as stream:
        stream.write("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
