"""Packed weights for make_golden.py, in the forms that other programs write: rounded weights go into the model, so that PyTorch
computes with what the packed file stands for, and the packed tensors into the file.

Rounding is to the nearest, without any data: how a checkpoint was made does not matter for how it is read. The packing loops
are those of AutoGPTQ (qlinear_cuda_old.py, `pack`) and AutoAWQ (gemm.py, `from_linear`), in numpy instead of torch.
"""
import json
import os

import numpy as np
import torch
from safetensors.torch import save_file

AWQ_ORDER = [0, 2, 4, 6, 1, 3, 5, 7]


def rounded(weight, bits, group, symmetric, groups):
    """Integers [out, in], zero points and f16 scales [out, groups] of a matrix [out, in]; groups[k]: the group of column k."""
    W = weight.numpy().astype(np.float64)
    count, top = groups.max() + 1, 2**bits - 1
    q, scales, zeros = np.zeros(W.shape, np.int64), np.zeros((W.shape[0], count), np.float16), np.zeros((W.shape[0], count), np.int64)
    for g in range(count):
        part = W[:, groups == g]
        if symmetric:
            scale = np.abs(part).max(1) / (2 ** (bits - 1) - 1)
            zero = np.full(len(W), 2 ** (bits - 1))
        else:
            low, high = np.minimum(part.min(1), 0), np.maximum(part.max(1), 0)
            scale = (high - low) / top
            zero = np.clip(np.rint(-low / scale), 1, top)
        scales[:, g] = scale
        zeros[:, g] = zero
        s = scales[:, g].astype(np.float64)
        q[:, groups == g] = np.clip(np.rint(part / s[:, None]) + zeros[:, g][:, None], 0, top)
    values = scales.astype(np.float32)[:, groups] * (q - zeros[:, groups]).astype(np.float32)
    return q, zeros, scales, torch.from_numpy(values)


def gptq_words(columns, bits):
    """Words of 32 bits of the rows of a matrix [n, m]: word r has the rows r * 32 / bits to (r + 1) * 32 / bits, the first lowest."""
    per = 32 // bits
    words = np.zeros((columns.shape[0] // per, columns.shape[1]), np.uint32)
    for row in range(words.shape[0]):
        for j in range(per):
            words[row] |= columns[row * per + j].astype(np.uint32) << np.uint32(bits * j)
    return torch.from_numpy(words.astype(np.int32))


def gptq(weight, settings, seed):
    bits, group = settings["bits"], settings["group_size"]
    columns = weight.shape[1]
    groups = np.arange(columns) // (columns if group == -1 else group)
    if settings["desc_act"]:
        groups = np.random.default_rng(seed).permutation(groups)
    q, zeros, scales, values = rounded(weight, bits, group, settings["sym"], groups)
    stored = zeros - 1 if settings["checkpoint_format"] == "gptq" else zeros
    packed = dict(
        qweight=gptq_words(q.T, bits),
        qzeros=gptq_words(stored, bits).T.contiguous(),
        scales=torch.from_numpy(scales.T.copy()),
        g_idx=torch.from_numpy(groups.astype(np.int32)),
    )
    return packed, values


def awq_words(values):
    """Words of 32 bits along the last axis: place i of a word has column AWQ_ORDER[i] of its eight."""
    words = np.zeros((values.shape[0], values.shape[1] // 8), np.uint32)
    for column in range(words.shape[1]):
        for i, place in enumerate(AWQ_ORDER):
            words[:, column] |= values[:, column * 8 + place].astype(np.uint32) << np.uint32(i * 4)
    return torch.from_numpy(words.astype(np.int32))


def awq(weight, settings, seed):
    groups = np.arange(weight.shape[1]) // settings["group_size"]
    q, zeros, scales, values = rounded(weight, 4, settings["group_size"], not settings["zero_point"], groups)
    return dict(qweight=awq_words(q.T), qzeros=awq_words(zeros.T), scales=torch.from_numpy(scales.T.copy())), values


def round_model(model, settings):
    """Round the linear layers of the blocks in place; returns the packed tensors that stand for them, by name."""
    packed, pack = {}, dict(gptq=gptq, awq=awq)[settings["quant_method"]]
    for name, module in model.named_modules():
        if not isinstance(module, torch.nn.Linear) or ".layers." not in name:
            continue
        parts, values = pack(module.weight.data, settings, len(packed))
        module.weight.data = values
        packed |= {f"{name}.{part}": tensor for part, tensor in parts.items()}
    return packed


def save_packed(model, out, packed, settings):
    """config.json and model.safetensors with the packed tensors in place of the weights of those layers; the rest in F16."""
    matrices = {name.rsplit(".", 1)[0] + ".weight" for name in packed}
    rest = {name: tensor.half() for name, tensor in model.state_dict().items() if name not in matrices}
    if model.config.tie_word_embeddings:
        rest.pop("lm_head.weight", None)
    os.makedirs(out, exist_ok=True)
    model.config.quantization_config = settings
    model.config.save_pretrained(out)
    del model.config.quantization_config
    save_file({**{n: t.contiguous() for n, t in rest.items()}, **packed}, os.path.join(out, "model.safetensors"), {"format": "pt"})


def half_rest(model):
    """What is not packed stands in F16 in the file, so PyTorch must compute with it rounded to that."""
    for weight in model.parameters():
        weight.data = weight.data.half().float()
