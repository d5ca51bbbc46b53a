"""The PyTorch side of `npm run bench:base -- --against torch` and of bench:device: LoRA r 8 on q and v, AdamW.

usage: python3 torch_base.py MODEL_DIRECTORY --dtype float32|bfloat16 [--device cpu|cuda] [--steps N] [--examples B] [--tokens T]
Prints one line of JSON: stepMs, processorMs (medians), loadMs, losses; on cuda also devicePeakMb.
Needs torch, transformers, peft: pip install torch==2.13.0 transformers peft
"""
import argparse, json, time

began = time.time()
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("--dtype", default="float32")
parser.add_argument("--device", default="cpu")
parser.add_argument("--steps", type=int, default=3)
parser.add_argument("--warmup", type=int, default=1)
parser.add_argument("--examples", type=int, default=4)
parser.add_argument("--tokens", type=int, default=128)
parser.add_argument("--threads", type=int, default=2)
asked = parser.parse_args()
torch.set_num_threads(asked.threads)
torch.manual_seed(0)
model = AutoModelForCausalLM.from_pretrained(asked.model, dtype=getattr(torch, asked.dtype)).to(asked.device)
vocabulary = model.config.vocab_size
model = get_peft_model(model, LoraConfig(r=8, lora_alpha=16, target_modules=["q_proj", "v_proj"]))
optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4)
ids = torch.randint(0, vocabulary, (asked.examples, asked.tokens), device=asked.device)
labels = ids.clone()
labels[:, :1] = -100
load = 1000 * (time.time() - began)


def step():
    optimizer.zero_grad()
    loss = model(input_ids=ids, labels=labels).loss
    loss.backward()
    optimizer.step()
    return loss.item()


times, processor, losses = [], [], []
for i in range(-asked.warmup, asked.steps):
    start, before = time.time(), time.process_time()
    losses.append(step())
    if i >= 0:
        times.append(1000 * (time.time() - start))
        processor.append(1000 * (time.process_time() - before))
found = dict(stepMs=sorted(times)[len(times) // 2], processorMs=sorted(processor)[len(processor) // 2], loadMs=load, losses=losses)
if asked.device == "cuda":
    found["devicePeakMb"] = torch.cuda.max_memory_allocated() / 1e6
print(json.dumps(found))
