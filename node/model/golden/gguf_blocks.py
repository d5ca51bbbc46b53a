"""Writes gguf/blocks.json: random blocks of each type of ggml that weft reads as values, and the values that the gguf package says
they have.

    python3 gguf_blocks.py      # needs: pip install gguf==0.19.0
"""

import base64
import json
import pathlib

import gguf
import numpy as np

TYPES = ["Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K"]
BLOCKS = 4
# Where the scales of 16 bits stand.
SCALES = {"Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2]}

random = np.random.default_rng(1)
cases = []
for name in TYPES:
    kind = gguf.GGMLQuantizationType[name]
    _, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = random.integers(0, 256, (BLOCKS, size), dtype=np.uint8)
    for at in SCALES[name]:
        scales = random.normal(0, 0.1, BLOCKS).astype(np.float16)
        scales[-1] = 6e-8  # the smallest half
        blocks[:, at : at + 2] = scales.view(np.uint8).reshape(BLOCKS, 2)
    values = gguf.quants.dequantize(blocks, kind).astype("<f4")
    encode = lambda array: base64.b64encode(array.tobytes()).decode()
    cases.append({"name": name, "type": int(kind), "blocks": encode(blocks), "values": encode(values)})
target = pathlib.Path(__file__).parent / "gguf" / "blocks.json"
target.write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
