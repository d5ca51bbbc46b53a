"""Writes vocabularies/: small directories without tokenizer.json, one for each class of tokenizers that weft makes one of, and
ids.json: the ids that transformers gives random and hostile texts with each of them.

    python3 vocabularies.py      # needs: pip install transformers==5.18.0 tokenizers==0.23.2 sentencepiece==0.2.2 protobuf

The random texts are drawn from the parts and ranges in ids.json, so the test draws the same ones; of their ids a digest is kept for
each block of texts. AutoTokenizer opens each directory, but for mistral: there it takes a general class that puts no blank before the
first word, as SentencePiece and the tokenizer.json of the published models do, so LlamaTokenizer is asked, which the directory names.
"""

import hashlib
import json
import pathlib
import shutil

import sentencepiece
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

HERE = pathlib.Path(__file__).parent / "vocabularies"
CORPUS = [
    "Once upon a time there was a little girl who had 12 cats and 3 dogs, and she loved them all.",
    "They don't pay; I'll pay, we've paid: naïve café, Zürich, Straße. It's 1234.5 % of (all) things!",
    "The quick brown fox jumps over the lazy dog; jumping, jumped and jumps again — quickly.",
    "Привет, мир. Γειά σου Κόσμε. 日本語 の テスト です。 한글 텍스트. नमस्ते दुनिया।",
    "def main(x):\n    return x + 1\n\n\nprint(main(41))",
] * 6
PARTS = [
    *["Once", "upon", "little", "the", "jump", "jumping", "quickly", "naïve", "Zürich", "STRASSE", "Straße", "don't", "I'LL", "we've", "’s"],
    *[" ", " ", " ", " ", "  ", "   ", "\n", "\n\n", "\t", "\r\n", "\r", "\u00a0", "\u3000", "\ufeff", "\u0085", "\u200b", "\u2028", "\x1f", "\x0b"],
    *["0", "12345", "½", "²", "٣", "Ⅷ", "ΣΑΣ", "ΟΔΟΣ ", "İstanbul", "ǅ", "ﬁ", "ß", "ẞ", "\u212b", "e\u0301", "\u0301", "a\u0300\u0301", "Привет", "Κόσμε"],
    *["日本", "語𠀀", "𫝀", "한글", "각", "नमस्ते", "क्षि", "ก็", "👩\u200d👩\u200d👧", "🇩🇪", "🙂", "ＡＢＣ", "＜s＞", "ｱﾞ", "…", "—", "“q”", "㍿", "№"],
    *["<s>", "</s>", "<unk>", "<pad>", "<mask>", "[CLS]", "[SEP]", "[MASK]", "[UNK]", "[cls]", "<|endoftext|>", "<bos>", "<eos>", "<0x0A>", "<new>", "<NEW>", "word"],
    *["▁", "▁▁", "\x00", "\x01", "\x7f", "\ufffd", ".", ",", "?", "!", "(", "_", "##", "##ing", "$", "^", "`", "~", "a" * 120, "\\n", '"', "$&", "-"],
]
RANGES = [[0x20, 0x7E], [0xA1, 0x17F], [0x391, 0x3A1], [0x3B1, 0x3C9], [0x410, 0x44F], [0x4E00, 0x4EFF], [0xAC00, 0xAC80], [0x1F600, 0x1F640], [0x20000, 0x20040]]
COUNT, BLOCK, SHOWN = 2000, 50, 24


class Draw:
    """Numbers of a linear congruence; the test has the same one."""

    def __init__(self, seed):
        self.state = seed

    def below(self, count):
        self.state = (self.state * 1664525 + 1013904223) & 0xFFFFFFFF
        return (self.state >> 8) % count


def texts():
    draw = Draw(11)

    def part():
        if draw.below(4) < 3:
            return PARTS[draw.below(len(PARTS))]
        low, high = RANGES[draw.below(len(RANGES))]
        return chr(low + draw.below(high - low + 1))

    return ["".join(part() for _ in range(draw.below(14))) for _ in range(COUNT)]


def write(folder, name, value):
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) + "\n"
    (HERE / folder).mkdir(parents=True, exist_ok=True)
    (HERE / folder / name).write_text(text, encoding="utf-8", newline="")


def byte_level(folder, front, back, normalizer=None):
    """vocab.json and merges.txt of a byte-level BPE, with whole tokens in front and behind."""
    model = Tokenizer(models.BPE())
    if normalizer:
        model.normalizer = normalizer
    model.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    model.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False))
    found = json.loads(model.to_str())["model"]
    tokens = [*front, *sorted(found["vocab"], key=found["vocab"].get), *back]
    write(folder, "vocab.json", {token: id for id, token in enumerate(tokens)})
    write(folder, "merges.txt", "#version: 0.2\n" + "".join(" ".join(merge) + "\n" for merge in found["merges"]))
    return len(tokens)


def word_pieces(folder, lowercase):
    model = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    model.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    model.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    model.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=420, special_tokens=special, show_progress=False))
    vocab = model.get_vocab()
    write(folder, "vocab.txt", "".join(f"{token}\n" for token in sorted(vocab, key=vocab.get)))
    return len(vocab)


def sentence_pieces(folder, name, **options):
    (HERE / folder).mkdir(parents=True, exist_ok=True)
    corpus = HERE / "corpus.txt"
    corpus.write_text("\n".join(line for text in CORPUS for line in text.split("\n")), encoding="utf-8")
    prefix = str(HERE / folder / "made")
    settings = dict(vocab_size=420, hard_vocab_limit=False, character_coverage=0.98, minloglevel=2, num_threads=1, **options)
    sentencepiece.SentencePieceTrainer.train(input=str(corpus), model_prefix=prefix, **settings)
    pathlib.Path(f"{prefix}.vocab").unlink()
    pathlib.Path(f"{prefix}.model").rename(HERE / folder / name)
    corpus.unlink()


def rules():
    """A few rules as nmt_nfkc has them, and sequences: its whole map has 240 kB."""
    pairs = {"\t": " ", "\n": " ", "\r": " ", "\u3000": " ", "\u00a0": " ", "\x01": "", "\x1f": "", "\u200b": "", "ﬁ": "fi", "\u212b": "\u00c5", "…": "...", "№": "No"}
    pairs |= {chr(0xFF01 + i): chr(0x21 + i) for i in range(94)}
    pairs |= {"e\u0301": "é", "a\u0300": "à", "½": "1/2", "²": "2", "㍿": "株式会社", "ｱ\uff9e": "ア゙", "\ufeff": "", "\u1100\u1161": "가"}
    path = HERE / "rules.tsv"
    code = lambda text: " ".join(f"{ord(c):X}" for c in text)
    path.write_text("".join(f"{code(old)}\t{code(new)}\n" for old, new in pairs.items()), encoding="utf-8")
    return path


def named(content, **flags):
    return {"__type": "AddedToken", "content": content, "lstrip": False, "normalized": True, "rstrip": False, "single_word": False, **flags}


def listed(content, **flags):
    return {"content": content, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True, **flags}


LLAMA_CONFIG = {
    "add_bos_token": True, "add_eos_token": False, "bos_token": named("<s>"), "eos_token": named("</s>"), "unk_token": named("<unk>"),
    "clean_up_tokenization_spaces": False, "legacy": False, "model_max_length": 2048, "pad_token": None, "tokenizer_class": "LlamaTokenizer",
}


def directories():
    if HERE.exists():
        shutil.rmtree(HERE)
    HERE.mkdir()
    end = ["<|endoftext|>"]
    byte_level("gpt2", [], end)
    write("gpt2", "config.json", {"model_type": "gpt2"})

    byte_level("opt", ["<s>", "<pad>", "</s>", "<unk>"], ["madeupword0000"])
    write("opt", "config.json", {"model_type": "opt"})
    tokens = {"unk_token": named("</s>"), "bos_token": named("</s>"), "eos_token": named("</s>"), "pad_token": "<pad>"}
    write("opt", "tokenizer_config.json", {"errors": "replace", **tokens, "add_prefix_space": False, "add_bos_token": True, "tokenizer_class": "GPT2Tokenizer"})
    write("opt", "special_tokens_map.json", {key: {k: v for k, v in value.items() if k != "__type"} if isinstance(value, dict) else value for key, value in tokens.items()})

    size = byte_level("phi", [], end)
    write("phi", "config.json", {"model_type": "phi"})
    write("phi", "tokenizer_config.json", {"add_prefix_space": False, "bos_token": end[0], "eos_token": end[0], "unk_token": end[0], "tokenizer_class": "CodeGenTokenizer"})
    write("phi", "special_tokens_map.json", {"bos_token": end[0], "eos_token": end[0], "unk_token": end[0]})
    write("phi", "added_tokens.json", {"\t\t": size + 1, "<new>": size + 2, "   ": size})

    byte_level("roberta", ["<s>", "<pad>", "</s>", "<unk>"], ["<mask>"])
    write("roberta", "config.json", {"model_type": "roberta"})
    write("roberta", "tokenizer_config.json", {"add_prefix_space": True, "trim_offsets": True, "tokenizer_class": "RobertaTokenizer", "mask_token": named("<mask>", lstrip=True)})

    size = byte_level("qwen2", [], [], normalizers.NFC())
    write("qwen2", "config.json", {"model_type": "qwen2"})
    added = {str(size): listed("<|endoftext|>"), str(size + 1): listed("<|im_start|>"), str(size + 2): listed("<|im_end|>"), str(size + 3): listed("<new>", special=False)}
    write("qwen2", "tokenizer_config.json", {
        "add_prefix_space": False, "added_tokens_decoder": added, "additional_special_tokens": ["<|im_start|>", "<|im_end|>"], "bos_token": None,
        "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "unk_token": None, "errors": "replace", "tokenizer_class": "Qwen2Tokenizer",
    })

    byte_level("gpt-neox", ["<|endoftext|>", "<|padding|>"], [], normalizers.NFC())
    write("gpt-neox", "config.json", {"model_type": "gpt_neox"})
    write("gpt-neox", "tokenizer_config.json", {"tokenizer_class": "GPTNeoXTokenizer", "add_eos_token": True})

    word_pieces("bert", True)
    write("bert", "config.json", {"model_type": "bert"})
    size = word_pieces("bert-cased", False)
    write("bert-cased", "config.json", {"model_type": "bert"})
    write("bert-cased", "tokenizer_config.json", {"do_lower_case": False, "tokenize_chinese_chars": False, "model_max_length": 512})
    write("bert-cased", "added_tokens.json", {"<NEW>": size, "word": size + 1})
    size = word_pieces("distilbert", True)
    write("distilbert", "config.json", {"model_type": "distilbert"})
    write("distilbert", "tokenizer_config.json", {"do_lower_case": True, "strip_accents": False, "tokenizer_class": "DistilBertTokenizer"})
    write("distilbert", "added_tokens.json", {"<NEW>": size, "word": size + 1})

    tsv = str(rules())
    sentence_pieces("deberta-v2", "spm.model", model_type="unigram", normalization_rule_tsv=tsv, pad_id=0, bos_id=1, eos_id=2, unk_id=3, pad_piece="[PAD]", bos_piece="[CLS]", eos_piece="[SEP]", unk_piece="[UNK]")
    write("deberta-v2", "config.json", {"model_type": "deberta-v2"})
    write("deberta-v2", "tokenizer_config.json", {"do_lower_case": False, "vocab_type": "spm"})
    sentence_pieces("deberta-v2-split", "spm.model", model_type="unigram", pad_id=0, bos_id=1, eos_id=2, unk_id=3, pad_piece="[PAD]", bos_piece="[CLS]", eos_piece="[SEP]", unk_piece="[UNK]", normalization_rule_name="identity", split_by_whitespace=False)
    write("deberta-v2-split", "config.json", {"model_type": "deberta-v2"})
    write("deberta-v2-split", "tokenizer_config.json", {"do_lower_case": True, "split_by_punct": True, "tokenizer_class": "DebertaV2Tokenizer"})

    sentence_pieces("xlm-roberta", "sentencepiece.bpe.model", model_type="unigram", normalization_rule_tsv=tsv)
    pathlib.Path(tsv).unlink()
    write("xlm-roberta", "config.json", {"model_type": "xlm-roberta"})

    bpe = dict(model_type="bpe", byte_fallback=True, normalization_rule_name="identity", split_digits=True, allow_whitespace_only_pieces=True, remove_extra_whitespaces=False)
    sentence_pieces("llama", "tokenizer.model", **bpe)
    write("llama", "config.json", {"model_type": "llama"})
    write("llama", "tokenizer_config.json", LLAMA_CONFIG)
    write("llama", "special_tokens_map.json", {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"})
    sentence_pieces("llama-legacy", "tokenizer.model", **bpe, user_defined_symbols=["<new>", "word"], control_symbols=["<NEW>"])
    write("llama-legacy", "config.json", {"model_type": "llama"})
    write("llama-legacy", "tokenizer_config.json", {**LLAMA_CONFIG, "legacy": True, "add_eos_token": True, "pad_token": "<pad>"})
    sentence_pieces("mistral", "tokenizer.model", **bpe)
    write("mistral", "config.json", {"model_type": "mistral"})
    decoder = {str(id): listed(content) for id, content in enumerate(["<unk>", "<s>", "</s>"])}
    write("mistral", "tokenizer_config.json", {**LLAMA_CONFIG, "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "legacy": True, "added_tokens_decoder": decoder, "additional_special_tokens": []})
    turns = ["<mask>", "<start_of_turn>", "<end_of_turn>", "\n\n", "▁▁"]
    sentence_pieces("gemma2", "tokenizer.model", **bpe, add_dummy_prefix=False, pad_id=0, eos_id=1, bos_id=2, unk_id=3, bos_piece="<bos>", eos_piece="<eos>", user_defined_symbols=turns)
    write("gemma2", "config.json", {"model_type": "gemma2"})
    write("gemma2", "tokenizer_config.json", {"add_bos_token": True, "add_eos_token": False, "bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>", "tokenizer_class": "GemmaTokenizer"})


def ids_of(folder):
    auto = transformers.LlamaTokenizer if folder.name == "mistral" else transformers.AutoTokenizer
    tokenizer = auto.from_pretrained(folder)
    drawn = texts()
    ids = [tokenizer(text)["input_ids"] for text in drawn]
    blocks = [ids[at : at + BLOCK] for at in range(0, COUNT, BLOCK)]
    digests = [hashlib.sha256(json.dumps(block, separators=(",", ":")).encode()).hexdigest()[:16] for block in blocks]
    shown = [{"text": text, "ids": tokenizer(text)["input_ids"], "bare": tokenizer(text, add_special_tokens=False)["input_ids"]} for text in drawn[:SHOWN]]
    # tokenizers writes an added token that is normalised in its normalised form; weft writes it as the files do.
    odd = {id for id, token in tokenizer.added_tokens_decoder.items() if token.normalized}
    decoded = [{"ids": row["bare"], "text": tokenizer.decode(row["bare"])} for row in shown if row["bare"] and not odd.intersection(row["bare"])]
    return {"digests": digests, "shown": shown, "decoded": decoded, "tokens": {key: str(value) for key, value in tokenizer.special_tokens_map.items() if isinstance(value, str)}}


if __name__ == "__main__":
    directories()
    kinds = {folder.name: ids_of(folder) for folder in sorted(HERE.iterdir()) if folder.is_dir()}
    head = {"parts": PARTS, "ranges": RANGES, "seed": 11, "count": COUNT, "block": BLOCK, "transformers": transformers.__version__}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(found, ensure_ascii=False)}" for name, found in kinds.items())
    (HERE / "ids.json").write_text(json.dumps(head, ensure_ascii=False)[:-1] + f', "kinds": {{\n{lines}\n}}}}\n', encoding="utf-8")
