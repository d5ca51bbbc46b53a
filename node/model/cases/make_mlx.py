"""A model directory as mlx_lm.convert -q writes it, from base-llama: matrices whose rows are whole groups of 32 become 4-bit
numbers, eight in a word of 32 bits, the first lowest, beside a scale and a bias for each group: w = scale q + bias. The others
stay as they are in 16 bits.

usage: python3 make_mlx.py     writes O1-mlx-weights beside this script
Needs numpy and safetensors. Source: mlx.core.quantize, mode affine (https://ml-explore.github.io/mlx).
"""
import json
import os
import shutil

import numpy as np
from safetensors.numpy import load_file, save_file

HERE = os.path.dirname(os.path.abspath(__file__))
GROUP, BITS = 32, 4


def quantized(w):
    groups = w.reshape(w.shape[0], -1, GROUP).astype(np.float32)
    bias = groups.min(axis=-1, keepdims=True)
    scale = np.maximum((groups.max(axis=-1, keepdims=True) - bias) / (2**BITS - 1), 1e-7)
    q = np.rint((groups - bias) / scale).astype(np.uint32).reshape(w.shape[0], -1, 32 // BITS)
    words = (q << (BITS * np.arange(32 // BITS, dtype=np.uint32))).sum(axis=-1, dtype=np.uint32)
    return words, scale[..., 0].astype(np.float16), bias[..., 0].astype(np.float16)


def main():
    source, out = os.path.join(HERE, "base-llama"), os.path.join(HERE, "O1-mlx-weights")
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(source, out)
    tensors = {}
    for name, w in load_file(os.path.join(source, "model.safetensors")).items():
        if w.ndim == 2 and w.shape[1] % GROUP == 0:
            path = name.removesuffix(".weight")
            tensors[name], tensors[path + ".scales"], tensors[path + ".biases"] = quantized(w)
        else:
            tensors[name] = w.astype(np.float16)
    save_file(tensors, os.path.join(out, "model.safetensors"), metadata={"format": "mlx"})
    with open(os.path.join(out, "config.json")) as file:
        config = json.load(file)
    # Both names: the one of MLX, and the one that transformers looks for.
    config["quantization"] = config["quantization_config"] = dict(group_size=GROUP, bits=BITS, mode="affine")
    with open(os.path.join(out, "config.json"), "w") as file:
        json.dump(config, file, indent=4)


if __name__ == "__main__":
    main()
