"""ONNX files as torch.onnx writes them, for node/model/torch-exports.test.ts: small transformers with open dimensions, by
both of its exporters, and the gradients that torch itself computes.

usage: python3 torch_exports.py [OUT]     writes OUT/NAME.onnx and OUT/NAME.json; OUT: the folder of this script when absent
Needs torch, transformers, onnx, onnxscript: pip install torch==2.13.0 transformers onnx onnxscript
"""
import json
import math
import os
import sys
import warnings

import onnx
import torch
from torch import nn
from torch.nn import functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../training/golden"))
from small_models import Prng, listed  # noqa: E402

VOCABULARY, HIDDEN, HEADS = 13, 8, 2


class Attention(nn.Module):
    """Written out, as many models have it: projections, a triangle of masked scores, softmax."""

    def __init__(self):
        super().__init__()
        self.qkv, self.out = nn.Linear(HIDDEN, 3 * HIDDEN), nn.Linear(HIDDEN, HIDDEN, bias=False)

    def forward(self, x):
        batch, tokens, width = x.shape
        q, k, v = (t.view(batch, tokens, HEADS, -1).transpose(1, 2) for t in self.qkv(x).split(width, dim=2))
        scores = q @ k.transpose(-2, -1) / math.sqrt(width // HEADS)
        seen = torch.tril(torch.ones(tokens, tokens)) == 0
        weights = scores.masked_fill(seen, float("-inf")).softmax(-1)
        return self.out((weights @ v).transpose(1, 2).reshape(batch, tokens, width))


class FusedAttention(Attention):
    """By torch's own function, which exporters take apart in their own ways."""

    def forward(self, x):
        batch, tokens, width = x.shape
        q, k, v = self.qkv(x).reshape(batch, tokens, 3, HEADS, -1).permute(2, 0, 3, 1, 4).unbind(0)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(mixed.transpose(1, 2).flatten(2))


class RotaryAttention(Attention):
    """Positions by rotation, with its tables computed in the graph from the number of tokens."""

    def forward(self, x):
        batch, tokens, width = x.shape
        size = width // HEADS
        angles = torch.outer(torch.arange(tokens).float(), 10.0 ** -torch.arange(0, size, 2).float())
        cos, sin = (torch.cat((t, t), -1) for t in (angles.cos(), angles.sin()))
        half = lambda t: torch.cat((-t[..., size // 2 :], t[..., : size // 2]), -1)
        q, k, v = (t.view(batch, tokens, HEADS, size).transpose(1, 2) for t in self.qkv(x).chunk(3, dim=-1))
        q, k = (t * cos + half(t) * sin for t in (q, k))
        seen = torch.full((tokens, tokens), float("-inf")).triu(1)
        weights = F.softmax(torch.einsum("bhqd,bhkd->bhqk", q, k) / size**0.5 + seen, dim=-1)
        return self.out(torch.einsum("bhqk,bhkd->bqhd", weights, v).reshape(batch, tokens, width))


class RootNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(HIDDEN))

    def forward(self, x):
        return self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5)


class Gated(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate, self.up, self.down = nn.Linear(HIDDEN, 12), nn.Linear(HIDDEN, 12), nn.Linear(12, HIDDEN)

    def forward(self, x):
        return self.down(F.silu(self.gate(x)) * self.up(x))


def perceptron(activation):
    return nn.Sequential(nn.Linear(HIDDEN, 12), activation, nn.Linear(12, HIDDEN))


class Transformer(nn.Module):
    def __init__(self, attention, norm, make_mlp, learned=True):
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, HIDDEN)
        self.places = nn.Embedding(16, HIDDEN) if learned else None
        self.blocks = nn.ModuleList(
            nn.ModuleDict(dict(norm1=norm(), attention=attention(), norm2=norm(), mlp=make_mlp())) for _ in range(2)
        )
        self.norm, self.head = norm(), nn.Linear(HIDDEN, VOCABULARY, bias=False)

    def forward(self, input_ids):
        h = self.words(input_ids)
        if self.places is not None:
            h = h + self.places(torch.arange(input_ids.shape[1]))
        for block in self.blocks:
            h = h + block["attention"](block["norm1"](h))
            h = h + block["mlp"](block["norm2"](h))
        return self.head(self.norm(h))


class Encoder(nn.Module):
    """torch.nn's own layers, with a mask of padding."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, HIDDEN)
        layer = nn.TransformerEncoderLayer(HIDDEN, HEADS, 12, dropout=0.0, activation="gelu", batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(HIDDEN, VOCABULARY)

    def forward(self, input_ids):
        return self.head(self.encoder(self.words(input_ids), src_key_padding_mask=input_ids == 0))


class Mixed(nn.Module):
    """Layers that are no transformer's: pooling, convolution, several activations, reductions, selections."""

    def __init__(self):
        super().__init__()
        self.words, self.norm = nn.Embedding(VOCABULARY, HIDDEN), nn.GroupNorm(2, HIDDEN)
        self.wide, self.deep = nn.Conv1d(HIDDEN, HIDDEN, 3, padding=1), nn.Conv1d(HIDDEN, HIDDEN, 1, groups=2)
        self.prelu, self.head = nn.PReLU(HIDDEN), nn.Linear(HIDDEN, VOCABULARY)

    def forward(self, input_ids):
        h = self.words(input_ids).transpose(1, 2)
        h = self.prelu(self.norm(self.wide(h))) + F.elu(self.deep(h))
        h = h + F.hardswish(h) * torch.sigmoid(h.mean(-1, keepdim=True)) + F.softplus(h.amax(1, keepdim=True))
        h = torch.where(h > 0.5, h.clamp(max=3).tanh(), F.leaky_relu(h, 0.1))
        h = F.max_pool1d(h, 3, stride=1, padding=1) + F.avg_pool1d(h, 3, stride=1, padding=1)
        h = h * torch.rsqrt(h.var(1, keepdim=True, unbiased=False) + 1e-3) + h.std((1, 2), keepdim=True)
        h = h + h.cumsum(1) / 7 + h.flip(1) * F.normalize(h, dim=1) + torch.logsumexp(h, 1, keepdim=True)
        return F.log_softmax(self.head(h.transpose(1, 2)), -1)


#: Name, exporter, operator set, module.
CASES = [
    ("gpt", "script", 14, lambda: Transformer(Attention, lambda: nn.LayerNorm(HIDDEN), lambda: perceptron(nn.GELU("tanh")))),
    ("gpt", "dynamo", 20, lambda: Transformer(Attention, lambda: nn.LayerNorm(HIDDEN), lambda: perceptron(nn.GELU("tanh")))),
    ("fused", "script", 17, lambda: Transformer(FusedAttention, lambda: nn.LayerNorm(HIDDEN), lambda: perceptron(nn.GELU()))),
    ("rotary", "dynamo", 18, lambda: Transformer(RotaryAttention, RootNorm, Gated, learned=False)),
    ("encoder", "dynamo", 21, Encoder),
    ("mixed", "script", 17, Mixed),
    ("mixed", "dynamo", 21, Mixed),
]


def example(shape=(2, 5)):
    stream = Prng(5)
    ids = torch.tensor([2 + stream.below(VOCABULARY - 2) for _ in range(shape[0] * shape[1])]).reshape(shape)
    labels = torch.tensor([stream.below(VOCABULARY) for _ in range(shape[0] * shape[1])]).reshape(shape)
    labels[0, 0] = -100
    return ids, labels


def export(name, exporter, opset, make, out):
    torch.manual_seed(0)
    module, stream = make(), Prng(4)
    for path, weight in module.named_parameters():
        mean = 1.0 if "norm" in path and path.endswith("weight") else 0.0
        weight.data = stream.fork(path).normals(weight.shape, 0.4, mean)
    module.eval()
    ids, labels = example()
    logits = module(ids)
    loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)
    loss.backward()
    # Exported with other sizes than those that are run, so that nothing of the example's is baked in unseen. Pooling is
    # baked in by the newer exporter.
    trace = example((3, 7) if (name, exporter) != ("mixed", "dynamo") else (3, 5))[0]
    names = dict(input_names=["input_ids"], output_names=["logits"], opset_version=opset)
    file = os.path.join(out, f"{name}-{exporter}-{opset}.onnx")
    if exporter == "script":
        axes = dict(input_ids={0: "batch", 1: "tokens"})
        torch.onnx.export(module, (trace,), file, dynamo=False, dynamic_axes=axes, **names)
    else:
        shapes = dict(input_ids={0: torch.export.Dim("batch", max=16), 1: torch.export.Dim("tokens", max=16)})
        torch.onnx.export(module, (trace,), file, dynamo=True, dynamic_shapes=shapes, external_data=False, **names)
    return dict(
        file=os.path.basename(file),
        torch=torch.__version__.split("+")[0],
        ids=ids.tolist(),
        labels=labels.tolist(),
        loss=loss.item(),
        logits=listed(logits),
        gradients=dict(by_initializer(module, without_traces(file))),
    )


def without_traces(file):
    """Exporters write a stack of source lines to every node; nobody needs them here."""
    model = onnx.load(file)
    for part in [*model.graph.node, *model.graph.input, *model.graph.output, *model.graph.value_info, model.graph, model]:
        part.doc_string = ""
        if hasattr(part, "metadata_props"):
            del part.metadata_props[:]
    del model.graph.value_info[:]
    onnx.checker.check_model(model)
    onnx.save(model, file)
    return model


def by_initializer(module, model):
    """The gradient of every parameter under the name that it has in the file, turned as it is there."""
    stored = {tensor.name: torch.tensor(onnx.numpy_helper.to_array(tensor)) for tensor in model.graph.initializer}
    for path, weight in module.named_parameters():
        for name, value in stored.items():
            if value.numel() == weight.numel() and torch.equal(value.flatten(), weight.data.flatten()):
                yield name, listed(weight.grad)
            elif weight.ndim == 2 and value.shape == weight.T.shape and torch.equal(value, weight.data.T):
                yield name, listed(weight.grad.T)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    out = sys.argv[1] if len(sys.argv) > 1 else HERE
    for name, exporter, opset, make in CASES:
        document = export(name, exporter, opset, make, out)
        with open(os.path.join(out, f"{name}-{exporter}-{opset}.json"), "w") as stream:
            stream.write("{\n" + ",\n".join(f" {json.dumps(k)}: {json.dumps(v)}" for k, v in document.items()) + "\n}\n")
        print(name, exporter, opset, len(document["gradients"]))
