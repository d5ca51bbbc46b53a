import { afterAll, describe, expect, it } from "vitest";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { fillBatch, planShape } from "../data/batch.ts";
import type { Example, TrainerOptions } from "../interface/trainer.ts";
import { loadBaseModel } from "../model/huggingface.ts";
import { CONFIGS, filesOf, randomTensors } from "../model/random-model.suite.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { classifierFeeds, headStart } from "./classification.ts";
import { createTrainer } from "./trainer.ts";

const config = CONFIGS.roberta;
const isHead = ({ name }: { readonly name: string }): boolean => name.startsWith("classifier.");
const tensors = randomTensors(config);
const whole = filesOf(config, tensors);
const bare = filesOf(
  config,
  tensors.filter((tensor) => !isHead(tensor)),
);
const HEAD = tensors.filter(isHead).reduce((sum, { data }) => sum + data.length, 0);

/** The class is said by the second token: 10, 11 or 12. */
const examples = (from: number, count: number): Example[] =>
  Array.from({ length: count }, (_, i) => {
    const [n, label] = [from + i, (from + i) % 3];
    const text = [2, 10 + label, ...Array.from({ length: 1 + (n % 5) }, (_, t) => 13 + ((n * 7 + t * 5) % 16)), 3];
    return { tokens: [...text, label], promptLength: text.length };
  });
const data = { train: examples(0, 24), validation: examples(24, 6), test: examples(30, 12) };

const LORA: AdapterSettings = { kind: "lora", rank: 2, alpha: 4, targets: ["query", "value"], layers: "all" };
const LOREFT: AdapterSettings = {
  kind: "loreft",
  rank: 2,
  layers: "all",
  positions: { first: 1, last: 1, tied: true },
};

const opened: { close(): Promise<void> }[] = [];
afterAll(() => Promise.all(opened.map((trainer) => trainer.close())));

async function open(files: typeof whole, options: Partial<TrainerOptions> = {}) {
  const runtime = createOnnxRuntime();
  const trainer = await createTrainer(
    { runtime, files },
    {
      modelDirectory: "m",
      adapter: LORA,
      training: {
        optimizer: "adamw",
        learningRate: 0.02,
        weightDecay: 0,
        gradientClip: 1,
        batchSize: 6,
        maxTokens: 16,
      },
      networkSeed: 5,
      peerSeed: 6,
      data,
      engine: { threads: 1 },
      ...options,
    },
  );
  opened.push(trainer);
  return trainer;
}

describe("a classifier's trainer", () => {
  it.each([
    ["LoRA", LORA],
    ["LoReFT", LOREFT],
  ])("learns with %s and a head of its own, from a bare encoder", async (_, adapter) => {
    const trainer = await open(bare, { adapter });
    const before = await trainer.evaluate({ set: "train" });
    expect(before.tokens).toBe(data.train.length);
    expect(before.loss).toBeGreaterThan(1);
    await trainer.train({ steps: 60 });
    const after = await trainer.evaluate({ set: "train" });
    expect(after.loss).toBeLessThan(0.3);
    expect(after.accuracy).toBeGreaterThan(0.9);
    expect(await trainer.evaluate({ set: "train", adapter: "base" })).toEqual(before);
  });

  it("keeps its head to itself: what is sent is the adapter alone, what is saved is both", async () => {
    const trainer = await open(bare);
    const sent = await trainer.adapter();
    const { adapter: saved } = await trainer.state();
    expect(trainer.tensors.every(({ name }) => /\.[AB]$/.test(name))).toBe(true);
    expect(saved.length).toBe(sent.length + HEAD);
    await trainer.train({ steps: 2 });
    const state = await trainer.state();
    expect(state.adapter.subarray(sent.length)).not.toEqual(saved.subarray(sent.length));
    await trainer.setAdapter(sent);
    const mixed = (await trainer.state()).adapter;
    expect(mixed.subarray(0, sent.length)).toEqual(sent);
    expect(mixed.subarray(sent.length)).toEqual(state.adapter.subarray(sent.length));
  });

  it("sends a shared head behind the adapter, and takes that of others in its place", async () => {
    const trainer = await open(bare, { head: "shared" });
    expect(trainer.tensors.slice(-4).map(({ name }) => name)).toEqual(
      loadBaseModel(bare).classifier!.head.map(({ name }) => name),
    );
    await trainer.train({ steps: 2 });
    const sent = await trainer.adapter();
    expect(sent).toEqual((await trainer.state()).adapter);
    const other = await open(bare, { head: "shared" });
    await other.setAdapter(sent);
    expect(await other.evaluate({ set: "test" })).toEqual(await trainer.evaluate({ set: "test" }));
    expect((await other.evaluate({ set: "test" })).loss).not.toBe(
      (await other.evaluate({ set: "test", adapter: "base" })).loss,
    );
  });

  it("goes on from a saved state with the same bits", async () => {
    const [one, other] = [await open(bare), await open(bare)];
    await one.train({ steps: 2 });
    await other.restore(await one.state());
    await Promise.all([one.train({ steps: 2 }), other.train({ steps: 2 })]);
    expect(await other.state()).toEqual(await one.state());
  });

  it("may leave a stored head as it is, but cannot freeze one that is not there", async () => {
    const trainer = await open(whole, { head: "frozen" });
    expect((await trainer.state()).adapter.length).toBe((await trainer.adapter()).length);
    await expect(open(bare, { head: "frozen" })).rejects.toMatchObject({ code: "MODEL_MISSING" });
  });

  it.each([
    ["a class that the model lacks", { tokens: [2, 10, 3, 3], promptLength: 3 }, "DATA_FORMAT"],
    ["no class", { tokens: [2, 10, 3, 0, 0], promptLength: 3 }, "DATA_FORMAT"],
    ["a token outside of the vocabulary", { tokens: [2, 29, 3, 0], promptLength: 3 }, "MODEL_CONFIG"],
    ["a text longer than its positions", { tokens: [...new Array(39).fill(2), 0], promptLength: 39 }, "CONFIG_INVALID"],
  ])("refuses %s", async (_, example, code) => {
    await expect(open(whole, { data: { ...data, test: [example] } })).rejects.toMatchObject({ code });
  });

  it("takes a text that fills all positions", async () => {
    const full = { tokens: [...new Array(38).fill(2), 1], promptLength: 38 };
    const trainer = await open(whole, { data: { ...data, test: [full] } });
    expect((await trainer.evaluate({ set: "test" })).loss).toBeGreaterThan(0);
  });
});

describe("the head's start", () => {
  it("is what the files hold, else drawn from the network's seed with biases of 0", () => {
    const [stored, drawn] = [loadBaseModel(whole), loadBaseModel(bare)];
    const head = stored.classifier!.head;
    const expected = head.flatMap(({ name }) => [...tensors.find((tensor) => tensor.name === name)!.data]);
    expect([...headStart(stored, head, 1)]).toEqual(expected);
    const start = headStart(drawn, head, 1);
    expect(headStart(drawn, head, 1)).toEqual(start);
    expect(headStart(drawn, head, 2)).not.toEqual(start);
    let offset = 0;
    for (const { name, shape } of head) {
      const length = shape.reduce((product, n) => product * n, 1);
      const values = start.subarray(offset, offset + length);
      const deviation = Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / length);
      if (name.endsWith("bias")) expect(deviation, name).toBe(0);
      else expect(Math.abs(deviation / 0.02 - 1), name).toBeLessThan(0.3);
      offset += length;
    }
  });
});

describe("an encoder with distances", () => {
  const { hidden_act: _, ...sizes } = CONFIGS.bert;
  const deberta = {
    ...{ ...sizes, model_type: "deberta-v2", relative_attention: true, position_buckets: 4, share_att_key: true },
    ...{ pos_att_type: "p2c|c2p", norm_rel_ebd: "layer_norm", position_biased_input: false },
  };

  it("learns with dropout where the adapter's matrices read its table too", async () => {
    const adapter: AdapterSettings = { ...LORA, targets: ["query_proj", "key_proj"], dropout: 0.3 };
    const trainer = await open(filesOf(deberta, randomTensors(deberta)), { adapter });
    const { losses, stepsSkipped } = await trainer.train({ steps: 20 });
    expect(stepsSkipped).toBe(0);
    expect(losses.at(-1)).toBeLessThan(losses[0]!);
  });
});

it("a new head's norms start at 1", () => {
  const { max_position_embeddings, vocab_size, hidden_size, intermediate_size, num_hidden_layers, id2label } =
    CONFIGS.bert;
  const modern = {
    ...{ model_type: "modernbert", max_position_embeddings, vocab_size, hidden_size, intermediate_size },
    ...{ num_hidden_layers, num_attention_heads: 4, id2label },
  };
  const stored = randomTensors(modern).filter(({ name }) => !/^(head|classifier)\./.test(name));
  const model = loadBaseModel(filesOf(modern, stored));
  const { head } = model.classifier!;
  const start = headStart(model, head, 5);
  const at = 32 * 32;
  expect(head[1]).toEqual({ name: "head.norm.weight", shape: [32] });
  expect([...start.subarray(at, at + 32)]).toEqual(new Array<number>(32).fill(1));
  expect(start.subarray(0, at).every((x) => x !== 0 && Math.abs(x) < 0.2)).toBe(true);
});

describe("a batch of a classifier of tokens", () => {
  const two = [
    { tokens: [2, 11, 12, 13, 3, 1, 0], promptLength: 5, places: [1, 3] },
    { tokens: [2, 12, 3, 2], promptLength: 3, places: [1] },
  ];

  it("is as wide as its texts, and reads every class at its own token", () => {
    const shape = planShape(two, { batchSize: 2 });
    expect(shape).toEqual({ batchSize: 2, tokens: 8, labels: 4 });
    const feeds = classifierFeeds(fillBatch(two, { shape, padId: 7 }), "each token");
    const numbers = Object.fromEntries(
      Object.entries(feeds).map(([name, { data }]) => [name, Array.from(data as BigInt64Array, Number)]),
    );
    expect(numbers).toEqual({
      input_ids: [2, 11, 12, 13, 3, 0, 0, 0, 2, 12, 3, 0, 0, 0, 0, 0],
      attention_mask: [1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0],
      label_rows: [1, 3, 9, 0],
      label_ids: [1, 0, 2, 0],
    });
  });

  it("does not hold classes without a place, or at one outside of the text", () => {
    const shape = { batchSize: 1, tokens: 8, labels: 4 };
    for (const places of [[1], [1, 5]]) {
      expect(() => fillBatch([{ ...two[0]!, places }], { shape, padId: 0 })).toThrow(RangeError);
    }
  });
});

describe("a classifier's batch", () => {
  it("hides the class, masks what is behind the text, and reads the label at the first token", () => {
    const shape = { batchSize: 3, tokens: 8, labels: 3 };
    const two = [
      { tokens: [2, 11, 3, 1], promptLength: 3 },
      { tokens: [2, 12, 20, 21, 3, 2], promptLength: 5 },
    ];
    const feeds = classifierFeeds(fillBatch(two, { shape, padId: 7 }), "first token");
    const numbers = Object.fromEntries(
      Object.entries(feeds).map(([name, { data }]) => [name, Array.from(data as BigInt64Array, Number)]),
    );
    expect(numbers).toEqual({
      input_ids: [2, 11, 3, 0, 0, 0, 0, 0, 2, 12, 20, 21, 3, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0],
      attention_mask: [1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0],
      label_rows: [0, 8, 0],
      label_ids: [1, 2, 0],
    });
  });
});
