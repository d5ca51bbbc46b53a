/** A classifier of tokens, from words with tags to an adapter and its entities: data check, train and eval. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CONFIGS, randomTensors } from "../../node/model/random-model.suite.ts";
import { writeSafetensors } from "../../node/model/safetensors.ts";
import { weft as run } from "../command.suite.ts";

let folder: string;
const at = (name: string): string => join(folder, name);
const LABELS = ["O", "B-PER", "I-PER"];
/** A word for each id of the model's vocabulary; w10 begins a name and w11 continues it. */
const WORDS = Array.from({ length: 29 }, (_, id) => ["<unk>", "<pad>", "<s>", "</s>"][id] ?? `w${id}`);
const tagOf = (word: string): string => (word === "w10" ? "B-PER" : word === "w11" ? "I-PER" : "O");

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "weft-tagger-"));
  await mkdir(at("model"));
  const config = {
    ...CONFIGS.roberta,
    architectures: ["RobertaForTokenClassification"],
    id2label: Object.fromEntries(LABELS.entries()),
  };
  await writeFile(at("model/config.json"), JSON.stringify(config));
  await writeFile(at("model/model.safetensors"), writeSafetensors(randomTensors(config)));
  await writeFile(at("model/tokenizer.json"), JSON.stringify(wordTokenizer()));
  await writeFile(at("model/tokenizer_config.json"), JSON.stringify({ bos_token: "<s>", eos_token: "</s>" }));
  const rows = Array.from({ length: 60 }, (_, n) => {
    const others = (count: number, from: number) =>
      Array.from({ length: count }, (_, t) => `w${12 + ((n * from + t * 5) % 16)}`);
    const tokens = [...others(1 + (n % 3), 7), "w10", ...(n % 2 === 0 ? ["w11"] : []), ...others(1 + (n % 4), 3)];
    // Numbers, as data sets have them.
    return JSON.stringify({ id: `${n}`, tokens, ner_tags: tokens.map((word) => LABELS.indexOf(tagOf(word))) });
  });
  await writeFile(at("names.jsonl"), rows.join("\n"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function wordTokenizer(): object {
  const added = (content: string) => ({
    ...{ id: WORDS.indexOf(content), content, special: true },
    ...{ single_word: false, lstrip: false, rstrip: false, normalized: false },
  });
  return {
    version: "1.0",
    added_tokens: ["<unk>", "<pad>", "<s>", "</s>"].map(added),
    pre_tokenizer: { type: "WhitespaceSplit" },
    post_processor: { type: "BertProcessing", cls: ["<s>", 2], sep: ["</s>", 3] },
    model: { type: "WordLevel", vocab: Object.fromEntries(WORDS.map((word, id) => [word, id])), unk_token: "<unk>" },
  };
}

const weft = (...words: readonly string[]) => run(words, undefined, { WEFT_DATA_DIR: at("peer") });

describe("a classifier of tokens", () => {
  it("shows what of words with tags it would learn", async () => {
    const { code, out } = await weft("data", "check", at("names.jsonl"), "--model", at("model"), "--json");
    expect(code).toBe(0);
    const report = JSON.parse(out);
    expect(report.form).toBe("JSON lines; 60 rows of tokens/tags; not trained on: id");
    expect(report.labels).toEqual({ O: expect.any(Number), "B-PER": 60, "I-PER": 30 });
    const shown = report.shown[0].map(({ text, learnt }: { text: string; learnt: boolean }) =>
      learnt ? `[${text}]` : text,
    );
    expect(shown.join("").replaceAll(/\s+/gu, " ").trim()).toBe("<s> w12 [O] w10 [B-PER] w11 [I-PER] w12 [O] </s>");
  });

  it("is trained with its head, and scored by entities", async () => {
    const options = ["--model", at("model"), "--data", at("names.jsonl"), "--threads", "1", "--batch-size", "6"];
    const trained = await weft(
      ...["train", ...options, "--adapter", "lora:r2:query,value", "--steps", "60", "--learning-rate", "0.04"],
      ...["--out", at("adapter"), "--json"],
    );
    expect([trained.code, trained.err]).toEqual([0, expect.stringContaining("step 60 of 60")]);
    const { before, after, parameters } = JSON.parse(trained.out);
    expect(after.accuracy).toBeGreaterThan(0.9);
    expect(after.entities).toEqual({
      ...{ precision: expect.any(Number), recall: expect.any(Number) },
      ...{ f1: expect.any(Number), count: expect.any(Number) },
    });
    expect(after.entities.f1).toBeGreaterThan(Math.max(0.5, before.entities.f1));
    // B and A of two layers' query and value, and the head: the classes alone.
    expect(parameters).toBe(2 * 2 * (2 * 32 + 32 * 2) + (32 * 3 + 3));

    const scored = await weft("eval", ...options, "--adapter", at("adapter"));
    expect([scored.code, scored.out]).toEqual([0, expect.stringMatching(/whole answers +entities \(F1\)/)]);
    const exported = await weft(
      "adapter",
      "export",
      "--adapter",
      at("adapter"),
      "--model",
      at("model"),
      "--format",
      "peft",
      "--out",
      at("peft"),
    );
    expect([exported.code, exported.err]).toEqual([0, expect.any(String)]);
    const config = JSON.parse(await readFile(at("peft/adapter_config.json"), "utf8"));
    expect([config.task_type, config.modules_to_save]).toEqual(["TOKEN_CLS", ["classifier"]]);
  });

  it("refuses rows without tags, naming file and record", async () => {
    await writeFile(at("texts.jsonl"), JSON.stringify({ text: "w10 w11", label: "O" }));
    const refused = await weft("data", "check", at("texts.jsonl"), "--model", at("model"));
    expect([refused.code, refused.err]).toEqual([
      2,
      expect.stringMatching(/texts\.jsonl: record 1: the model gives a class to every token, and this row has no tags/),
    ]);
  });
});
