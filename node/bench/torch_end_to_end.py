"""The PyTorch side of `npm run bench:end-to-end -- --against torch`: what a user of transformers and peft runs.

usage: python3 torch_end_to_end.py MODEL_DIRECTORY DATA.jsonl HELD.jsonl OUT --dtype float32|bfloat16 [--steps N] [--examples B] [--tokens T]
Loads, tokenises, evaluates, takes the steps, evaluates again and saves the adapter; names each on standard error when it is
done. Prints one line of JSON: the mean loss on the held-out examples before and after.
Needs torch, transformers, peft: pip install torch==2.13.0 transformers peft
"""
import argparse, json, random, sys

import torch
from peft import LoraConfig, get_peft_model
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM


def done(what):
    print(what, file=sys.stderr, flush=True)


parser = argparse.ArgumentParser()
for name in ("model", "data", "held", "out"):
    parser.add_argument(name)
parser.add_argument("--dtype", default="float32")
parser.add_argument("--steps", type=int, default=10)
parser.add_argument("--examples", type=int, default=4)
parser.add_argument("--tokens", type=int, default=128)
parser.add_argument("--threads", type=int, default=2)
asked = parser.parse_args()
torch.set_num_threads(asked.threads)
torch.manual_seed(0)
done("start")
model = AutoModelForCausalLM.from_pretrained(asked.model, dtype=getattr(torch, asked.dtype))
model = get_peft_model(model, LoraConfig(r=8, lora_alpha=16, target_modules=["q_proj", "v_proj"]))
done("load")
tokenizer = Tokenizer.from_file(f"{asked.model}/tokenizer.json")


def read(file):
    return [tokenizer.encode(json.loads(line)["text"]).ids[: asked.tokens] for line in open(file)]


train, held = read(asked.data), read(asked.held)
done("tokenise")


def batch(examples):
    width = max(map(len, examples))
    tokens = torch.tensor([one + [0] * (width - len(one)) for one in examples])
    mask = torch.tensor([[1] * len(one) + [0] * (width - len(one)) for one in examples])
    return dict(input_ids=tokens, attention_mask=mask, labels=tokens.masked_fill(mask == 0, -100))


def evaluate():
    with torch.no_grad():
        parts = [held[i : i + 16] for i in range(0, len(held), 16)]
        return sum(model(**batch(part)).loss.item() for part in parts) / len(parts)


before = evaluate()
done("evaluate before")
optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4)
order = random.Random(0)
for _ in range(asked.steps):
    optimizer.zero_grad()
    model(**batch(order.sample(train, asked.examples))).loss.backward()
    optimizer.step()
done("train")
after = evaluate()
done("evaluate after")
model.save_pretrained(asked.out)
done("save")
print(json.dumps(dict(before=before, after=after)))
