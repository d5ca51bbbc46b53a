"""Golden values for the training engine: small Hugging Face model directories with random weights, and beside each model what
PyTorch, transformers and peft compute with it. node/golden/golden-models.suite.ts reads them.

usage: python3 make_golden.py
           writes every directory of DIRECTORIES beside this script
       python3 make_golden.py --only NAME ...
           writes these of them
       python3 make_golden.py OUT FAMILY [--layers L] [--hidden D] [--heads H] ... (--help lists all)
           writes one directory of a shape of your own; WEFT_GOLDENS=FOLDER runs the golden tests over those in FOLDER too

Needs torch, transformers, peft, safetensors, gguf:
pip install torch==2.13.0 transformers==5.18.0 peft==0.21.0 safetensors==0.8.0 gguf==0.19.0
The weights are the same on every machine; losses and gradients differ in their last digits from processor to processor.

A directory holds config.json and model.safetensors, as transformers writes them, and
golden.json         the adapters' settings, and the losses: base_loss, lora_loss, loreft_loss (mean cross entropy); of some
                    models `generated`: a prompt, and the likeliest tokens behind it
golden.safetensors
  input_ids, attention_mask           i64[B,T]
  labels                              i64[B,T], -100 where nothing is predicted; of a classifier of texts i64[B]
  base_logits                         f32[B,T,V]; of a classifier of texts f32[B,classes], of tokens f32[B,T,classes]
  lora.{module}.A, .B                 f32[r,in], f32[out,r]; B is not zero, so that every gradient says something
  lora_grad.{module}.A, .B            gradient of lora_loss: LoRA alone, scale alpha / r
  loreft.{layer}.R, .W, .b            f32[r,D] with orthonormal rows, f32[r,D], f32[r]
  loreft_grad.{layer}.R, .W, .b       Euclidean gradient of loreft_loss: LoReFT alone, on block outputs where loreft_mask is 1
  loreft_mask                         f32[B,T]: the first and the last positions of each prompt
"""
import argparse
import copy
import json
import os

import torch
import transformers
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file

import gguf_model
import packings

FIRST_TOKEN = 5  # Ids below stand for padding and the like.
CLASSES = 3
ROPE3 = dict(
    rope_type="llama3",
    rope_theta=500_000.0,
    factor=8.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_max_position_embeddings=32,
)
LLAMA_TARGETS = ["q_proj", "v_proj", "down_proj"]
#: transformers takes the texts' last positions into the long context only beyond `original_max_position_embeddings`.
LONGROPE = dict(rope_type="longrope", rope_theta=10_000.0, short_factor=[1.0, 1.3, 1.9], long_factor=[2.0, 4.0, 9.0])
YARN = dict(rope_type="yarn", rope_theta=10_000.0, factor=4.0, original_max_position_embeddings=16)
GROWING = YARN | dict(original_max_position_embeddings=6, llama_4_scaling_beta=0.3, mscale=1.0, mscale_all_dim=0.5)
HALF = dict(rope_type="linear", factor=2.0, rope_theta=1_000.0, partial_rotary_factor=0.5)
GEMMA_ROPE = dict(
    full_attention=dict(rope_type="linear", factor=2.0, rope_theta=50_000.0),
    sliding_attention=dict(rope_type="default", rope_theta=1_000.0),
)
#: Family: class of transformers, its settings beside the shape, LoRA's targets, module path of its blocks.
FAMILIES = {
    "llama": ("LlamaForCausalLM", dict(tie_word_embeddings=True), LLAMA_TARGETS, "model.layers"),
    "llama3": ("LlamaForCausalLM", dict(tie_word_embeddings=False, rope_parameters=ROPE3), LLAMA_TARGETS, "model.layers"),
    "mistral": ("MistralForCausalLM", dict(tie_word_embeddings=False, sliding_window=7), LLAMA_TARGETS, "model.layers"),
    "qwen2": ("Qwen2ForCausalLM", dict(tie_word_embeddings=True), LLAMA_TARGETS, "model.layers"),
    "qwen3": ("Qwen3ForCausalLM", dict(tie_word_embeddings=False, head_dim=24), LLAMA_TARGETS, "model.layers"),
    "gemma2": (
        "Gemma2ForCausalLM",
        dict(head_dim=12, query_pre_attn_scalar=20, sliding_window=6, attn_logit_softcapping=2.0, final_logit_softcapping=1.5),
        LLAMA_TARGETS,
        "model.layers",
    ),
    "gemma3_text": (
        "Gemma3ForCausalLM",
        dict(head_dim=12, query_pre_attn_scalar=20, sliding_window=6, rope_parameters=GEMMA_ROPE),
        LLAMA_TARGETS,
        "model.layers",
    ),
    "gemma4_text": (
        "Gemma4ForCausalLM",
        dict(head_dim=8, global_head_dim=16, attention_k_eq_v=True, num_global_key_value_heads=1, sliding_window=6)
        | dict(num_kv_shared_layers=2, use_double_wide_mlp=True, hidden_size_per_layer_input=10, final_logit_softcapping=1.5)
        | dict(layer_types=["sliding_attention", "full_attention"] * 2),
        LLAMA_TARGETS + ["per_layer_input_gate"],
        "model.layers",
    ),
    "phi3": ("Phi3ForCausalLM", dict(sliding_window=9, pad_token_id=0, eos_token_id=2), ["qkv_proj", "down_proj"], "model.layers"),
    "smollm3": ("SmolLM3ForCausalLM", dict(pad_token_id=0, bos_token_id=1, eos_token_id=2), LLAMA_TARGETS, "model.layers"),
    "granite": (
        "GraniteForCausalLM",
        dict(embedding_multiplier=3.0, residual_multiplier=0.3, attention_multiplier=0.2, logits_scaling=2.5),
        LLAMA_TARGETS,
        "model.layers",
    ),
    "olmo2": ("Olmo2ForCausalLM", dict(eos_token_id=2), LLAMA_TARGETS, "model.layers"),
    "olmo3": ("Olmo3ForCausalLM", dict(sliding_window=5, eos_token_id=2), LLAMA_TARGETS, "model.layers"),
    "ministral": (
        "MinistralForCausalLM",
        dict(head_dim=8, sliding_window=5, layer_types=["sliding_attention", "full_attention"]),
        LLAMA_TARGETS,
        "model.layers",
    ),
    "ministral3": ("Ministral3ForCausalLM", dict(head_dim=8, rope_parameters=GROWING), LLAMA_TARGETS, "model.layers"),
    "glm4": ("Glm4ForCausalLM", dict(head_dim=8, pad_token_id=0, eos_token_id=2), LLAMA_TARGETS, "model.layers"),
    "gpt_neox": ("GPTNeoXForCausalLM", {}, ["query_key_value", "dense_4h_to_h"], "gpt_neox.layers"),
    "phi": ("PhiForCausalLM", {}, ["q_proj", "v_proj", "fc2"], "model.layers"),
    "opt": ("OPTForCausalLM", {}, ["q_proj", "v_proj", "fc2"], "model.decoder.layers"),
    "gpt2": ("GPT2LMHeadModel", {}, ["c_attn", "mlp.c_proj"], "transformer.h"),
    "bert": ("BertForSequenceClassification", dict(pad_token_id=0), ["query", "value"], "bert.encoder.layer"),
    "roberta": ("RobertaForSequenceClassification", dict(pad_token_id=1), ["query", "value"], "roberta.encoder.layer"),
    "xlm-roberta": (
        "XLMRobertaForSequenceClassification",
        dict(pad_token_id=1),
        ["query", "value"],
        "roberta.encoder.layer",
    ),
    "modernbert": (
        "ModernBertForSequenceClassification",
        dict(local_attention=6, pad_token_id=0, bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2),
        ["Wqkv", "mlp.Wo"],
        "model.layers",
    ),
    "deberta-v2": (
        "DebertaV2ForSequenceClassification",
        dict(relative_attention=True, position_buckets=4, share_att_key=True, norm_rel_ebd="layer_norm")
        | dict(pos_att_type=["p2c", "c2p"], position_biased_input=False, pooler_hidden_act="gelu"),
        ["query_proj", "key_proj", "value_proj"],
        "deberta.encoder.layer",
    ),
    "distilbert": (
        "DistilBertForSequenceClassification",
        dict(pad_token_id=0, dropout=0.0, attention_dropout=0.0, seq_classif_dropout=0.0),
        ["q_lin", "v_lin"],
        "distilbert.transformer.layer",
    ),
}
#: Those that give a class to a text.
CLASSIFIERS = ("bert", "roberta", "xlm-roberta", "distilbert", "modernbert", "deberta-v2")
#: What `main` takes when nothing is said. lora_layers and loreft_layers: all of them when empty.
DEFAULTS = dict(
    seed=0,
    hidden=64,
    layers=2,
    heads=4,
    kv_heads=2,
    vocab=97,
    positions=256,
    batch=3,
    tokens=17,
    lora_rank=4,
    lora_alpha=8,
    lora_targets=[],
    lora_layers=[],
    loreft_rank=3,
    loreft_first=2,
    loreft_last=2,
    loreft_layers=[],
    settings={},
    model_class="",
    generated=0,
    packing={},
)
SMALL = dict(hidden=32, vocab=61, positions=32)
TINY = dict(hidden=24, vocab=41, positions=32, lora_rank=2, loreft_rank=2)
PACKED = dict(hidden=64, layers=1, vocab=41, positions=32, lora_rank=2, loreft_rank=2, batch=2, tokens=11)
GPTQ = dict(quant_method="gptq", bits=4, group_size=32, sym=True, desc_act=False, checkpoint_format="gptq")
GGUF = dict(quant_method="gguf", types={"*": "Q8_0"}, tokenizer="llama", pre="default")
AWQ = dict(quant_method="awq", bits=4, group_size=64, zero_point=True, version="gemm")
#: The directories beside this script: family, and what differs from DEFAULTS.
DIRECTORIES = {
    "llama": ("llama", {}),
    "gpt2": ("gpt2", {}),
    "roberta": ("roberta", {}),
    "qwen2": ("qwen2", {}),
    "llama3": ("llama3", SMALL | dict(positions=64)),
    "mistral": ("mistral", SMALL),
    "qwen3": ("qwen3", SMALL),
    "bert": ("bert", SMALL),
    "llama-3-layers": (
        "llama",
        SMALL
        | dict(seed=1, layers=3, hidden=48, heads=6, kv_heads=3, lora_rank=2, lora_alpha=5)
        | dict(lora_targets=["k_proj", "o_proj", "gate_proj"], loreft_rank=4, loreft_first=3, loreft_layers=[0, 2]),
    ),
    "qwen2-1-layer": (
        "qwen2",
        SMALL | dict(seed=2, layers=1, hidden=36, heads=3, kv_heads=1, batch=2, tokens=11, lora_targets=["q_proj", "up_proj"]),
    ),
    "gpt2-3-layers": (
        "gpt2",
        SMALL
        | dict(seed=3, layers=3, hidden=24, heads=2, lora_rank=3, lora_targets=["attn.c_proj", "mlp.c_fc"])
        | dict(lora_layers=[1, 2], loreft_rank=2, loreft_first=1, loreft_last=3),
    ),
    "bert-1-layer": ("bert", SMALL | dict(seed=4, layers=1, heads=2, batch=4, lora_rank=1, lora_targets=["key", "output.dense"])),
    "roberta-4-layers": (
        "roberta",
        SMALL | dict(seed=5, layers=4, hidden=24, heads=3, tokens=13, lora_layers=[0, 3], loreft_layers=[1, 2]),
    ),
    "gemma2": ("gemma2", TINY | dict(seed=6)),
    "gemma2-uncapped": (
        "gemma2",
        TINY
        | dict(seed=7, layers=3, heads=2, kv_heads=1, lora_targets=["k_proj", "o_proj", "gate_proj"], loreft_layers=[0, 2])
        | dict(settings=dict(attn_logit_softcapping=None, final_logit_softcapping=None, tie_word_embeddings=False)),
    ),
    "gemma3": ("gemma3_text", TINY | dict(seed=8, layers=3)),
    "gemma3-capped": (
        "gemma3_text",
        TINY
        | dict(seed=9, heads=2, kv_heads=2, lora_targets=["k_proj", "up_proj"])
        | dict(settings=dict(final_logit_softcapping=1.5, attention_bias=True, rope_parameters=None)),
    ),
    "gemma4": ("gemma4_text", TINY | dict(seed=40, layers=4, generated=12)),
    "gemma4-plain": (
        "gemma4_text",
        TINY
        | dict(seed=41, layers=3, heads=2, kv_heads=2, lora_targets=["k_proj", "o_proj", "up_proj"], loreft_layers=[0, 2])
        | dict(settings=dict(attention_k_eq_v=False, num_kv_shared_layers=0, use_double_wide_mlp=False, layer_types=None)
               | dict(hidden_size_per_layer_input=0, final_logit_softcapping=None, tie_word_embeddings=False)),
    ),
    "phi3": ("phi3", TINY | dict(seed=10)),
    "phi3-longrope": (
        "phi3",
        TINY
        | dict(seed=11, layers=3, heads=3, kv_heads=1, lora_targets=["o_proj", "gate_up_proj"])
        | dict(settings=dict(rope_parameters=LONGROPE | dict(partial_rotary_factor=0.75), original_max_position_embeddings=20)),
    ),
    "smollm3": ("smollm3", TINY | dict(seed=12, layers=4)),
    "smollm3-windows": (
        "smollm3",
        TINY
        | dict(seed=13, lora_targets=["o_proj", "gate_proj"])
        | dict(settings=dict(no_rope_layers=[0, 1], use_sliding_window=True, sliding_window=5, attention_bias=True)),
    ),
    "granite": ("granite", TINY | dict(seed=14)),
    "granite-biases": (
        "granite",
        TINY
        | dict(seed=15, layers=1, heads=2, kv_heads=1, lora_targets=["o_proj", "up_proj"])
        | dict(settings=dict(attention_bias=True, mlp_bias=True, tie_word_embeddings=True)),
    ),
    "olmo2": ("olmo2", TINY | dict(seed=16)),
    "olmo2-biases": (
        "olmo2",
        TINY
        | dict(seed=17, layers=3, heads=2, kv_heads=2, lora_targets=["k_proj", "gate_proj"])
        | dict(settings=dict(attention_bias=True, tie_word_embeddings=True)),
    ),
    "olmo3": ("olmo3", TINY | dict(seed=18, layers=4)),
    "ministral": ("ministral", TINY | dict(seed=19)),
    "ministral3": ("ministral3", TINY | dict(seed=36)),
    "ministral3-windows": (
        "ministral3",
        TINY
        | dict(seed=37, layers=3, heads=2, kv_heads=1, lora_targets=["k_proj", "o_proj", "gate_proj"], loreft_layers=[0, 2])
        | dict(settings=dict(sliding_window=5, tie_word_embeddings=True)),
    ),
    "llama-yarn": ("llama", TINY | dict(seed=20, settings=dict(rope_parameters=YARN))),
    "llama-yarn-more": (
        "llama",
        TINY
        | dict(seed=51, layers=1, heads=2, kv_heads=1, lora_targets=["k_proj", "up_proj"])
        | dict(settings=dict(rope_parameters=YARN | dict(attention_factor=1.3, beta_fast=8.0, beta_slow=0.5, truncate=False))),
    ),
    "llama-dynamic": (
        "llama",
        TINY | dict(seed=21, settings=dict(rope_parameters=dict(rope_type="dynamic", rope_theta=10_000.0, factor=3.0))),
    ),
    "llama-dynamic-beyond": (
        "llama",
        TINY
        | dict(seed=49, positions=12, generated=14)
        | dict(settings=dict(rope_parameters=dict(rope_type="dynamic", rope_theta=10.0, factor=3.0), tie_word_embeddings=False)),
    ),
    "phi3-longrope-beyond": (
        "phi3",
        TINY
        | dict(seed=50, heads=3, kv_heads=1, lora_targets=["o_proj", "gate_up_proj"], generated=14)
        | dict(settings=dict(rope_parameters=LONGROPE | dict(partial_rotary_factor=0.75), original_max_position_embeddings=12)),
    ),
    "xlm-roberta": ("xlm-roberta", TINY | dict(seed=23)),
    "xlm-roberta-3-layers": (
        "xlm-roberta",
        TINY | dict(seed=24, layers=3, heads=3, lora_targets=["key", "intermediate.dense"], loreft_layers=[0, 1]),
    ),
    "distilbert": ("distilbert", TINY | dict(seed=25)),
    "distilbert-3-layers": (
        "distilbert",
        TINY
        | dict(seed=26, layers=3, heads=3, tokens=13, lora_targets=["out_lin", "lin1", "lin2"], loreft_layers=[1, 2])
        | dict(settings=dict(activation="relu")),
    ),
    "glm4": ("glm4", TINY | dict(seed=27)),
    "glm4-whole-heads": (
        "glm4",
        TINY
        | dict(seed=28, layers=3, heads=2, kv_heads=1, lora_targets=["o_proj", "gate_up_proj"], loreft_layers=[0, 2])
        | dict(settings=dict(attention_bias=False, tie_word_embeddings=True, partial_rotary_factor=1.0)),
    ),
    "gpt-neox": ("gpt_neox", TINY | dict(seed=29, heads=3)),
    "gpt-neox-in-turn": (
        "gpt_neox",
        TINY
        | dict(seed=30, layers=3, heads=2, lora_targets=["dense", "dense_h_to_4h"], loreft_layers=[1, 2])
        | dict(settings=dict(use_parallel_residual=False, attention_bias=False, tie_word_embeddings=True, rope_parameters=HALF)),
    ),
    "phi": ("phi", TINY | dict(seed=31, heads=3, kv_heads=3)),
    "phi-head-norms": (
        "phi",
        TINY
        | dict(seed=32, layers=3, heads=6, kv_heads=2, lora_targets=["k_proj", "dense", "fc1"], loreft_layers=[0, 1])
        | dict(settings=dict(qk_layernorm=True, partial_rotary_factor=1.0)),
    ),
    "opt": ("opt", TINY | dict(seed=33)),
    "opt-behind": (
        "opt",
        TINY
        | dict(seed=34, layers=3, heads=3, lora_targets=["k_proj", "out_proj", "fc1"], loreft_layers=[0, 2])
        | dict(settings=dict(do_layer_norm_before=False, word_embed_proj_dim=16, activation_function="gelu")),
    ),
    "opt-no-biases": (
        "opt",
        TINY
        | dict(seed=35, layers=1, heads=2, lora_targets=["out_proj", "fc1"])
        | dict(settings=dict(enable_bias=False, tie_word_embeddings=False, _remove_final_layer_norm=True)),
    ),
    "modernbert": ("modernbert", TINY | dict(seed=38, layers=4)),
    "modernbert-mean": (
        "modernbert",
        TINY
        | dict(seed=39, layers=2, heads=2, lora_targets=["attn.Wo", "Wi"], loreft_layers=[1])
        | dict(settings=dict(classifier_pooling="mean", norm_bias=True, attention_bias=True, mlp_bias=True, classifier_bias=True)),
    ),
    "deberta-v2": ("deberta-v2", TINY | dict(seed=40)),
    "deberta-v2-own-keys": (
        "deberta-v2",
        TINY
        | dict(seed=41, layers=3, heads=3, lora_targets=["pos_key_proj", "pos_query_proj", "output.dense"], loreft_layers=[0, 2])
        | dict(settings=dict(share_att_key=False, norm_rel_ebd="none", position_buckets=-1, max_relative_positions=6)),
    ),
    "deberta-v2-no-distances": (
        "deberta-v2",
        TINY
        | dict(seed=42, layers=1, heads=2, lora_targets=["query_proj", "intermediate.dense"])
        | dict(settings=dict(relative_attention=False, pos_att_type=None, position_biased_input=True, type_vocab_size=2)),
    ),
    "bert-tokens": ("bert", TINY | dict(seed=43, model_class="BertForTokenClassification")),
    "roberta-tokens": ("roberta", TINY | dict(seed=44, layers=1, model_class="RobertaForTokenClassification")),
    "xlm-roberta-tokens": ("xlm-roberta", TINY | dict(seed=45, layers=1, model_class="XLMRobertaForTokenClassification")),
    "distilbert-tokens": ("distilbert", TINY | dict(seed=46, layers=1, model_class="DistilBertForTokenClassification")),
    "modernbert-tokens": (
        "modernbert",
        TINY
        | dict(seed=47, model_class="ModernBertForTokenClassification")
        | dict(settings=dict(classifier_pooling="mean", layer_types=["sliding_attention", "full_attention"])),
    ),
    "deberta-v2-tokens": ("deberta-v2", TINY | dict(seed=48, layers=1, model_class="DebertaV2ForTokenClassification")),
    "llama-gptq": ("llama", PACKED | dict(seed=52, packing=GPTQ)),
    "llama-gptq-128": ("llama", PACKED | dict(seed=53, hidden=128, heads=4, packing=GPTQ | dict(group_size=128))),
    "qwen2-gptq-in-order": (
        "qwen2",
        PACKED | dict(seed=54, packing=GPTQ | dict(bits=8, group_size=16, desc_act=True, sym=False, checkpoint_format="gptq_v2")),
    ),
    "qwen3-awq": ("qwen3", PACKED | dict(seed=55, packing=AWQ)),
    "llama-gguf-q4": (
        "llama",
        PACKED | dict(vocab=360, seed=57, layers=2, settings=dict(intermediate_size=256)) | dict(packing=GGUF | dict(types={"*": "Q4_0", "ffn_down": "Q6_K"})),
    ),
    "qwen2-gguf-q8": ("qwen2", PACKED | dict(vocab=340, seed=58, packing=GGUF | dict(tokenizer="gpt2", pre="qwen2"))),
    "qwen3-gguf-f16": (
        "qwen3",
        PACKED | dict(vocab=340, seed=59, packing=GGUF | dict(tokenizer="gpt2", pre="gpt-2", types={"*": "F16", "attn_v": "BF16", "attn_k": "F32"})),
    ),
    "gemma3-gguf-q4": (
        "gemma3_text",
        PACKED
        | dict(vocab=360, seed=60, layers=2, packing=GGUF | dict(types={"*": "Q4_0", "token_embd": "Q8_0"}))
        | dict(settings=dict(head_dim=32, query_pre_attn_scalar=32, rope_parameters=None)),
    ),
    "llama-awq-symmetric": ("llama", PACKED | dict(seed=56, packing=AWQ | dict(group_size=32, zero_point=False))),
    "qwen2-windows": (
        "qwen2",
        TINY | dict(seed=22, settings=dict(use_sliding_window=True, sliding_window=5, max_window_layers=1)),
    ),
}


#: Further shapes of families, which `npm run test:goldens` compares and `npm test` leaves out.
FURTHER = (
    ("glm4-whole-heads", "gpt-neox-in-turn", "phi-head-norms", "opt-no-biases", "ministral3-windows", "llama-yarn-more")
    + ("gemma4-plain", "deberta-v2-own-keys", "deberta-v2-no-distances", "deberta-v2-tokens")
    + ("roberta-tokens", "xlm-roberta-tokens", "distilbert-tokens")
)


def config_settings(family, shape):
    """The shape in the family's own words."""
    D, H, L = shape["hidden"], shape["heads"], shape["layers"]
    if family == "gpt2":
        sizes = dict(vocab_size=shape["vocab"], n_embd=D, n_layer=L, n_head=H, n_positions=shape["positions"])
        return sizes | dict(attn_pdrop=0.0, embd_pdrop=0.0, resid_pdrop=0.0)
    if family == "distilbert":
        sizes = dict(vocab_size=shape["vocab"], dim=D, n_layers=L, n_heads=H, hidden_dim=3 * D)
        return sizes | dict(max_position_embeddings=shape["positions"], num_labels=CLASSES)
    if family == "opt":
        sizes = dict(vocab_size=shape["vocab"], hidden_size=D, num_hidden_layers=L, num_attention_heads=H, ffn_dim=3 * D)
        return sizes | dict(max_position_embeddings=shape["positions"])
    sizes = dict(vocab_size=shape["vocab"], hidden_size=D, num_hidden_layers=L, num_attention_heads=H, intermediate_size=3 * D)
    if family in CLASSIFIERS:
        # RoBERTa counts positions from pad_token_id + 1, so it needs two more.
        sizes |= dict(max_position_embeddings=shape["positions"] + 2, num_labels=CLASSES)
        if family == "modernbert":
            return sizes
        return sizes | dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    if family == "gpt_neox":
        return sizes | dict(max_position_embeddings=shape["positions"])
    if family == "gemma4_text":
        sizes |= dict(vocab_size_per_layer_input=shape["vocab"])
    return sizes | dict(max_position_embeddings=shape["positions"], num_key_value_heads=shape["kv_heads"])


def random_model(family, shape):
    """The family's model with random weights, in evaluation mode, frozen."""
    name, settings, _, _ = FAMILIES[family]
    model_class = getattr(transformers, shape["model_class"] or name)
    model = model_class(model_class.config_class(**config_settings(family, shape) | settings | shape["settings"]))
    if family == "gemma2":
        # The others of transformers leave out the bound of the scores.
        model.set_attn_implementation("eager")
    for weight in model.parameters():
        noise = torch.randn_like(weight)
        # Biases and norms are random too, so that zeros and ones hide nothing.
        weight.data = weight.data + 0.05 * noise if weight.ndim == 1 else 0.08 * noise
        weight.requires_grad_(False)
    for name, scale in model.named_buffers():
        if name.endswith("layer_scalar"):
            scale += 0.3 * torch.randn_like(scale)
    return model.eval()


def random_batch(model, shape, classes):
    """Texts with padding on the right, two tokens more in each row, and the length of each row's prompt."""
    B, T = shape["batch"], shape["tokens"]
    ids, mask = torch.randint(FIRST_TOKEN, shape["vocab"], (B, T)), torch.ones(B, T, dtype=torch.long)
    for row in range(B):
        mask[row, T - 2 * row :] = 0
    ids[mask == 0] = model.config.pad_token_id or 0
    if "ForTokenClassification" in type(model).__name__:
        labels, prompts = torch.randint(0, classes, (B, T)), mask.sum(1).tolist()
        labels[mask == 0] = -100
        labels[:, ::3] = -100
    elif classes:
        labels, prompts = torch.randint(0, classes, (B,)), mask.sum(1).tolist()
    else:
        labels, prompts = ids.clone(), [T // 2] * B
        labels[mask == 0] = -100
        labels[:, : T // 2] = -100
    return dict(input_ids=ids, attention_mask=mask, labels=labels), prompts


def loreft_values(model, family, shape, feed, prompts):
    """Loss and gradients with h + R^T (W h + b - R h) at the output of the chosen blocks, by hooks; nothing stays behind."""
    blocks, rank = model.get_submodule(FAMILIES[family][3]), shape["loreft_rank"]
    layers = shape["loreft_layers"] or list(range(len(blocks)))
    mask = torch.zeros(feed["input_ids"].shape)
    for row, length in enumerate(prompts):
        mask[row, : min(length // 2, shape["loreft_first"])] = 1
        mask[row, length - min(length // 2, shape["loreft_last"]) : length] = 1

    D = shape["hidden"]
    R = [torch.linalg.qr(torch.randn(D, rank))[0].T.contiguous().requires_grad_() for _ in layers]
    W = [(0.1 * torch.randn(rank, D)).requires_grad_() for _ in layers]
    b = [(0.1 * torch.randn(rank)).requires_grad_() for _ in layers]

    def edit_by(R, W, b):
        def edit(_, __, output):
            h = output[0] if isinstance(output, tuple) else output
            edited = h + mask[..., None] * ((h @ W.T + b - h @ R.T) @ R)
            return (edited,) + tuple(output[1:]) if isinstance(output, tuple) else edited

        return edit

    hooks = [blocks[layer].register_forward_hook(edit_by(*tensors)) for layer, *tensors in zip(layers, R, W, b)]
    loss = model(**feed).loss
    loss.backward()
    for hook in hooks:
        hook.remove()
    named = {f"{layer}.{part}": tensor for layer, *tensors in zip(layers, R, W, b) for part, tensor in zip("RWb", tensors)}
    return loss.item(), layers, dict(loreft_mask=mask) | with_gradients("loreft", named)


def lora_values(model, family, shape, feed):
    """Loss and gradients with peft's LoRA; the model keeps it."""
    targets = shape["lora_targets"] or FAMILIES[family][2]
    settings = LoraConfig(
        r=shape["lora_rank"],
        lora_alpha=shape["lora_alpha"],
        target_modules=targets,
        layers_to_transform=shape["lora_layers"] or None,
        fan_in_fan_out=family == "gpt2",
    )
    adapted = get_peft_model(model, settings)
    factors = {name: weight for name, weight in adapted.named_parameters() if ".lora_" in name}
    for weight in factors.values():
        weight.data = 0.1 * torch.randn_like(weight)
    loss = adapted(**feed).loss
    loss.backward()
    short = lambda name: name.removeprefix("base_model.model.").removesuffix(".default.weight").replace(".lora_", ".")
    return loss.item(), targets, with_gradients("lora", {short(name): weight for name, weight in factors.items()})


def generated_ids(model, feed, count):
    """The likeliest tokens behind the first seven of the first text. Phi-3 goes without a memory of keys and values: with one,
    transformers 5.18 forgets the text where it outgrows the original context."""
    prompt = feed["input_ids"][:1, :7]
    # Angles of a dynamic rope stay those of the longest text so far: the others are computed as if there had been none.
    other = copy.deepcopy(model)
    other.generation_config.eos_token_id = None
    more = dict(max_new_tokens=count, do_sample=False, use_cache=model.config.model_type != "phi3")
    ids = other.generate(prompt, attention_mask=torch.ones_like(prompt), **more)
    return dict(prompt=prompt[0].tolist(), ids=ids[0, 7:].tolist())


def with_gradients(kind, tensors):
    values = {f"{kind}.{name}": tensor.detach() for name, tensor in tensors.items()}
    return values | {f"{kind}_grad.{name}": tensor.grad for name, tensor in tensors.items()}


def write_directory(out, family, changes):
    """Make one model, compute with it, and write both to the folder `out`."""
    shape = DEFAULTS | changes
    if shape["tokens"] < 2 * shape["batch"] + 2:
        raise SystemExit(f"{out}: --tokens must be at least 2 * batch + 2, because each row is two tokens shorter than the last")
    torch.manual_seed(shape["seed"])
    torch.set_num_threads(1)
    classes = CLASSES if family in CLASSIFIERS else 0
    model = random_model(family, shape)
    packing = shape["packing"]
    if packing:
        packings.half_rest(model)
        is_gguf = packing["quant_method"] == "gguf"
        packed = (gguf_model.round_model if is_gguf else packings.round_model)(model, packing)
    feed, prompts = random_batch(model, shape, classes)
    base = model(**feed)
    loreft_loss, loreft_layers, loreft = loreft_values(model, family, shape, feed, prompts)
    generated = generated_ids(model, feed, shape["generated"]) if shape["generated"] else None
    # Saved before peft renames the modules.
    if packing:
        (gguf_model.save_gguf if is_gguf else packings.save_packed)(model, out, packed, packing)
    else:
        model.save_pretrained(out, safe_serialization=True)
    lora_loss, lora_targets, lora = lora_values(model, family, shape, feed)
    tensors = feed | dict(base_logits=base.logits.detach()) | loreft | lora
    save_file({name: tensor.contiguous().clone() for name, tensor in tensors.items()}, os.path.join(out, "golden.safetensors"))
    document = dict(
        family=family,
        base_loss=base.loss.item(),
        lora=dict(r=shape["lora_rank"], alpha=shape["lora_alpha"], targets=lora_targets)
        | (dict(layers=shape["lora_layers"]) if shape["lora_layers"] else {}),
        loreft=dict(
            r=shape["loreft_rank"],
            first=shape["loreft_first"],
            last=shape["loreft_last"],
            prompt_tokens=None if classes else prompts[0],
            layers=loreft_layers,
        ),
        loreft_loss=loreft_loss,
        lora_loss=lora_loss,
    )
    document |= dict(generated=generated) if generated else {}
    document |= dict(further=True) if os.path.basename(out) in FURTHER else {}
    with open(os.path.join(out, "golden.json"), "w") as stream:
        json.dump(document, stream, indent=1)
        stream.write("\n")
    print(out, {name: round(value, 4) for name, value in document.items() if name.endswith("_loss")})


def main():
    parser = argparse.ArgumentParser(description="Golden model directories; without arguments all that the repository holds.")
    parser.add_argument("out", nargs="?")
    parser.add_argument("family", nargs="?", choices=list(FAMILIES))
    for name, value in DEFAULTS.items():
        if name == "model_class":
            parser.add_argument("--model-class", default=value, help="class of transformers, such as BertForTokenClassification")
            continue
        if name == "settings":
            parser.add_argument("--settings", type=json.loads, default=value, help="more fields of the config, as JSON")
            continue
        several = isinstance(value, list)
        kind = (str if name == "lora_targets" else int) if several else int
        parser.add_argument("--" + name.replace("_", "-"), type=kind, default=value, nargs="+" if several else None)
    parser.add_argument("--only", nargs="+", choices=list(DIRECTORIES), default=list(DIRECTORIES))
    options = vars(parser.parse_args())
    out, family, own = options.pop("out"), options.pop("family"), options.pop("only")
    if out is None:
        for name in own:
            family, changes = DIRECTORIES[name]
            write_directory(os.path.join(os.path.dirname(os.path.abspath(__file__)), name), family, changes)
    elif family is None:
        parser.error("give a FAMILY after OUT")
    else:
        write_directory(out, family, options)


if __name__ == "__main__":
    main()
