"""What transformers makes of generated conversations by chat templates: token ids and the mask of the assistant's turns.
node/golden/chat-templates.test.ts reads it.

usage: python3 make_chat_golden.py
           writes conversations.json, the tokenizers and golden.json beside this script
       python3 make_chat_golden.py --long
           writes long.json.gz beside this script, too, for `npm run test:chats`: the further conversations up to 1,000, and for
           every template 12 digits of SHA-256 of the digests of 10 conversations each, parted by commas

Needs transformers, tokenizers, jinja2: pip install transformers==5.18.0 jinja2

The templates are this project's own, in the style of public ones, with the assistant's turns in {% generation %} blocks.
golden.json has for every template and conversation 12 hexadecimal digits of SHA-256 of "ids|mask", both parted by commas,
or "" where the template refuses the conversation. The date is the 26th of July 2024.
"""
import datetime
import glob
import gzip
import hashlib
import json
import os
import random
import sys

import jinja2
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

HERE = os.path.dirname(os.path.abspath(__file__))
COUNT = 220
#: With --long: so many conversations, of which the first are the same; their digests are of groups.
LONG_COUNT, GROUP = 1000, 10
SPECIAL = """<s> </s> <unk> <|im_start|> <|im_end|> <|start_header_id|> <|end_header_id|> <|eot_id|> [INST] [/INST] <|end|>
<start_of_turn> <end_of_turn> <|user|> <|assistant|> <|system|> [TOOL_CALLS] [AVAILABLE_TOOLS] [/AVAILABLE_TOOLS]
[TOOL_RESULTS] [/TOOL_RESULTS] <|User|> <|Assistant|> <|start_of_role|> <|end_of_role|> <|START_OF_TURN_TOKEN|>
<|END_OF_TURN_TOKEN|> <|USER_TOKEN|> <|CHATBOT_TOKEN|> <|SYSTEM_TOKEN|> <|end_of_turn|>""".split()
WORDS = """the a of to and in is it what how many red green blue house river seven twelve please answer list name
mountain because therefore never always small large don't it's 3.14 42 1,000 x=1; {"a": 1} [b] <tag> & "quoted" 'single'
über naïve Straße 東京 你好 мир 😀 👩‍👩‍👧 café e\u0301 → ½ ### *bold* `code` // \\n %d {{x}} {%y%}""".split()
SEAMS = [" ", " ", " ", " ", "\n", "\n\n", "  ", ", ", ". ", "\t"]
TOOLS = [
    {"type": "function", "function": {"name": "weather", "description": "Weather of a <city>", "parameters": {
        "type": "object", "properties": {"city": {"type": "string", "description": "such as Zürich"}}, "required": ["city"]}}},
    {"type": "function", "function": {"name": "sum", "description": "Adds", "parameters": {
        "type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "number"}}, "required": []}}},
]


def words(draw, low, high):
    text = ""
    for _ in range(draw.randint(low, high)):
        text += draw.choice(WORDS) + draw.choice(SEAMS)
    return draw.choice([text, text.strip(), text.strip(), text.strip(), " " + text])


def conversation(draw):
    messages = []
    if draw.random() < 0.4:
        messages.append({"role": "system", "content": words(draw, 1, 8)})
    has_tools = draw.random() < 0.3
    if draw.random() < 0.04:
        messages.append({"role": "assistant", "content": words(draw, 1, 4)})
    for _ in range(draw.choice([1, 1, 2, 2, 3, 4])):
        messages.append({"role": "user", "content": words(draw, 1, 12)})
        if has_tools and draw.random() < 0.6:
            call = draw.choice([("weather", {"city": draw.choice(WORDS)}), ("sum", {"a": 1, "b": 2.5}), ("sum", {})])
            turn = {"role": "assistant", "tool_calls": [
                {"type": "function", "function": {"name": call[0], "arguments": call[1]}}]}
            turn["content"] = draw.choice(["", "", words(draw, 1, 3)])
            messages.append(turn)
            messages.append({"role": "tool", "name": call[0], "content": draw.choice(["7", '{"temp": 21}', words(draw, 1, 3)])})
        answer = {"role": "assistant", "content": words(draw, 1, 10)}
        if draw.random() < 0.1:
            answer["content"] = "<think>\n" + words(draw, 1, 4).strip() + "\n</think>\n\n" + answer["content"]
        elif draw.random() < 0.06:
            answer["reasoning_content"] = words(draw, 1, 4)
        messages.append(answer)
    return {"messages": messages, **({"tools": draw.choice([TOOLS, TOOLS[:1]])} if has_tools else {})}


def bytes_tokenizer(texts):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=420, special_tokens=SPECIAL, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def pieces_tokenizer(texts):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([
        decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(content=" ", left=1)])
    trainer = trainers.BpeTrainer(vocab_size=700, special_tokens=SPECIAL + [f"<0x{b:02X}>" for b in range(256)], limit_alphabet=90, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    config = json.loads(tokenizer.to_str())
    # Bytes are words of the vocabulary, and no added tokens.
    config["added_tokens"] = [token for token in config["added_tokens"] if not token["content"].startswith("<0x")]
    return Tokenizer.from_str(json.dumps(config))


def date(form):
    return datetime.datetime(2024, 7, 26, 9, 5).strftime(form)


def digest(tokenizer, template, chat):
    try:
        out = tokenizer.apply_chat_template(
            chat["messages"], tools=chat.get("tools"), chat_template=template, strftime_now=date,
            return_dict=True, return_assistant_tokens_mask=True)
    except (jinja2.exceptions.TemplateError, TypeError, KeyError):
        return ""
    ids, mask = out["input_ids"], out["assistant_masks"]
    text = ",".join(map(str, ids)) + "|" + ",".join(map(str, mask))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def main():
    draw = random.Random(11)
    is_long = "--long" in sys.argv[1:]
    further = [conversation(draw) for _ in range(LONG_COUNT if is_long else COUNT)]
    chats = further[:COUNT]
    with open(f"{HERE}/conversations.json", "w", encoding="utf-8") as file:
        file.write("[\n" + ",\n".join(json.dumps(chat, ensure_ascii=False) for chat in chats) + "\n]\n")
    texts = [json.dumps(chat, ensure_ascii=False) for chat in chats]
    templates = {os.path.basename(path)[:-6]: open(path, encoding="utf-8").read() for path in sorted(glob.glob(f"{HERE}/templates/*.jinja"))}
    golden, groups = {}, {}
    for name, make in (("bytes", bytes_tokenizer), ("pieces", pieces_tokenizer)):
        made = make(texts)
        with open(f"{HERE}/{name}-tokenizer.json", "w", encoding="utf-8") as file:
            file.write(json.dumps(json.loads(made.to_str()), ensure_ascii=False) + "\n")
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>", eos_token="</s>", unk_token="<unk>")
        golden[name] = {key: [digest(tokenizer, template, chat) for chat in chats] for key, template in templates.items()}
        if is_long:
            whole = {key: golden[name][key] + [digest(tokenizer, template, chat) for chat in further[COUNT:]] for key, template in templates.items()}
            groups[name] = {key: [grouped(digests[at : at + GROUP]) for at in range(0, LONG_COUNT, GROUP)] for key, digests in whole.items()}
        for key, digests in golden[name].items():
            print(name, key, sum(one != "" for one in digests), "of", len(digests))
    with open(f"{HERE}/golden.json", "w", encoding="utf-8") as file:
        file.write(json.dumps(golden, indent=1) + "\n")
    if is_long:
        text = json.dumps(dict(conversations=further[COUNT:], group=GROUP, golden=groups), ensure_ascii=False)
        with open(f"{HERE}/long.json.gz", "wb") as file:
            file.write(gzip.compress(text.encode(), mtime=0))


def grouped(digests):
    return hashlib.sha256(",".join(digests).encode()).hexdigest()[:12]


main()
