import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { adapterSlots, parameterCount } from "../../protocol/adapter-spec.ts";
import { aggregateNeighbours } from "../aggregation/index.ts";
import type { Runtime } from "../interface/runtime.ts";
import type { ExampleSets, Trainer, TrainerOptions } from "../interface/trainer.ts";
import { loadExamples } from "../local/data-source.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { startTrainerThread } from "../system/compute/trainer-thread.ts";
import { embeddedModelDirectory } from "../system/files/embedded-model.ts";
import { readModelFiles } from "../system/files/model-files.ts";
import { createTrainer } from "./trainer.ts";

const files = readModelFiles(embeddedModelDirectory());
const runtime = createOnnxRuntime();
const LOREFT: AdapterSettings = {
  kind: "loreft",
  rank: 2,
  layers: "all",
  positions: { first: 2, last: 2, tied: false },
};
const LORA: AdapterSettings = { kind: "lora", rank: 2, alpha: 4, targets: ["q_proj", "v_proj"], layers: [1, 3] };

const { sets: data }: { sets: ExampleSets } = await loadExamples({
  modelDirectory: files.directory,
  part: { index: 0, count: 4 },
  maxTokens: 64,
  batchSize: 4,
  seed: 4,
});

const options = (adapter: AdapterSettings, learningRate = 5e-3): TrainerOptions => ({
  modelDirectory: files.directory,
  adapter,
  training: { optimizer: "adamw", learningRate, weightDecay: 0, gradientClip: 1, batchSize: 4, maxTokens: 64 },
  networkSeed: 11,
  peerSeed: 12,
  data,
  engine: { threads: 1 },
});

const opened: Trainer[] = [];
const open = async (o: TrainerOptions): Promise<Trainer> => {
  const trainer = await createTrainer({ runtime, files }, o);
  opened.push(trainer);
  return trainer;
};
afterAll(() => Promise.all(opened.map((trainer) => trainer.close())));

/** Tensors that are sent, kept and frozen, dropout and all positions at once. */
const COMBINATION: AdapterSettings = {
  kind: "combination",
  lora: { kind: "tri-lora", rank: 2, alpha: 4, targets: ["q_proj"], layers: [1], basis: "personal", dropout: 0.1 },
  reft: { kind: "direft", rank: 2, layers: [0, 2], positions: "all", rotation: "frozen" },
};

describe.each([["loreft", LOREFT] as const, ["lora", LORA] as const, ["a combination", COMBINATION] as const])(
  "a trainer with %s",
  (_, adapter) => {
    let trainer: Trainer;
    beforeAll(async () => {
      trainer = await open(options(adapter));
    });

    it("starts as a no-op on the base model and learns its data", async () => {
      const base = await trainer.evaluate({ set: "train", adapter: "base" });
      expect(await trainer.evaluate({ set: "train" })).toEqual(base);
      const { exampleLosses, interval, ...whole } = await trainer.evaluate({ set: "train", perExample: true });
      expect(whole).toEqual(base);
      expect(exampleLosses!.reduce((sum, loss) => sum + loss, 0) / whole.tokens).toBeCloseTo(base.loss, 5);
      await trainer.train({ steps: 40 });
      const after = await trainer.evaluate({ set: "train" });
      expect(after.loss).toBeLessThan(0.9 * base.loss);
      expect(await trainer.evaluate({ set: "train", adapter: "base" })).toEqual(base);
    });

    it("goes on from a saved state with the same bits as without the interruption", async () => {
      await trainer.reset();
      await trainer.train({ steps: 3 });
      const state = await trainer.state();
      expect(state.step).toBe(3);
      await trainer.train({ steps: 3 });
      const straight = await trainer.adapter();
      const other = await open(options(adapter));
      await other.restore(state);
      await other.train({ steps: 3 });
      expect(await other.adapter()).toEqual(straight);
    });

    it("resets to the common start of the network", async () => {
      const fresh = await open(options(adapter));
      await trainer.reset();
      expect(await trainer.state()).toEqual(await fresh.state());
    });
  },
);

describe("a trainer", () => {
  it("sends and receives what travels, and keeps the rest to itself", async () => {
    const trainer = await open(options(COMBINATION));
    const names = trainer.tensors.map(({ name }) => name);
    expect(names.filter((name) => /\.[ABR]$/.test(name))).toEqual([]);
    expect(names).toContain("model.layers.1.self_attn.q_proj.C");
    await trainer.train({ steps: 2 });
    const [sent, own] = [await trainer.adapter(), (await trainer.state()).adapter];
    expect(sent.length).toBe(parameterCount(trainer.tensors));
    expect(own.length).toBeGreaterThan(sent.length);
    const other = await open(options(COMBINATION));
    const before = (await other.state()).adapter;
    await other.setAdapter(sent);
    expect(await other.adapter()).toEqual(sent);
    const after = (await other.state()).adapter;
    const changed = after.filter((x, i) => x !== before[i]).length;
    expect(changed).toBeGreaterThan(0);
    expect(changed).toBeLessThanOrEqual(sent.length);
    expect(after).not.toEqual(own);
    await expect(other.setAdapter(own)).rejects.toMatchObject({ code: "ADAPTER_SHAPE" });
  });

  it("keeps LoReFT rotations orthonormal through steps and when an adapter is set", async () => {
    const trainer = await open(options(LOREFT));
    await trainer.train({ steps: 5 });
    const bent = (await trainer.adapter()).map((x, i) => x + 0.01 * Math.sin(i));
    const trained = await trainer.adapter();
    await trainer.setAdapter(bent);
    for (const theta of [trained, await trainer.adapter()]) {
      for (const { name, shape, offset } of adapterSlots(trainer.tensors)) {
        if (!name.endsWith(".R")) continue;
        const [rank, hidden] = shape as [number, number];
        for (let i = 0; i < rank; i++) {
          for (let j = 0; j <= i; j++) {
            let dot = 0;
            for (let k = 0; k < hidden; k++) dot += theta[offset + i * hidden + k]! * theta[offset + j * hidden + k]!;
            expect(Math.abs(dot - (i === j ? 1 : 0)), `${name} rows ${i}, ${j}`).toBeLessThan(1e-5);
          }
        }
      }
    }
  });

  it("with low memory holds one session at a time, and trains and evaluates as if it held them all", async () => {
    let [held, most] = [0, 0];
    const counting: Runtime = {
      ...runtime,
      load: async (model, how) => {
        const session = await runtime.load(model, how);
        held += 1;
        most = Math.max(most, held);
        return { ...session, close: () => session.close().then(() => void (held -= 1)) };
      },
    };
    const low = { ...options(LOREFT), engine: { threads: 1, lowMemory: true } };
    const trainer = await createTrainer({ runtime: counting, files }, low);
    opened.push(trainer);
    const other = await open(low);
    for (const one of [trainer, other]) await one.train({ steps: 1 });
    expect(await trainer.evaluate({ set: "test" })).toEqual(await other.evaluate({ set: "test" }));
    for (const one of [trainer, other]) await one.train({ steps: 2 });
    expect(await trainer.adapter()).toEqual(await other.adapter());
    expect(most).toBe(1);
    await trainer.close();
    expect(held).toBe(0);
  });

  it("skips and counts steps that are not finite, changing nothing, and gives up at the limit", async () => {
    const trainer = await open(options(LORA));
    const broken = (await trainer.adapter()).fill(Number.NaN);
    await trainer.setAdapter(broken);
    const result = await trainer.train({ steps: 9 });
    expect(result).toMatchObject({ stepsSkipped: 9, losses: [] });
    expect((await trainer.state()).firstMoment.every((m) => m === 0)).toBe(true);
    await expect(trainer.train({ steps: 1 })).rejects.toMatchObject({ code: "TRAINING_DIVERGED" });
  });

  it("refuses an adapter of another size, tokens outside the vocabulary, layers the model lacks", async () => {
    const trainer = await open(options(LORA));
    await expect(trainer.setAdapter(new Float32Array(3))).rejects.toMatchObject({ code: "ADAPTER_SHAPE" });
    const bad = [{ tokens: [1, 1_000_000], promptLength: 1 }];
    const { train, test } = data;
    await expect(open({ ...options(LORA), data: { train, validation: bad, test } })).rejects.toMatchObject({
      code: "MODEL_CONFIG",
    });
    await expect(open(options({ ...LORA, layers: [4] }))).rejects.toMatchObject({ code: "ADAPTER_SETTINGS" });
    await expect(open(options({ ...LORA, targets: ["nope"] }))).rejects.toThrow(/it has q_proj, k_proj/);
  });
});

describe("the training thread", () => {
  it("answers as the trainer itself does, bit for bit, and reports every step", async () => {
    const here = await open(options(LOREFT));
    const there = await startTrainerThread(options(LOREFT));
    try {
      expect(there.tensors).toEqual(here.tensors);
      const steps: number[] = [];
      const result = await there.train({ steps: 4, onStep: (loss) => steps.push(loss) });
      expect(steps).toEqual((await here.train({ steps: 4 })).losses);
      expect(result.losses).toEqual(steps);
      expect(await there.state()).toEqual(await here.state());
      await expect(there.setAdapter(new Float32Array(1))).rejects.toMatchObject({ code: "ADAPTER_SHAPE" });
    } finally {
      await there.close();
      await there.close();
    }
  });

  it("aggregates as this thread does, with values that both share or copies of them", async () => {
    const there = await startTrainerThread(options(LOREFT));
    try {
      const slots = adapterSlots(there.tensors);
      const own = await there.adapter();
      const neighbours = [1, 2, 3].map((k) => {
        const theta = new Float32Array(
          k === 2 ? new ArrayBuffer(4 * own.length) : new SharedArrayBuffer(4 * own.length),
        );
        theta.set(own.map((x, i) => x + 0.01 * k * Math.sin(i)));
        return { peer: `p${k}`, round: 0, theta, sampleCount: 1 };
      });
      const settings = { rule: "median", scope: "tensor", stalenessExponent: 0.5, ageMax: 8 } as const;
      const what = { kind: "loreft", slots, own: { peer: "me", theta: own }, neighbours, settings, round: 1 } as const;
      expect(await there.aggregate(what)).toEqual(aggregateNeighbours(what));
      const again = { ...what, neighbours: [...neighbours, neighbours[0]!] };
      await expect(there.aggregate(again)).rejects.toThrow("two updates of p1");
    } finally {
      await there.close();
    }
  });

  it("passes on why it cannot start", async () => {
    const start = startTrainerThread({ ...options(LORA), modelDirectory: "/nowhere" });
    await expect(start).rejects.toMatchObject({ code: "MODEL_MISSING", message: expect.stringContaining("/nowhere") });
  });

  it("does not wait for its graphs once nobody wants it any more", async () => {
    const stopping = new AbortController();
    const start = startTrainerThread(options(LORA), { signal: stopping.signal });
    stopping.abort(new Error("enough"));
    await expect(start).rejects.toThrow("enough");
    await expect(startTrainerThread(options(LORA), { signal: stopping.signal })).rejects.toThrow("enough");
  });
});
