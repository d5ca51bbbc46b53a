"""The PyTorch side of `npm run bench:step -- --against torch`: the same work as node/bench/step-cases.ts.

usage: python3 torch_step.py CASE [--steps N]
CASE: lora_all | lora_response | loreft_all | loreft_upper | loreft_upper_response | long_512 | long_1024
Prints one line of JSON: stepMs and processorMs (medians; the latter of all threads), tokensPerSecond, peakMb.
Needs torch, transformers, peft: pip install torch==2.13.0 transformers peft
"""
import json, resource, sys, time

import torch
from transformers import LlamaConfig, LlamaForCausalLM

case = sys.argv[1]
steps = int(sys.argv[sys.argv.index("--steps") + 1]) if "--steps" in sys.argv else 6
torch.set_num_threads(2)
torch.manual_seed(0)
batch, tokens = {"long_512": (1, 512), "long_1024": (1, 1024)}.get(case, (4, 128))
prompt = {"lora_response": 96, "loreft_all": 32, "loreft_upper": 32, "loreft_upper_response": 96}.get(case, 1)
config = LlamaConfig(vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3, tie_word_embeddings=True, max_position_embeddings=2048)
model = LlamaForCausalLM(config)
if case.startswith(("lora", "long")):
    from peft import LoraConfig, get_peft_model

    model = get_peft_model(model, LoraConfig(r=8, lora_alpha=16, target_modules=["q_proj", "v_proj"]))
    trained = [p for p in model.parameters() if p.requires_grad]
else:
    # h + R^T (W h + b - R h) at the first and last 7 prompt positions of the block outputs, one intervention each.
    model.requires_grad_(False)
    layers = range(15, 30) if case.startswith("loreft_upper") else range(30)
    trained = []
    for layer in layers:
        ends = []
        for rows in (slice(0, 7), slice(prompt - 7, prompt)):
            R = torch.nn.Parameter(torch.linalg.qr(torch.randn(576, 4))[0].T.contiguous())
            W = torch.nn.Parameter(R.detach().clone())
            b = torch.nn.Parameter(torch.zeros(4))
            trained += [R, W, b]
            ends.append((rows, R, W, b))

        def edit(_, __, output, ends=ends):
            h = output[0] if isinstance(output, tuple) else output
            h = h.clone()
            for rows, R, W, b in ends:
                x = h[:, rows]
                h[:, rows] = x + (x @ W.T + b - x @ R.T) @ R
            return (h,) + tuple(output[1:]) if isinstance(output, tuple) else h

        model.model.layers[layer].register_forward_hook(edit)
optimizer = torch.optim.AdamW(trained, lr=1e-4)
ids = torch.randint(0, 49152, (batch, tokens))
labels = ids.clone()
labels[:, :prompt] = -100


def step():
    optimizer.zero_grad()
    loss = model(input_ids=ids, labels=labels).loss
    loss.backward()
    optimizer.step()
    return loss.item()


step()
step()
times, processor = [], []
for _ in range(steps):
    start, before = time.time(), time.process_time()
    step()
    times.append(1000 * (time.time() - start))
    processor.append(1000 * (time.process_time() - before))
median = sorted(times)[len(times) // 2]
print(json.dumps(dict(stepMs=median, processorMs=sorted(processor)[len(processor) // 2], tokensPerSecond=1000 * batch * tokens / median, peakMb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)))
