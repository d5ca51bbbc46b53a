import { describe, expect, it } from "vitest";
import { loadBaseModel } from "./huggingface.ts";
import type { Config, NamedTensor } from "./random-model.suite.ts";
import { CONFIGS, filesOf, randomTensors } from "./random-model.suite.ts";

const renamed = (tensors: readonly NamedTensor[], rename: (name: string) => string): readonly NamedTensor[] =>
  tensors.map((tensor) => ({ ...tensor, name: rename(tensor.name) }));

const load = (config: Config, tensors: readonly NamedTensor[]) => loadBaseModel(filesOf(config, tensors));

describe("weights are found under the names that checkpoints give them", () => {
  const rows: readonly (readonly [string, Config, (name: string) => string])[] = [
    ["GPT-2 without its prefix", CONFIGS.gpt2, (name) => name.replace("transformer.", "")],
    ["a bare Llama", { ...CONFIGS.llama, tie_word_embeddings: true }, (name) => name.replace("model.", "")],
    [
      "tied embeddings under the output's name",
      { ...CONFIGS.llama, tie_word_embeddings: true },
      (name) => (name === "model.embed_tokens.weight" ? "lm_head.weight" : name),
    ],
    [
      "the norms of the first BERT",
      CONFIGS.bert,
      (name) => name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"),
    ],
  ];
  it.each(rows)("%s", (_, config, rename) => {
    const tensors = randomTensors(config);
    const model = load(config, renamed(tensors, rename));
    for (const { name, shape, data } of tensors) {
      expect(model.values({ name, shape }), name).toEqual(data);
      expect(model.weight({ name, shape }), name).toMatchObject({ shape, source: { kind: "external", name } });
    }
  });

  it("but an untied output is not taken from the embedding", () => {
    const tensors = randomTensors(CONFIGS.llama).filter(({ name }) => name !== "lm_head.weight");
    expect(() => load(CONFIGS.llama, tensors)).toThrow(
      /no tensor lm_head.weight, and config.json does not tie .* set tie_word_embeddings to true/,
    );
  });

  it("but not where one tensor stands there by two names", () => {
    const tensors = randomTensors(CONFIGS.llama);
    const bare = renamed(tensors, (name) => name.replace("model.", "")).filter(({ name }) => name !== "lm_head.weight");
    expect(() => load(CONFIGS.llama, [...tensors, ...bare])).toThrow(
      /hold model\.embed_tokens\.weight and embed_tokens\.weight, which are one tensor by two names/,
    );
  });
});

describe("a classifier's head", () => {
  const isHead = ({ name }: { readonly name: string }) => /^classifier|pooler/.test(name);

  it("may be missing from the files; nothing else may", () => {
    const tensors = randomTensors(CONFIGS.roberta);
    const model = load(
      CONFIGS.roberta,
      tensors.filter((tensor) => !isHead(tensor)),
    );
    for (const weight of model.weights) expect(model.has(weight), weight.name).toBe(!isHead(weight));
    expect(model.classifier!.head.every(isHead)).toBe(true);
    const [head] = model.classifier!.head;
    expect(() => model.weight(head!)).toThrow(
      expect.objectContaining({
        code: "MODEL_MISSING",
        message: expect.stringContaining("the encoder has no head with classifier.dense.weight yet"),
        facts: { problem: "head-untrained" },
      }),
    );
    const broken = tensors.filter(({ name }) => !name.endsWith("word_embeddings.weight"));
    expect(() => load(CONFIGS.roberta, broken)).toThrow(expect.objectContaining({ code: "MODEL_MISSING" }));
  });

  it.each(["roberta", "bert"] as const)("may be missing from a bare %s, which its config calls so", (type) => {
    const config = CONFIGS[type];
    const name = { roberta: "RobertaModel", bert: "BertModel" }[type];
    const bare = randomTensors(config).filter((tensor) => !tensor.name.startsWith("classifier"));
    const own = renamed(bare, (stored) => stored.replace(`${type}.`, ""));
    for (const architectures of [[name], null, []]) {
      const model = load({ ...config, architectures }, own);
      for (const { name, shape, data } of bare) expect(model.values({ name, shape }), name).toEqual(data);
    }
  });

  it("of tokens in the place of one of texts is told as that", () => {
    const tensors = randomTensors(CONFIGS.bert).filter(({ name }) => !name.includes("pooler"));
    const model = load(CONFIGS.bert, tensors);
    const [head] = model.classifier!.head;
    expect(() => model.weight(head!)).toThrow(
      /no head with bert\.pooler\.dense\.weight yet; what it has is classifier\.weight/,
    );
  });

  it("of another number of classes is refused", () => {
    const other = { ...CONFIGS.roberta, id2label: { 0: "no", 1: "yes" } };
    expect(() => load(other, randomTensors(CONFIGS.roberta))).toThrow(
      /classifier\.out_proj\.weight has shape \[3,32\], config\.json asks for \[2,32\]/,
    );
  });
});

describe("config.json", () => {
  it.each([
    [
      { model_type: "t5" },
      /model_type "t5" is not supported; weft runs llama, mistral, qwen2, qwen3, gpt2, bert, roberta/,
    ],
    [{ model_type: "qwen3_moe" }, /"qwen3_moe" is not supported: it has a mixture of experts, which weft does not/],
    [{ model_type: "gemma4", text_config: {} }, /text_config names no model_type; take the file of the model/],
    [{ model_type: "gemma3n", text_config: {} }, /"gemma3n" is not supported: it has several streams that correct/],
    [{}, /names no model_type/],
    [null, /names no model_type/],
    [[], /names no model_type/],
  ])("%j is refused", (config, text) => {
    expect(() => loadBaseModel({ directory: "m", config, shards: [] })).toThrow(
      expect.objectContaining({ code: "MODEL_CONFIG", message: expect.stringMatching(text) }),
    );
  });
});
