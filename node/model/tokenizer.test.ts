import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { NodeError } from "../errors.ts";
import { sharedAsset } from "../golden/shared-assets.suite.ts";
import { trainTokenizer } from "../pretrain/tokenizer-trainer.ts";
import { createTokenizer, tokenizerOfFiles } from "./tokenizer.ts";

const stories = sharedAsset("models/tinystories-656k", "tinystories-656k, a trained model by others");
const json = (name: string): unknown => JSON.parse(readFileSync(join(stories.path, name), "utf8"));

describe.skipIf(stories.missing)("tokenizer of tinystories-656k", () => {
  const golden = (): { prompt: string; prompt_ids: number[]; greedy_ids: number[]; greedy_text: string } =>
    json("golden_greedy_numpy.json") as never;
  const load = (config: boolean) =>
    createTokenizer({
      tokenizerJson: json("tokenizer.json"),
      ...(config ? { tokenizerConfig: json("tokenizer_config.json") } : {}),
    });

  test("the golden prompt has the golden ids", () => {
    const { prompt, prompt_ids } = golden();
    expect(load(true).encode(prompt, { special: true })).toEqual(prompt_ids);
    expect(load(true).encode(prompt)).toEqual(prompt_ids.slice(1));
    expect(load(false).encode(prompt, { special: true })).toEqual(prompt_ids);
  });

  test("the golden ids read as the golden text", () => {
    const { greedy_ids, greedy_text } = golden();
    expect(load(true).decode(greedy_ids.slice(1))).toBe(greedy_text.replace("<|start_story|> ", ""));
  });

  test("begin, end and size are those of the files", () => {
    const { beginId, endId, vocabularySize } = load(true);
    expect({ beginId, endId, vocabularySize }).toEqual({ beginId: 1, endId: 2, vocabularySize: 2048 });
  });
});

describe("tokenizer", () => {
  const { tokenizerJson, tokenizerConfig } = trainTokenizer(["a cat and a cat"]);

  test("special tokens are left out of the text unless asked for; no ids are no text", () => {
    const tokenizer = createTokenizer({ tokenizerJson, tokenizerConfig });
    const ids = [...tokenizer.encode("a cat", { special: true }), tokenizer.endId!];
    expect(tokenizer.decode(ids)).toBe("a cat");
    expect(tokenizer.decode(ids, { special: true })).toBe("<|begin|>a cat<|end|>");
    expect(tokenizer.decode([])).toBe("");
  });

  test("without a template there is no begin token, unless the config asks for one", () => {
    const bare = { ...tokenizerJson, post_processor: null };
    expect(createTokenizer({ tokenizerJson: bare, tokenizerConfig }).beginId).toBeUndefined();
    const asked = createTokenizer({
      tokenizerJson: bare,
      tokenizerConfig: { ...tokenizerConfig, add_bos_token: true },
    });
    expect(asked.beginId).toBe(1);
    expect(asked.encode("a", { special: true })).toEqual([1, ...asked.encode("a")]);
    expect(asked.encode("a")).not.toContain(1);
  });

  test("a vocabulary has as many tokens as those of large models", () => {
    const vocab = Object.fromEntries(Array.from({ length: 130_000 }, (_, id) => [`t${id}`, id]));
    const { vocabularySize } = createTokenizer({ tokenizerJson: { model: { type: "BPE", vocab, merges: [] } } });
    expect(vocabularySize).toBe(130_000);
  });

  test("the end token is found by its usual name where there is no config", () => {
    expect(createTokenizer({ tokenizerJson }).endId).toBe(2);
  });

  const refused: [title: string, tokenizerJson: unknown, code: string, text: RegExp][] = [
    ["missing", undefined, "TOKENIZER_MISSING", /^m\/tokenizer\.json is missing; copy it/],
    ["not an object", [], "MODEL_CONFIG", /^m\/tokenizer\.json cannot be used \(it is not a JSON object\)/],
    ["no model", { version: "1.0" }, "MODEL_CONFIG", /it has no "model"/],
    ["unknown model", { model: { type: "Magic" } }, "MODEL_CONFIG", /Magic/],
    ["no merges", { model: { type: "BPE", vocab: { a: 0 } } }, "MODEL_CONFIG", /cannot be used/],
    ["empty vocabulary", { model: { type: "BPE", vocab: {}, merges: [] } }, "MODEL_CONFIG", /vocabulary is empty/],
    ["unknown decoder", { ...tokenizerJson, decoder: { type: "Magic" } }, "MODEL_CONFIG", /Magic/],
  ];
  test.each(refused)("a tokenizer.json that is %s is one clear line", (_, tokenizerJson, code, text) => {
    const attempt = () => createTokenizer({ tokenizerJson, directory: "m" });
    expect(attempt).toThrow(NodeError);
    expect(attempt).toThrow(expect.objectContaining({ code, message: expect.stringMatching(text) }));
    expect(attempt).toThrow(/^[^\n]+$/);
  });

  test("the files of a directory give the same tokenizer; bytes that are no JSON are one clear line", () => {
    const bytes = new TextEncoder().encode(JSON.stringify(tokenizerJson));
    const tokenizer = tokenizerOfFiles({ directory: "m", tokenizer: bytes, tokenizerConfig });
    expect(tokenizer.encode("a cat")).toEqual(createTokenizer({ tokenizerJson, tokenizerConfig }).encode("a cat"));
    for (const broken of [bytes.slice(0, 100), Uint8Array.of(0xff)]) {
      expect(() => tokenizerOfFiles({ directory: "m", tokenizer: broken })).toThrow(
        expect.objectContaining({
          code: "MODEL_CONFIG",
          message: expect.stringMatching(/^m\/tokenizer.json is not valid/),
        }),
      );
    }
    expect(() => tokenizerOfFiles({ directory: "m" })).toThrow(expect.objectContaining({ code: "TOKENIZER_MISSING" }));
  });
});
