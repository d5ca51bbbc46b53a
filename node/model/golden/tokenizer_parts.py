"""Writes tokenizers/parts.json: how tokenizers (by Hugging Face) divides texts by each part that weft writes in other parts.

    python3 tokenizer_parts.py      # needs: pip install tokenizers==0.23.2
"""

import itertools
import json
import pathlib

from tokenizers import Regex, Tokenizer, pre_tokenizers

TEXTS = ["a--b, c", " two  words ", "naïve Zürich 日本語", "don't, 3$ [x]!", "--", "a\u0301_b\u200dc ½"]
BEHAVIORS = ["removed", "isolated", "contiguous", "merged_with_previous", "merged_with_next"]
PATTERNS = [Regex(r"\s+"), Regex("-|,"), Regex(r"(?i:[aeiou])"), " ", "-", "[x]"]


def pieces(part):
    return [[piece for piece, _ in part.pre_tokenize_str(text)] for text in TEXTS]


def document(part):
    whole = Tokenizer.from_str('{"version": "1.0", "model": {"type": "BPE", "vocab": {}, "merges": []}}')
    whole.pre_tokenizer = part
    return json.loads(whole.to_str())["pre_tokenizer"]


parts = [
    *(pre_tokenizers.Split(pattern, behavior, invert) for pattern, behavior, invert in itertools.product(PATTERNS, BEHAVIORS, [False, True])),
    *(pre_tokenizers.Punctuation(behavior) for behavior in BEHAVIORS),
    pre_tokenizers.Whitespace(),
    pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Punctuation("merged_with_next")]),
]
cases = [{"part": document(part), "pieces": pieces(part)} for part in parts]

vocabulary = [["<unk>", 0.0], ["▁", -2.0], ["a", -3.0], ["b", -3.0], ["ab", -4.0], *([f"<0x{byte:02X}>", -9.0] for byte in range(256))]
unigram = {"model": {"type": "Unigram", "unk_id": 0, "vocab": vocabulary, "byte_fallback": True}, "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}}
library = Tokenizer.from_str(json.dumps({"version": "1.0", **unigram}))
bytes_of = {text: library.encode(text).ids for text in ["ab a", "aéb 日本", "😀x", "\n"]}

target = pathlib.Path(__file__).parent / "tokenizers" / "parts.json"
target.write_text(json.dumps({"texts": TEXTS, "cases": cases, "unigram": bytes_of}, ensure_ascii=False) + "\n", encoding="utf-8")
