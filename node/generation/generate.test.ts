import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { createPrng } from "../../protocol/prng.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { interventionFeeds } from "../adapter/positions.ts";
import { goldenNames, openGolden } from "../golden/golden-models.suite.ts";
import { sharedAsset } from "../golden/shared-assets.suite.ts";
import { loadBaseModel } from "../model/huggingface.ts";
import { CONFIGS, filesOf, randomTensors } from "../model/random-model.suite.ts";
import { tokenizerOfFiles } from "../model/tokenizer.ts";
import { encodeModel } from "../onnx/codec.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { readModelFiles } from "../system/files/model-files.ts";
import { int64 } from "../tensor.ts";
import { generate } from "./generate.ts";
import type { UsedModel } from "./inference-graph.ts";
import { textGraph } from "./inference-graph.ts";
import { GREEDY, sampleToken } from "./sampler.ts";
import { randomAdapter } from "./used-adapter.suite.ts";

const runtime = createOnnxRuntime();
const PROMPT = [3, 17, 5, 21, 8, 2, 11];
const OPTIONS = { promptIds: PROMPT, tokensMax: 12, sampling: GREEDY, seed: 0, endIds: new Set<number>(), threads: 1 };

const REFT = { rank: 2, layers: "all", positions: { first: 2, last: 2, tied: false } } as const;
const lora = (targets: readonly string[]): AdapterSettings => ({
  kind: "lora",
  rank: 2,
  alpha: 4,
  targets,
  layers: "all",
});

/** The same text without a memory: everything is computed again for every token, in one graph of the full length. */
async function withoutMemory(used: UsedModel, tokens: number, promptLength = PROMPT.length): Promise<number[]> {
  const total = PROMPT.length + tokens;
  const session = await runtime.load(encodeModel(textGraph(used, { examples: 1, tokens: total })), {
    externalData: used.model.externalData,
    threads: 1,
  });
  const { adapter, model } = used;
  const counts = adapter ? adapterMethod(adapter.settings).positions(adapter.settings) : { first: 0, last: 0 };
  const ids = [...PROMPT];
  while (ids.length < total) {
    const padded = [...ids, ...new Array<number>(total - ids.length).fill(0)];
    const { logits } = await session.run({
      input_ids: int64([1, total], padded),
      ...interventionFeeds(counts, [promptLength], total),
    });
    const { vocabulary } = model.shape;
    const row = (logits!.data as Float32Array).subarray((ids.length - 1) * vocabulary, ids.length * vocabulary);
    ids.push(row.indexOf(Math.max(...row)));
  }
  await session.close();
  return ids.slice(PROMPT.length);
}

describe("generate", () => {
  const decoders = Object.values(CONFIGS).filter(
    ({ model_type }) => !model_type.endsWith("bert") && model_type !== "roberta",
  );
  for (const config of [...decoders, { ...CONFIGS.mistral, sliding_window: 9 }]) {
    const model = loadBaseModel(filesOf(config, randomTensors(config)));
    const targets = config.model_type === "gpt2" ? ["c_attn", "mlp.c_proj"] : ["q_proj", "v_proj", "down_proj"];
    const reft: AdapterSettings = { kind: "loreft", ...REFT };
    const adapters: Record<string, AdapterSettings | undefined> = {
      "no adapter": undefined,
      "lora + loreft": { kind: "combination", lora: lora(targets) as never, reft: reft as never },
    };
    for (const [name, settings] of Object.entries(adapters)) {
      const window = "sliding_window" in config ? `, window ${config.sliding_window}` : "";
      it(`says with a memory what it says without: ${config.model_type}${window}, ${name}`, async () => {
        const used = { model, adapter: settings && randomAdapter(settings, model) };
        const { ids, stopped } = await generate({ runtime, ...used }, OPTIONS);
        expect(ids).toEqual(await withoutMemory(used, OPTIONS.tokensMax));
        expect(stopped).toBe("tokens");
      });
    }
  }

  /** Models whose angles follow the text's length: with a memory they say something else than without, as transformers does. */
  const growing = goldenNames().filter((name) => openGolden(name).meta.generated);
  it.each(growing)("says what transformers says beyond the original context: the golden %s", async (name) => {
    const { model, meta } = openGolden(name);
    const { prompt: promptIds, ids: expected } = meta.generated!;
    const { ids } = await generate({ runtime, model }, { ...OPTIONS, promptIds, tokensMax: expected.length });
    expect(growing.length).toBeGreaterThan(1);
    expect(ids).toEqual(expected);
  });

  const goldens = goldenNames().filter((name) => openGolden(name).model.cache && !growing.includes(name));
  it.each(goldens)("says with a memory what it says without: the golden %s, with LoRA", async (name) => {
    const golden = openGolden(name);
    const used = { model: golden.model, adapter: randomAdapter(golden.lora, golden.model) };
    const { ids } = await generate({ runtime, ...used }, OPTIONS);
    expect(ids).toEqual(await withoutMemory(used, ids.length));
  });

  const model = loadBaseModel(filesOf(CONFIGS.llama, randomTensors(CONFIGS.llama)));
  it.each<[string, AdapterSettings]>([
    ["ffa-lora", { ...lora(["q_proj"]), kind: "ffa-lora" } as AdapterSettings],
    ["tri-lora", { ...lora(["o_proj"]), kind: "tri-lora", basis: "shared" } as AdapterSettings],
    ["noreft at all positions", { kind: "noreft", rank: 2, layers: [1], positions: "all" }],
    ["direft at prompt positions", { kind: "direft", ...REFT }],
  ])("applies %s", async (_, settings) => {
    const used = { model, adapter: randomAdapter(settings, model) };
    const { ids } = await generate({ runtime, ...used }, OPTIONS);
    expect(ids).toEqual(await withoutMemory(used, OPTIONS.tokensMax));
    expect(ids).not.toEqual((await generate({ runtime, model }, OPTIONS)).ids);
  });

  it("stops at an end token, at the end of the context, and when asked to", async () => {
    const { ids } = await generate({ runtime, model }, OPTIONS);
    const end = ids[5]!;
    const ended = await generate({ runtime, model }, { ...OPTIONS, endIds: new Set([end]) });
    expect(ended).toEqual({ ids: ids.slice(0, ids.indexOf(end)), stopped: "end token" });
    const full = await generate({ runtime, model }, { ...OPTIONS, tokensMax: 1000 });
    expect(full.stopped).toBe("context");
    expect(full.ids.length).toBe(CONFIGS.llama.max_position_embeddings - PROMPT.length);
    const controller = new AbortController();
    const seen: number[] = [];
    const onToken = (id: number): void => {
      seen.push(id);
      if (seen.length === 3) controller.abort();
    };
    const stopped = await generate({ runtime, model }, { ...OPTIONS, signal: controller.signal, onToken });
    expect(stopped).toEqual({ ids: ids.slice(0, 3), stopped: "signal" });
    expect(seen).toEqual(ids.slice(0, 3));
  });

  it("draws the same text from the same seed, and another from another", async () => {
    const sampling = { temperature: 2, topP: 0.95 };
    const draw = async (seed: number) => (await generate({ runtime, model }, { ...OPTIONS, sampling, seed })).ids;
    expect(await draw(1)).toEqual(await draw(1));
    expect(await draw(2)).not.toEqual(await draw(1));
  });

  it("refuses what cannot be continued", async () => {
    const bert = loadBaseModel(filesOf(CONFIGS.bert, randomTensors(CONFIGS.bert)));
    const refused = (code: string, text: string) =>
      expect.objectContaining({ code, message: expect.stringContaining(text) });
    await expect(generate({ runtime, model: bert }, OPTIONS)).rejects.toEqual(refused("MODEL_CONFIG", "names a class"));
    const long = new Array<number>(64).fill(1);
    for (const [promptIds, code, text] of [
      [[], "CONFIG_INVALID", "no token"],
      [long, "CONFIG_INVALID", "64 tokens"],
      [[29], "MODEL_CONFIG", "token id 29"],
    ] as const) {
      await expect(generate({ runtime, model }, { ...OPTIONS, promptIds })).rejects.toEqual(refused(code, text));
    }
  });

  const stories = sharedAsset("models/tinystories-656k", "tinystories-656k, a trained model by others");
  it.skipIf(stories.missing)("tells the golden story of tinystories-656k", async () => {
    const golden = JSON.parse(readFileSync(join(stories.path, "golden_greedy_numpy.json"), "utf8"));
    const files = readModelFiles(stories.path);
    const tokenizer = tokenizerOfFiles(files);
    const promptIds = [tokenizer.beginId!, ...tokenizer.encode(golden.prompt)];
    expect(promptIds).toEqual(golden.prompt_ids);
    const tokensMax = golden.greedy_ids.length - promptIds.length;
    const { ids } = await generate({ runtime, model: loadBaseModel(files) }, { ...OPTIONS, promptIds, tokensMax });
    expect([...promptIds, ...ids]).toEqual(golden.greedy_ids);
    expect(tokenizer.decode([...promptIds, ...ids], { special: true })).toBe(golden.greedy_text);
  });
});

describe("sampleToken", () => {
  const logits = Float32Array.from([0, 3, 1, 3, -2]);
  it("takes the first of the likeliest at temperature 0", () => {
    expect(sampleToken(logits, GREEDY, createPrng(0))).toBe(1);
  });

  it("draws as often as the temperature says", () => {
    const prng = createPrng(1);
    const counts = [0, 0, 0, 0, 0];
    const draws = 20_000;
    for (let i = 0; i < draws; i++) counts[sampleToken(logits, { temperature: 2, topP: 1 }, prng)]! += 1;
    const weights = [...logits].map((z) => Math.exp(z / 2));
    const total = weights.reduce((a, b) => a + b);
    // Four standard deviations of a share that is drawn 20,000 times are below 0.015.
    for (const [id, weight] of weights.entries())
      expect(Math.abs(counts[id]! / draws - weight / total)).toBeLessThan(0.015);
  });

  it.each([
    [0.3, [1]],
    [0.6, [1, 3]],
    [0.9, [1, 3]],
    [0.97, [1, 2, 3]],
    [1, [0, 1, 2, 3, 4]],
  ])("draws only from the likeliest that have a share of %d together", (topP, expected) => {
    const prng = createPrng(2);
    const seen = new Set(Array.from({ length: 4000 }, () => sampleToken(logits, { temperature: 1, topP }, prng)));
    expect([...seen].sort()).toEqual(expected);
  });

  it("refuses logits that are no numbers", () => {
    const bad = Float32Array.from([1, Number.NaN]);
    expect(() => sampleToken(bad, GREEDY, createPrng(0))).toThrow(expect.objectContaining({ code: "MODEL_CONFIG" }));
  });
});
