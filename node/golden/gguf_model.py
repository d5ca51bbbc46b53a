"""GGUF files for make_golden.py, by the gguf package of llama.cpp: names, blocks and settings are its own. The order of Llama's
query and key rows and Gemma's norms are those of convert_hf_to_gguf.py. transformers reads each file back, which has to give the
model's logits, and tokenises TEXTS with what it makes of the file's tokens: tokens.json keeps these ids.

Needs also: pip install gguf==0.19.0
"""
import json
import os

import gguf
import numpy as np
import tokenizers
import torch
import transformers

Q = gguf.GGMLQuantizationType
ARCHITECTURES = dict(llama="llama", qwen2="qwen2", qwen3="qwen3", gemma2="gemma2", gemma3_text="gemma3")
TEXTS = [
    "Once upon a time, there was a little girl.",
    " Two  blanks, a\ttab and\nlines\n\n  end ",
    "I'll pay 12345 coins; don't WE'VE?!",
    "naïve café — 你好, мир 🙂",
    "<s>not a text</s>",
    "",
]
CORPUS = ["Once upon a time there was a little girl who had 12 cats and 3 dogs.", "They don't pay; I'll pay, we've paid: naïve café."]


def byte_level(vocab):
    """A small byte-level BPE: tokens, kinds, merges."""
    model = tokenizers.Tokenizer(tokenizers.models.BPE())
    model.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=vocab - 3, initial_alphabet=alphabet, show_progress=False)
    model.train_from_iterator(CORPUS * 4, trainer)
    document = json.loads(model.to_str())["model"]
    tokens = sorted(document["vocab"], key=document["vocab"].get)
    merges = [" ".join(merge) for merge in document["merges"]]
    extra = ["<|begin|>", "<|end|>", "<|user|>"]
    fill = [f"<|unused{i}|>" for i in range(vocab - len(tokens) - 3)]
    all_tokens = tokens + fill + extra
    return dict(tokens=all_tokens, kinds=[1] * len(tokens) + [3] * (len(fill) + 3), merges=merges, bos=vocab - 3, eos=vocab - 2)


def sentence_pieces(vocab):
    """Pieces with scores as SentencePiece's BPE has them: control, bytes, merged pieces by rank, characters last."""
    model = tokenizers.Tokenizer(tokenizers.models.BPE())
    model.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace(prepend_scheme="first")
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=vocab - 259, show_progress=False)
    model.train_from_iterator(CORPUS * 4, trainer)
    pieces = json.loads(model.to_str())["model"]["vocab"]
    single = [piece for piece in pieces if len(piece) == 1]
    merged = sorted((piece for piece in pieces if len(piece) > 1), key=pieces.get)
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{i:02X}>" for i in range(256)] + merged + single
    fill = [f"<unused{i}>" for i in range(vocab - len(tokens))]
    scores = [0.0] * 259 + [-float(i) for i in range(len(merged) + len(single) + len(fill))]
    kinds = [2, 3, 3] + [6] * 256 + [1] * (len(merged) + len(single)) + [3] * len(fill)
    return dict(tokens=tokens + fill, kinds=kinds, scores=scores, bos=1, eos=2)


def packed(weight, kind, random):
    """A matrix as blocks, and the values that they stand for."""
    if kind == Q.Q6_K:
        # The package packs no such blocks: any bytes are some, with a scale that keeps the values small.
        blocks = random.integers(0, 256, (weight.shape[0], weight.shape[1] // 256, 210), dtype=np.uint8)
        blocks[..., 208:] = np.array([3e-5], np.float16).view(np.uint8)
        blocks = blocks.reshape(weight.shape[0], -1)
    else:
        blocks = gguf.quants.quantize(weight.numpy(), kind)
    return blocks, torch.from_numpy(gguf.quants.dequantize(blocks, kind).astype(np.float32).reshape(weight.shape))


def permuted(rows, heads):
    return rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def round_model(model, settings):
    """Round the model's matrices in place; the tensors of the file, by its names."""
    config, random = model.config, np.random.default_rng(1)
    architecture = ARCHITECTURES[config.model_type]
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[architecture.upper()], config.num_hidden_layers)
    tensors = {}
    for name, weight in model.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        own = names.get_name(name, try_suffixes=(".weight", ".bias"))
        part = own.split(".")[-2]
        if weight.ndim == 1:
            kind, rows = Q.F32, weight.numpy().copy()
            if architecture.startswith("gemma") and name.endswith("norm.weight"):
                # What is added and taken away again is rounded; the model computes with what comes back.
                rows = rows + np.float32(1)
                weight.copy_(torch.from_numpy(rows - np.float32(1)))
        else:
            kind = Q[settings["types"].get(part, settings["types"]["*"])]
            rows, values = packed(weight, kind, random)
            weight.copy_(values)
        if architecture == "llama" and part in ("attn_q", "attn_k"):
            rows = permuted(rows, config.num_attention_heads if part == "attn_q" else config.num_key_value_heads)
        tensors[own] = (rows, kind)
    return tensors


def save_gguf(model, out, tensors, settings):
    """config.json for people, model.gguf, and tokens.json with what transformers makes of its tokens."""
    os.makedirs(out, exist_ok=True)
    config = model.config
    config.save_pretrained(out)
    architecture = ARCHITECTURES[config.model_type]
    path = os.path.join(out, "model.gguf")
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    writer.add_key_length(size)
    writer.add_value_length(size)
    writer.add_vocab_size(config.vocab_size)
    if architecture == "gemma3":
        writer.add_rope_freq_base(config.rope_parameters["full_attention"]["rope_theta"])
        writer.add_sliding_window(config.sliding_window)
    else:
        writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
        if architecture == "gemma2":
            writer.add_sliding_window(config.sliding_window)
            writer.add_attn_logit_softcapping(config.attn_logit_softcapping)
            writer.add_final_logit_softcapping(config.final_logit_softcapping)
    kind = settings["tokenizer"]
    made = byte_level(config.vocab_size) if kind == "gpt2" else sentence_pieces(config.vocab_size)
    writer.add_tokenizer_model(kind)
    writer.add_tokenizer_pre(settings["pre"])
    writer.add_token_list(made["tokens"])
    writer.add_token_types(made["kinds"])
    if kind == "gpt2":
        writer.add_token_merges(made["merges"])
    else:
        writer.add_token_scores(made["scores"])
        writer.add_add_space_prefix(architecture == "llama")
        writer.add_unk_token_id(0)
    writer.add_bos_token_id(made["bos"])
    writer.add_eos_token_id(made["eos"])
    for name, (rows, type) in tensors.items():
        writer.add_tensor(name, rows, raw_dtype=None if type in (Q.F32, Q.F16) else type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    check(model, out)


def check(model, out):
    """transformers computes the same from the file, and says how it tokenises."""
    # transformers 5.18 passes over some sizes of heads; they are given again.
    sizes = {name: getattr(model.config, name) for name in ("head_dim", "query_pre_attn_scalar") if hasattr(model.config, name)}
    options = dict(gguf_file="model.gguf", dtype=torch.float32)
    again = transformers.AutoModelForCausalLM.from_pretrained(out, **options, **sizes).eval()
    ids = torch.arange(5, 5 + 12)[None]
    off = (again(ids).logits - model(ids).logits).abs().max().item()
    print(out, "as transformers reads it:", off)
    tokenizer = transformers.AutoTokenizer.from_pretrained(out, gguf_file="model.gguf")
    rows = [dict(text=text, ids=tokenizer(text, add_special_tokens=False)["input_ids"]) for text in TEXTS]
    with open(os.path.join(out, "tokens.json"), "w") as stream:
        json.dump(rows, stream, indent=1, ensure_ascii=True)
        stream.write("\n")
