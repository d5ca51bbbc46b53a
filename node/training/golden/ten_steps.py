"""Ten training steps by PyTorch for node/training/ten-steps.test.ts: small models of every family, with LoRA by peft and
with LoReFT, trained by torch's own optimisers, schedules and clipping. Every file holds the settings, the base model's logits
behind the last token of each text, the rotations at the start (the other tensors start from the stream), the losses, and
the adapter at the end.

usage: python3 ten_steps.py [FAMILY ...]     writes FAMILY/CASE.json beside this script; of every family when none is named
Needs torch, transformers, peft: pip install torch==2.13.0 transformers peft==0.21.0
"""
import json
import math
import os
import sys

import peft
import torch
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LinearLR, SequentialLR

from small_models import FAMILIES, Prng, config_document, listed, small_model

STEPS = 10
PEER_SEED = 12
ADAMW = dict(optimizer="adamw", learningRate=1e-2, weightDecay=0.0, gradientClip=1e9, batchSize=3, maxTokens=16)
UNTIED = dict(first=2, last=3, tied=False)
TIED = dict(first=2, last=2, tied=True)
lora = lambda *targets, **more: dict(kind="lora", rank=2, alpha=4, targets=targets, layers="all") | more
loreft = lambda positions, **more: dict(kind="loreft", rank=2, layers="all", positions=positions) | more
cosine = dict(schedule=dict(kind="cosine", warmupSteps=3))
linear = dict(schedule=dict(kind="linear", warmupSteps=2))
sgd = dict(optimizer="sgd", learningRate=2e-2, momentum=0.9)
#: (family, name of the case, adapter, training); fields are named as weft names them.
CASES = [
    ("llama", "lora, weight decay and clipping", lora("q_proj", "v_proj"), dict(weightDecay=0.1, gradientClip=0.5)),
    ("llama", "loreft, cosine with warm-up", loreft(TIED), cosine),
    ("llama3", "lora, accumulated batches", lora("q_proj", "down_proj"), dict(batchSize=2, accumulate=3)),
    ("llama3", "loreft, sgd with momentum", loreft(TIED), sgd),
    ("mistral", "lora, linear with warm-up", lora("k_proj", "o_proj", "up_proj"), linear),
    ("mistral", "loreft, untied", loreft(UNTIED), {}),
    ("qwen2", "lora, rslora", lora("q_proj", "k_proj", "v_proj", scale="rslora"), {}),
    ("qwen2", "loreft, clipping", loreft(UNTIED, layers=[1]), dict(gradientClip=0.3)),
    ("qwen3", "lora, dropout", lora("q_proj", "gate_proj", dropout=0.25), {}),
    ("qwen3", "loreft, every position", loreft("all"), dict(weightDecay=0.05)),
    ("gpt2", "lora", lora("c_attn", "mlp.c_proj"), cosine),
    ("gpt2", "loreft, accumulated batches", loreft(TIED), dict(batchSize=2, accumulate=2)),
    ("bert", "lora, head", lora("query", "value"), dict(weightDecay=0.1)),
    ("bert", "loreft, head", loreft(TIED), cosine),
    ("roberta", "lora, head", lora("query", "intermediate.dense"), dict(gradientClip=1.0)),
    ("roberta", "loreft, head, sgd with momentum", loreft(TIED), sgd),
    ("gemma2", "lora", lora("q_proj", "down_proj"), {}),
    ("gemma3_text", "lora, cosine with warm-up", lora("k_proj", "up_proj"), cosine),
    ("gemma4_text", "lora, clipping", lora("q_proj", "per_layer_projection"), dict(gradientClip=0.5)),
    ("phi3", "lora, clipping", lora("qkv_proj", "down_proj"), dict(gradientClip=0.5)),
    ("smollm3", "loreft", loreft(TIED), {}),
    ("granite", "lora, sgd with momentum", lora("q_proj", "o_proj"), sgd),
    ("olmo2", "lora", lora("v_proj", "gate_proj"), {}),
    ("olmo3", "loreft, untied", loreft(UNTIED), linear),
    ("ministral", "lora, accumulated batches", lora("q_proj", "v_proj"), dict(batchSize=2, accumulate=2)),
    ("ministral3", "lora", lora("q_proj", "k_proj"), {}),
    ("glm4", "lora", lora("q_proj", "gate_up_proj"), {}),
    ("gpt_neox", "lora, weight decay", lora("query_key_value", "dense_4h_to_h"), dict(weightDecay=0.1)),
    ("phi", "loreft, every position", loreft("all"), {}),
    ("opt", "lora, linear with warm-up", lora("q_proj", "fc2"), linear),
    ("distilbert", "lora, head", lora("q_lin", "lin1"), {}),
    ("xlm-roberta", "lora, head", lora("query", "value"), cosine),
    ("modernbert", "lora, head", lora("Wqkv", "mlp.Wo"), {}),
    ("deberta-v2", "lora, head", lora("query_proj", "key_proj"), dict(weightDecay=0.1)),
]
#: Module paths of the heads that classifiers train.
HEADS = {
    "bert": ["bert.pooler.dense", "classifier"],
    "roberta": ["classifier.dense", "classifier.out_proj"],
    "xlm-roberta": ["classifier.dense", "classifier.out_proj"],
    "distilbert": ["pre_classifier", "classifier"],
    "modernbert": ["head.dense", "head.norm", "classifier"],
    "deberta-v2": ["pooler.dense", "classifier"],
}


def make_examples(classes):
    """Seven texts of different lengths; of a classifier the last value is the class."""
    stream = Prng(7).fork("examples")
    examples = []
    for length in (13, 9, 11, 8, 12, 10, 13):
        tokens = [2 + stream.below(27) for _ in range(length)]
        prompt = length if classes else 4 + stream.below(3)
        examples.append(dict(tokens=tokens + [stream.below(3)] * (1 if classes else 0), promptLength=prompt))
    return examples


def batch_of(examples, chosen, classes):
    width = max(len(examples[i]["tokens"]) for i in chosen)
    ids = torch.zeros(len(chosen), width, dtype=torch.long)
    mask, labels = ids.clone(), torch.full_like(ids, -100)
    for row, i in enumerate(chosen):
        tokens, prompt = examples[i]["tokens"], examples[i]["promptLength"]
        text = tokens[:prompt] if classes else tokens
        ids[row, : len(text)], mask[row, : len(text)] = torch.tensor(text), 1
        if not classes:
            labels[row, prompt : len(tokens)] = torch.tensor(tokens[prompt:])
    if classes:
        labels = torch.tensor([examples[i]["tokens"][-1] for i in chosen])
    return dict(ids=ids, mask=mask, labels=labels, prompts=[examples[i]["promptLength"] for i in chosen])


class FedMask(torch.nn.Module):
    """Dropout with the masks of node/adapter/dropout.ts: one of 16 random bits for each value."""

    def __init__(self, path, rate, batch):
        super().__init__()
        self.path, self.below, self.batch = path, round(rate * 65536), batch

    def forward(self, x):
        stream = Prng(PEER_SEED).fork("dropout").fork(f"step-{self.batch['draw']}").fork(self.path)
        examples, width = self.batch["ids"].shape
        columns, padded = x.shape[-1], self.batch["width"]
        length = examples * padded * columns
        words = [stream.uint32() for _ in range((length + 1) // 2)]
        bits = [half for word in words for half in (word >> 16, word & 0xFFFF)][:length]
        mask = torch.tensor([1.0 if b >= self.below else 0.0 for b in bits]).reshape(examples, padded, columns)
        return x * mask[:, :width] / (1 - self.below / 65536)


def attach_lora(model, family, settings, batch):
    config = peft.LoraConfig(
        r=settings["rank"],
        lora_alpha=settings["alpha"],
        target_modules=list(settings["targets"]),
        use_rslora=settings.get("scale") == "rslora",
        fan_in_fan_out=family == "gpt2",
    )
    adapted = peft.get_peft_model(model, config).eval()
    stream, trained = Prng(3), {}
    for name, module in adapted.named_modules():
        if not isinstance(module, peft.tuners.lora.LoraLayer):
            continue
        path = name.removeprefix("base_model.model.")
        for part, factor in (("A", module.lora_A), ("B", module.lora_B)):
            weight = factor["default"].weight
            weight.data = stream.fork(f"{path}.{part}").normals(weight.shape, 0.2)
            trained[f"{path}.{part}"] = weight
        if "dropout" in settings:
            module.lora_dropout["default"] = FedMask(path, settings["dropout"], batch)
    return adapted, trained


def attach_loreft(model, family, settings, batch):
    """h + R^T (W h + b - R h) at the output of every chosen block, by hooks."""
    blocks = model.get_submodule(FAMILIES[family][2])
    hidden, rank, positions = model.config.hidden_size, settings["rank"], settings["positions"]
    stream, trained = Prng(3), {}

    def edit_of(edits):
        def edit(_, __, output):
            h = output[0] if isinstance(output, tuple) else output
            for end, R, W, b in edits:
                chosen = torch.zeros(h.shape[:2])
                for row, length in enumerate(batch["prompts"]):
                    if positions == "all":
                        chosen[row] = 1
                        continue
                    first, last = (min(length // 2, positions[part]) for part in ("first", "last"))
                    if end != "suffix":
                        chosen[row, :first] = 1
                    if end != "prefix":
                        chosen[row, length - last : length] = 1
                h = h + chosen[..., None] * ((h @ W.T + b - h @ R.T) @ R)
            return (h,) + tuple(output[1:]) if isinstance(output, tuple) else h

        return edit

    layers = range(len(blocks)) if settings["layers"] == "all" else settings["layers"]
    tied = positions == "all" or positions["tied"]
    for layer in layers:
        edits = []
        for end in ("both",) if tied else ("prefix", "suffix"):
            name = f"layers.{layer}" if tied else f"layers.{layer}.{end}"
            R = torch.linalg.qr(stream.fork(f"{name}.R").normals([hidden, rank]))[0].T.contiguous()
            W = stream.fork(f"{name}.W").normals([rank, hidden], 0.2)
            b = stream.fork(f"{name}.b").normals([rank], 0.2)
            edits.append((end, *(tensor.requires_grad_() for tensor in (R, W, b))))
            trained |= {f"{name}.{part}": tensor for part, tensor in zip("RWb", edits[-1][1:])}
        blocks[layer].register_forward_hook(edit_of(edits))
    return model, trained


def retract(trained):
    """R <- the nearest matrix with orthonormal rows."""
    for name, tensor in trained.items():
        if name.endswith(".R"):
            U, _, V = torch.linalg.svd(tensor.data.double(), full_matrices=False)
            tensor.data = (U @ V).float()


def scheduler_of(optimizer, training):
    """The first step has 1 / w of the rate, step w - 1 all of it; then down to 0 over the other steps."""
    if "schedule" not in training:
        return LambdaLR(optimizer, lambda _: 1.0)
    warmup = training["schedule"]["warmupSteps"]
    up = LinearLR(optimizer, 1 / warmup, 1.0, warmup - 1)
    if training["schedule"]["kind"] == "cosine":
        down = CosineAnnealingLR(optimizer, STEPS - warmup)
    else:
        down = LinearLR(optimizer, 1.0, 0.0, STEPS - warmup)
    return SequentialLR(optimizer, [up, down], [warmup])


def head_of(model, family):
    return {
        f"{path}.{part}": weight
        for path in HEADS.get(family, [])
        for part, weight in model.get_submodule(path).named_parameters()
    }


def train(family, name, settings, changes):
    model = small_model(family)
    config, classes = config_document(model), family in HEADS
    examples, training = make_examples(classes), ADAMW | changes
    whole = batch_of(examples, range(len(examples)), classes)
    logits = model(input_ids=whole["ids"], attention_mask=whole["mask"]).logits
    last = logits if classes else torch.stack([logits[i, len(e["tokens"]) - 1] for i, e in enumerate(examples)])

    batch, head = {}, head_of(model, family)
    attach = attach_lora if settings["kind"] == "lora" else attach_loreft
    adapted, trained = attach(model, family, settings, batch)
    trained |= head
    rotations = {path: listed(tensor) for path, tensor in trained.items() if path.endswith(".R")}
    for tensor in trained.values():
        tensor.requires_grad_()
    parameters, rate = list(trained.values()), training["learningRate"]
    if training["optimizer"] == "adamw":
        optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=training["weightDecay"])
    else:
        optimizer = torch.optim.SGD(parameters, lr=rate, momentum=training["momentum"])
    scheduler = scheduler_of(optimizer, training)
    order, losses, size = [], [], training["batchSize"]
    accumulate = training.get("accumulate", 1)
    stream = Prng(PEER_SEED).fork("batch-order")
    while len(order) < STEPS * accumulate * size:
        order += stream.fork(f"epoch-{len(order) // len(examples)}").shuffle(range(len(examples)))
    for step in range(STEPS):
        draws = range(step * accumulate, (step + 1) * accumulate)
        batches = [batch_of(examples, order[d * size : (d + 1) * size], classes) | dict(draw=d) for d in draws]
        count = sum(int((one["labels"] != -100).sum()) for one in batches)
        width = max(len(example["tokens"]) for example in examples)
        optimizer.zero_grad()
        total = 0.0
        for one in batches:
            batch.update(one, width=8 * math.ceil(width / 8))
            rows, labels = adapted(input_ids=one["ids"], attention_mask=one["mask"]).logits, one["labels"]
            if not classes:
                rows, labels = rows[:, :-1].flatten(0, 1), labels[:, 1:].flatten()
            loss = cross_entropy(rows, labels, ignore_index=-100, reduction="sum") / count
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(parameters, training["gradientClip"])
        optimizer.step()
        scheduler.step()
        retract(trained)
        losses.append(total)
    return dict(
        family=family,
        case=name,
        torch=torch.__version__.split("+")[0],
        config=config,
        adapter=settings,
        training=training,
        peerSeed=PEER_SEED,
        examples=examples,
        logits=listed(last),
        rotations=rotations,
        losses=losses,
        final={path: listed(tensor) for path, tensor in trained.items()},
    )


def written(document):
    """One line for each field, and for each tensor."""
    lines = lambda fields, indent: ",\n".join(f"{indent}{json.dumps(k)}: {json.dumps(v)}" for k, v in fields.items())
    nested = {k: v for k, v in document.items() if k in ("rotations", "final")}
    flat = {k: v for k, v in document.items() if k not in nested}
    parts = [lines(flat, " ")] + [f' "{k}": {{\n{lines(v, "  ")}\n }}' for k, v in nested.items()]
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    out, families = os.path.dirname(os.path.abspath(__file__)), sys.argv[1:]
    for family, name, settings, changes in CASES:
        if families and family not in families:
            continue
        document = train(family, name, settings, changes)
        os.makedirs(os.path.join(out, family), exist_ok=True)
        file = name.replace(", ", "-").replace(" ", "-") + ".json"
        with open(os.path.join(out, family, file), "w") as stream:
            stream.write(written(document))
        print(family, name, document["losses"][0], document["losses"][-1])
