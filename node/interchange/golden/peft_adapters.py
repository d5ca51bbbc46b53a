"""Adapters of peft for node/interchange/peft-golden.test.ts: the configuration as peft saves it, the names and shapes of
the saved tensors (their values come from the stream of their name), and the adapted model's logits. Where a gradient is
asked for: the mean cross entropy of the next tokens, and its gradient by every saved tensor.

usage: python3 peft_adapters.py [OUT [NAME...]]     writes OUT/NAME.json, all of them or these; OUT: the folder of this
script when absent
Needs torch, transformers, peft: pip install torch==2.13.0 transformers peft==0.21.0
"""
import json
import os
import sys
import tempfile

import peft
import torch
from safetensors.torch import load_file

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../training/golden"))
from small_models import Prng, config_document, listed, small_model  # noqa: E402

IDS = [4, 8, 15, 16, 23, 2]
MASK = [1, 1, 1, 1, 1, 0]
QV = ["q_proj", "v_proj"]
#: A classifier, the gradients of whose head are asked for.
HEAD = dict(r=2, lora_alpha=4, task_type="SEQ_CLS", modules_to_save=["classifier"])
#: (name of the file, family, LoraConfig)
CASES = [
    ("llama", "llama", dict(r=3, lora_alpha=6, target_modules=QV)),
    ("llama-causal-lm-dropout", "llama", dict(r=2, lora_alpha=5, target_modules=QV, task_type="CAUSAL_LM", lora_dropout=0.1)),
    ("llama-rslora", "llama3", dict(r=3, lora_alpha=6, target_modules=["o_proj"], use_rslora=True)),
    ("llama-all-linear", "llama", dict(r=2, lora_alpha=4, target_modules="all-linear", task_type="CAUSAL_LM")),
    ("llama-expression", "llama", dict(r=2, lora_alpha=4, target_modules=r".*\.layers\.1\..*(q_proj|down_proj)")),
    ("llama-layers-to-transform", "llama", dict(r=2, lora_alpha=4, target_modules=QV, layers_to_transform=[1])),
    ("llama-one-layer", "llama", dict(r=2, lora_alpha=4, target_modules=QV, layers_to_transform=0, layers_pattern="layers")),
    ("llama-exclude", "llama", dict(r=2, lora_alpha=4, target_modules=QV, exclude_modules=["model.layers.0.self_attn.v_proj"])),
    (
        "llama-patterns",
        "llama",
        dict(
            r=2,
            lora_alpha=6,
            target_modules=["q_proj", "down_proj"],
            rank_pattern={"layers.1.self_attn.q_proj": 5, r"^model\.layers\.0\.mlp\.down_proj": 4},
            alpha_pattern={"q_proj": 3, "model.layers.1.mlp.down_proj": 7.5},
        ),
    ),
    (
        "mistral-patterns-rslora",
        "mistral",
        dict(
            r=4, lora_alpha=6, target_modules=["q_proj", "up_proj"], use_rslora=True, rank_pattern={"up_proj": 2}, alpha_pattern={"0.self_attn.q_proj": 9}
        ),
    ),
    ("llama-dora", "llama", dict(r=3, lora_alpha=6, target_modules=["q_proj", "down_proj"], use_dora=True)),
    ("qwen2-dora-rslora", "qwen2", dict(r=2, lora_alpha=4, target_modules=["k_proj"], use_dora=True, use_rslora=True)),
    ("gpt2-dora", "gpt2", dict(r=2, lora_alpha=4, target_modules=["c_attn", "c_fc"], fan_in_fan_out=True, use_dora=True)),
    ("roberta-dora", "roberta", dict(r=2, lora_alpha=4, target_modules=["query", "key"], task_type="SEQ_CLS", use_dora=True)),
    ("llama-lora-bias", "llama", dict(r=3, lora_alpha=6, target_modules=QV, lora_bias=True)),
    ("gpt2-lora-bias", "gpt2", dict(r=2, lora_alpha=4, target_modules=["c_attn"], fan_in_fan_out=True, lora_bias=True)),
    ("llama-pissa", "llama", dict(r=3, lora_alpha=6, target_modules=["q_proj", "down_proj"], init_lora_weights="pissa")),
    ("gpt2-pissa", "gpt2", dict(r=2, lora_alpha=4, target_modules=["c_attn"], fan_in_fan_out=True, init_lora_weights="pissa")),
    ("llama-olora", "llama", dict(r=3, lora_alpha=6, target_modules=["q_proj", "down_proj"], init_lora_weights="olora")),
    ("qwen2-olora-rslora", "qwen2", dict(r=2, lora_alpha=4, target_modules=["v_proj"], init_lora_weights="olora", use_rslora=True)),
    ("qwen2-gaussian-start", "qwen2", dict(r=2, lora_alpha=4, target_modules=["k_proj"], init_lora_weights="gaussian")),
    ("qwen3", "qwen3", dict(r=2, lora_alpha=4, target_modules=["q_proj", "k_proj", "gate_proj"])),
    ("gpt2", "gpt2", dict(r=2, lora_alpha=4, target_modules=["c_attn", "c_fc", "mlp.c_proj"], fan_in_fan_out=True)),
    ("gpt2-corrected", "gpt2", dict(r=2, lora_alpha=4, target_modules=["c_proj"], task_type="CAUSAL_LM")),
    ("bert-default", "bert", dict(r=2, lora_alpha=4, task_type="SEQ_CLS")),
    ("bert-whole-head", "bert", dict(r=2, lora_alpha=4, target_modules=["query"], modules_to_save=["classifier", "pooler"])),
    ("bert-no-head", "bert", dict(r=2, lora_alpha=4, target_modules=["query", "value"])),
    ("bert-dense-layers", "bert", dict(r=2, lora_alpha=4, target_modules=["dense"], layers_to_transform=[0, 1])),
    ("roberta-default", "roberta", dict(r=2, lora_alpha=4, target_modules=["query", "key"], task_type="SEQ_CLS")),
    ("bert-trained-head", "bert", HEAD | dict(target_modules=["query"], modules_to_save=["pooler", "classifier"])),
    ("roberta-trained-head", "roberta", HEAD | dict(target_modules=["query", "value"])),
    ("xlm-roberta-trained-head", "xlm-roberta", HEAD | dict(target_modules=["value"])),
    ("distilbert-trained-head", "distilbert", HEAD | dict(target_modules=["q_lin"], modules_to_save=["pre_classifier", "classifier"])),
    ("modernbert-trained-head", "modernbert", HEAD | dict(target_modules=["Wqkv"], modules_to_save=["head", "classifier"])),
    ("deberta-v2-trained-head", "deberta-v2", HEAD | dict(target_modules=["query_proj"], modules_to_save=["pooler", "classifier"])),
]


def golden(name, family, settings):
    model = small_model(family)
    base = config_document(model)
    adapted = peft.get_peft_model(model, peft.LoraConfig(**settings)).eval()
    with tempfile.TemporaryDirectory() as folder:
        adapted.save_pretrained(folder)
        config = json.load(open(os.path.join(folder, "adapter_config.json")))
        saved = load_file(os.path.join(folder, "adapter_model.safetensors"))
    stream = Prng(3)
    values = {key: stream.fork(key).normals(tensor.shape, 0.2) for key, tensor in saved.items()}
    result = peft.set_peft_model_state_dict(adapted, values)
    assert not result.unexpected_keys, result.unexpected_keys
    config["base_model_name_or_path"] = None
    if isinstance(config["target_modules"], list):
        config["target_modules"].sort()
    with torch.no_grad():
        logits = adapted(input_ids=torch.tensor([IDS]), attention_mask=torch.tensor([MASK])).logits
    if isinstance(settings.get("init_lora_weights"), str):
        assert_loads_alike(adapted, family, logits)
    tensors = {key: list(tensor.shape) for key, tensor in sorted(saved.items())}
    document = dict(name=name, family=family, model=base, config=config, tensors=tensors, ids=IDS, mask=MASK, logits=listed(logits))
    if (settings.get("use_dora") or settings.get("lora_bias")) and "task_type" not in settings:
        document.update(gradients(adapted))
    if name.endswith("-trained-head"):
        document.update(class_gradients(adapted))
    return document


def assert_loads_alike(adapted, family, logits):
    """What peft saves and loads again onto the model as published computes the same: a start that changes the base weights
    does so again when it is loaded."""
    with tempfile.TemporaryDirectory() as folder:
        adapted.save_pretrained(folder)
        loaded = peft.PeftModel.from_pretrained(small_model(family), folder).eval()
    with torch.no_grad():
        again = loaded(input_ids=torch.tensor([IDS]), attention_mask=torch.tensor([MASK])).logits
    assert torch.allclose(logits, again, atol=1e-5), (logits - again).abs().max()


def gradients(adapted):
    for key, parameter in adapted.named_parameters():
        parameter.requires_grad_("lora_" in key)
    logits = adapted(input_ids=torch.tensor([IDS]), attention_mask=torch.tensor([MASK])).logits
    loss = torch.nn.functional.cross_entropy(logits[0, :-1], torch.tensor(IDS[1:]))
    loss.backward()
    # The names that peft saves them under.
    named = {key.replace(".default", "").replace("lora_magnitude_vector.weight", "lora_magnitude_vector"): parameter.grad
             for key, parameter in adapted.named_parameters() if parameter.grad is not None}
    return dict(loss=loss.item(), gradients={key: listed(grad) for key, grad in sorted(named.items())})


def class_gradients(adapted):
    """Of the cross entropy of one text's class, by LoRA's factors and by the modules that are saved whole."""
    for key, parameter in adapted.named_parameters():
        parameter.requires_grad_("lora_" in key or ".modules_to_save." in key)
    logits = adapted(input_ids=torch.tensor([IDS]), attention_mask=torch.tensor([MASK])).logits
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor([1]))
    loss.backward()
    named = {key.replace(".modules_to_save", "").replace(".default", ""): parameter.grad
             for key, parameter in adapted.named_parameters() if parameter.grad is not None}
    return dict(label=1, loss=loss.item(), gradients={key: listed(grad) for key, grad in sorted(named.items())})


def written(document):
    return "{\n" + ",\n".join(f" {json.dumps(k)}: {json.dumps(v)}" for k, v in document.items()) + "\n}\n"


if __name__ == "__main__":
    out = sys.argv[1] if len(sys.argv) > 1 else HERE
    wanted = sys.argv[2:]
    for name, family, settings in CASES:
        if wanted and name not in wanted:
            continue
        with open(os.path.join(out, name + ".json"), "w") as stream:
            stream.write(written(golden(name, family, settings)))
        print(name)
