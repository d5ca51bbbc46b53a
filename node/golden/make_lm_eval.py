"""
lm-eval.json: what lm-evaluation-harness 0.4.13 gives for questions of ../shared/assets/data on tinystories-656k.

python3 make_lm_eval.py > lm-eval.json, with lm_eval, torch and transformers installed. Rows are numbered in the order of the file.
Questions with characters that the tokenizer does not know are left out: transformers 5 drops them, tokenizer.json has a token for them.
"""
import json
import re
import sys
from pathlib import Path

import numpy as np
from lm_eval.api import metrics
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

ASSETS = Path(__file__).resolve().parents[3] / "shared/assets"
MODEL = ASSETS / "models/tinystories-656k"
ROWS = 16
FILES = {"arc_easy": "ARC-Easy", "arc_challenge": "ARC-Challenge", "openbookqa": "openbookqa", "boolq": "boolq"}


def items_of(task):
    for row in json.loads((ASSETS / f"data/llm-adapters/{FILES[task]}_test.json").read_text()):
        if task == "boolq":
            question = re.search(r"question: (.*?)\n\nAnswer format", row["instruction"], re.S).group(1)
            yield question, ["no", "yes"], int(row["answer"] == "true")
            continue
        found = re.match(r"Please choose the correct answer to the question: (.*?)\n\n(.*?)\n\nAnswer format", row["instruction"], re.S)
        choices = [choice.strip() for choice in re.split(r"Answer\d: ", found.group(2))[1:]]
        answer = int(row["answer"].replace("answer", "")) - 1
        if len(choices) >= 2 and answer < len(choices) and "" not in choices:
            yield found.group(1), choices, answer


lm = HFLM(pretrained=str(MODEL), device="cpu", dtype="float32", batch_size=16, add_bos_token=True)
fast = lm.tokenizer.backend_tokenizer
tasks = []
for task in FILES:
    rows = []
    for number, (question, choices, answer) in enumerate(items_of(task)):
        prompt = f"Question: {question}\nAnswer:"
        known = all(0 not in fast.encode(f"{prompt} {choice}", add_special_tokens=False).ids for choice in choices)
        if known:
            rows.append((number, prompt, choices, answer))
        if len(rows) == ROWS:
            break
    asked = [Instance("loglikelihood", {}, (prompt, f" {choice}"), 0) for _, prompt, choices, _ in rows for choice in choices]
    answers = iter(lm.loglikelihood(asked))
    likelihoods = [[next(answers)[0] for _ in choices] for _, _, choices, _ in rows]
    golds = [answer for *_, answer in rows]
    chosen = [int(np.argmax(one)) for one in likelihoods]
    normed = [int(np.argmax(np.array(one) / [float(len(c)) for c in row[2]])) for one, row in zip(likelihoods, rows)]
    measures = {
        "acc": metrics.mean([float(a == b) for a, b in zip(golds, chosen)]),
        "accNorm": metrics.mean([float(a == b) for a, b in zip(golds, normed)]),
        "matthews": float(metrics.matthews_corrcoef(list(zip(golds, chosen)))),
    }
    if task == "boolq":
        measures["f1"] = float(metrics.f1_score(list(zip(golds, chosen))))
    rounded = [[round(value, 4) for value in one] for one in likelihoods]
    tasks.append({"task": task, "rows": [row[0] for row in rows], "logLikelihoods": rounded, "measures": measures})
json.dump({"lm_eval": "0.4.13", "model": "tinystories-656k", "tasks": tasks}, sys.stdout, indent=1)
