"""Small random models that both sides can make: the stream of protocol/prng.ts in Python, and weights drawn from it as
node/model/random-model.suite.ts draws them. So a golden file needs to hold no weights.

Needs torch, transformers: pip install torch==2.13.0 transformers
"""
import hashlib
import json
import re

import torch
import transformers

MASK = 0xFFFFFFFF


class Prng:
    """xoshiro128** from SHA-256 of the stream's path; see protocol/README.md for the specification."""

    def __init__(self, path):
        self.path = str(path)
        digest = hashlib.sha256(b"weft-prng/1\0" + self.path.encode()).digest()
        self.s = [int.from_bytes(digest[4 * i : 4 * i + 4], "big") for i in range(4)]

    def fork(self, name):
        return Prng(f"{self.path}/{name}")

    def uint32(self):
        s = self.s
        rotate = lambda x, k: ((x << k) | (x >> (32 - k))) & MASK
        result = rotate(s[1] * 5 & MASK, 7) * 9 & MASK
        t = s[1] << 9 & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotate(s[3], 11)
        return result

    def below(self, bound):
        limit = 2**32 - 2**32 % bound
        while True:
            x = self.uint32()
            if x < limit:
                return x % bound

    def uniform(self):
        return ((self.uint32() >> 5) * 67108864 + (self.uint32() >> 6)) / 9007199254740992

    def normal(self):
        total = 0.0
        for _ in range(12):
            total += self.uniform()
        return total - 6

    def shuffle(self, items):
        copy = list(items)
        for i in range(len(copy) - 1, 0, -1):
            j = self.below(i + 1)
            copy[i], copy[j] = copy[j], copy[i]
        return copy

    def normals(self, shape, scale=1.0, mean=0.0):
        length = 1
        for n in shape:
            length *= n
        values = [mean + scale * self.normal() for _ in range(length)]
        return torch.tensor(values, dtype=torch.float64).reshape(shape).float()


DECODER = dict(
    vocab_size=29,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=64,
    rms_norm_eps=1e-5,
    tie_word_embeddings=False,
)
ENCODER = dict(
    vocab_size=29,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    max_position_embeddings=40,
    num_labels=3,
)
GPT2 = dict(vocab_size=29, n_embd=32, n_layer=2, n_head=4, n_positions=64, bos_token_id=0, eos_token_id=0)
LLAMA3 = dict(
    rope_type="llama3",
    rope_theta=10_000.0,
    factor=8.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_max_position_embeddings=32,
)
GEMMA = DECODER | dict(head_dim=8, query_pre_attn_scalar=12, sliding_window=3, tie_word_embeddings=True)
GEMMA4 = DECODER | dict(head_dim=8, global_head_dim=12, sliding_window=3, vocab_size_per_layer_input=DECODER["vocab_size"])
GEMMA4 |= dict(hidden_size_per_layer_input=6, num_kv_shared_layers=1, layer_types=["full_attention", "full_attention"])
IDS = dict(pad_token_id=0, bos_token_id=1, eos_token_id=2)
#: Without what the Llama layout alone has.
GPT = {k: v for k, v in DECODER.items() if k not in ("rms_norm_eps", "num_key_value_heads")}
OPT = {k: v for k, v in GPT.items() if k != "intermediate_size"} | dict(ffn_dim=48)
DISTILBERT = dict(vocab_size=29, dim=32, n_layers=2, n_heads=4, hidden_dim=48, max_position_embeddings=40, num_labels=3)
GRANITE = dict(embedding_multiplier=3.0, residual_multiplier=0.3, attention_multiplier=0.2, logits_scaling=2.5)
WINDOWS = dict(head_dim=8, sliding_window=3, layer_types=["sliding_attention", "full_attention"])
GROWING = dict(rope_type="yarn", rope_theta=1e4, factor=4.0, original_max_position_embeddings=5, llama_4_scaling_beta=0.3)
DISTANCES = dict(relative_attention=True, position_buckets=4, share_att_key=True, norm_rel_ebd="layer_norm")
DISTANCES |= dict(pos_att_type=["p2c", "c2p"], position_biased_input=False)
#: Family: class of transformers, its settings, module path of its blocks.
FAMILIES = {
    "llama": ("LlamaForCausalLM", DECODER, "model.layers"),
    "llama3": ("LlamaForCausalLM", DECODER | dict(rope_parameters=LLAMA3, tie_word_embeddings=True), "model.layers"),
    "mistral": ("MistralForCausalLM", DECODER | dict(sliding_window=3), "model.layers"),
    "qwen2": ("Qwen2ForCausalLM", DECODER | dict(tie_word_embeddings=True), "model.layers"),
    "qwen3": ("Qwen3ForCausalLM", DECODER | dict(head_dim=12), "model.layers"),
    "gpt2": ("GPT2LMHeadModel", GPT2, "transformer.h"),
    "gemma2": ("Gemma2ForCausalLM", GEMMA | dict(attn_logit_softcapping=2.0, final_logit_softcapping=3.0), "model.layers"),
    "gemma3_text": ("Gemma3ForCausalLM", GEMMA, "model.layers"),
    "gemma4_text": ("Gemma4ForCausalLM", GEMMA4, "model.layers"),
    "phi3": ("Phi3ForCausalLM", DECODER | IDS | dict(sliding_window=5), "model.layers"),
    "smollm3": ("SmolLM3ForCausalLM", DECODER | IDS | dict(no_rope_layers=[1, 0]), "model.layers"),
    "granite": ("GraniteForCausalLM", DECODER | GRANITE, "model.layers"),
    "olmo2": ("Olmo2ForCausalLM", DECODER | IDS, "model.layers"),
    "olmo3": ("Olmo3ForCausalLM", DECODER | IDS | WINDOWS, "model.layers"),
    "ministral": ("MinistralForCausalLM", DECODER | WINDOWS, "model.layers"),
    "ministral3": ("Ministral3ForCausalLM", DECODER | dict(head_dim=8, rope_parameters=GROWING), "model.layers"),
    "glm4": ("Glm4ForCausalLM", DECODER | IDS | dict(head_dim=8), "model.layers"),
    "gpt_neox": ("GPTNeoXForCausalLM", GPT, "gpt_neox.layers"),
    "phi": ("PhiForCausalLM", GPT, "model.layers"),
    "opt": ("OPTForCausalLM", OPT, "model.decoder.layers"),
    "distilbert": ("DistilBertForSequenceClassification", DISTILBERT, "distilbert.transformer.layer"),
    "modernbert": (
        "ModernBertForSequenceClassification",
        ENCODER | IDS | dict(local_attention=4, cls_token_id=1, sep_token_id=2, classifier_pooling="mean"),
        "model.layers",
    ),
    "deberta-v2": ("DebertaV2ForSequenceClassification", ENCODER | DISTANCES, "deberta.encoder.layer"),
    "xlm-roberta": (
        "XLMRobertaForSequenceClassification",
        ENCODER | dict(type_vocab_size=1, pad_token_id=1),
        "roberta.encoder.layer",
    ),
    "bert": ("BertForSequenceClassification", ENCODER, "bert.encoder.layer"),
    "roberta": (
        "RobertaForSequenceClassification",
        ENCODER | dict(type_vocab_size=1, pad_token_id=1),
        "roberta.encoder.layer",
    ),
}


def small_model(family, seed=1):
    """The family's model with weights from the stream `seed`, in evaluation mode (no dropout of its own)."""
    torch.set_num_threads(1)
    name, settings, _ = FAMILIES[family]
    model_class = getattr(transformers, name)
    model = model_class._from_config(model_class.config_class(**settings), attn_implementation="eager")
    stream = Prng(seed)
    scales = [(path, scale) for path, scale in model.named_buffers() if path.endswith("layer_scalar")]
    for path, weight in [*model.named_parameters(), *scales]:
        norm = re.search("norm|ln_|LayerNorm", path) and path.endswith("weight")
        mean, scale = (1, 0.2) if norm else (0, 0.3)
        weight.data = stream.fork(path).normals(weight.shape, scale, mean)
        weight.requires_grad_(False)
    return model.eval()


def config_document(model):
    """config.json as `save_pretrained` writes it."""
    model.config.architectures = [type(model).__name__]
    return json.loads(model.config.to_json_string())


def listed(tensor):
    """Values of a tensor for a JSON file: nine digits hold a float32."""
    return [float(f"{x:.9g}") for x in tensor.detach().flatten().tolist()]
