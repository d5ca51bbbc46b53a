import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { embeddedModelDirectory } from "../../node/system/files/embedded-model.ts";
import { createTrainer } from "../../node/training/trainer.ts";
import type { LoraSettings } from "../../protocol/adapter-spec.ts";
import { createPrng } from "../../protocol/prng.ts";
import { openSharedBase, type SharedBase } from "./base.ts";
import { embeddedData } from "./embedded-data.ts";
import { othersExamples } from "./jury.ts";
import type { Method } from "./method.ts";
import { type SimulateOptions, type SimulationResult, simulate } from "./simulate.ts";

const LORA: LoraSettings = { kind: "lora", rank: 2, alpha: 4, targets: ["q_proj"], layers: [3] };
const SETTINGS = { rounds: 2, localSteps: 2, training: { learningRate: 5e-3, batchSize: 4, maxTokens: 40 } };
const SIZES = { train: 8, validation: 4, test: 8 };

let base: SharedBase;
beforeAll(() => {
  base = openSharedBase(embeddedModelDirectory(), { threads: 1 });
});
afterAll(() => base.release());

const dataOf = (peers: number) =>
  embeddedData({
    split: { kind: "mixed" },
    peers,
    seed: 3,
    sizes: SIZES,
    tokenizer: base.tokenizer,
    maxTokens: 40,
    batchSize: 4,
  });
const run = (method: Partial<Method>, peers = 3, options: Partial<SimulateOptions> = {}) =>
  simulate({
    base,
    data: dataOf(peers),
    method: { name: "tried", exchange: "others", adapter: LORA, ...method },
    settings: SETTINGS,
    seed: 3,
    ...options,
  });

describe("a simulated swarm", () => {
  test("that weighs by data sets ends elsewhere than one that does not, unless all are told alike", async () => {
    const adapter = { kind: "tri-lora", rank: 2, alpha: 4, targets: ["q_proj"], layers: [3], basis: "shared" } as const;
    const weighing = async (data?: { share: number; temperature: number }) => {
      const weights = { kind: "similarity", temperature: 0.1, ...(data && { data }) } as const;
      const { peers } = await run({
        adapter,
        aggregation: { rule: "mean", lambda: { mode: "fixed", value: 1 }, weights },
      });
      return peers.map((peer) => peer.adapter);
    };
    const distance = (a: readonly Float32Array[], b: readonly Float32Array[]) =>
      Math.hypot(...a.flatMap((one, i) => Array.from(one, (x, k) => x - b[i]![k]!)));
    const without = await weighing();
    const alike = await weighing({ share: 1e-9, temperature: 1000 });
    const told = await weighing({ share: 1, temperature: 0.3 });
    expect(distance(alike, without)).toBeLessThan(1e-6);
    expect(distance(told, without)).toBeGreaterThan(1e-4);
  });

  test("alone, a peer is what the product's trainer makes of its data", async () => {
    const { peers, updateBytes } = await run({ exchange: "none" }, 2);
    const trainer = await createTrainer(
      { runtime: base.runtime, files: base.files },
      {
        modelDirectory: base.directory,
        adapter: LORA,
        training: { optimizer: "adamw", weightDecay: 0, gradientClip: 1, ...SETTINGS.training },
        networkSeed: 3,
        peerSeed: peerSeed(1),
        data: dataOf(2)[1]!.sets,
        engine: { threads: 1 },
      },
    );
    await trainer.train({ steps: 4 });
    expect(peers[1]!.adapter).toEqual((await trainer.state()).adapter);
    expect(updateBytes).toBe(0);
    const { exactMatch, tokens } = await trainer.evaluate({ set: "test" });
    expect(peers[1]!.own).toMatchObject({ exactMatch, tokens });
  });

  test("the mean over all leaves every peer with the same adapter, All-But-Me does not", async () => {
    const all = await run({ exchange: "all" });
    for (const { adapter } of all.peers) {
      const difference = adapter.map((x, i) => Math.abs(x - all.peers[0]!.adapter[i]!));
      expect(Math.max(...difference)).toBeLessThan(1e-6);
    }
    const others = await run({ aggregation: { rule: "mean", lambda: { mode: "fixed", value: 0.5 } } });
    expect(others.peers[1]!.adapter).not.toEqual(others.peers[0]!.adapter);
    expect(others.peers[0]!.lambdas).toEqual([0.5, 0.5]);
    // One byte a value and four a row, which is what a new network of this kind writes.
    expect(others.updateBytes).toBeGreaterThan(others.sentParameters);
    expect(others.updateBytes).toBeLessThan(4 * others.sentParameters);
  });

  test("pooled, one trainer takes all steps and every peer is tested on its own data", async () => {
    const { peers, updateBytes } = await run({ exchange: "pooled" });
    expect(peers).toHaveLength(3);
    expect(peers[0]!.adapter).toEqual(peers[2]!.adapter);
    expect(peers[0]!.own).not.toEqual(peers[2]!.own);
    expect(updateBytes).toBe(0);
  });

  test("whoever misses rounds trains and mixes less, and nobody is blamed for the gaps in what it heard", async () => {
    const settings = { ...SETTINGS, rounds: 3, localSteps: 1 };
    const method = { aggregation: { rule: "mean", lambda: { mode: "fixed", value: 0.5 } } } as const;
    const [ring, stragglers, churn] = await Promise.all(
      (["ring", "stragglers", "churn"] as const).map((meetings) =>
        run(method, 4, { settings, meetings, scoresOthers: false, lookEvery: 3 }),
      ),
    );
    const rounds = ({ peers }: SimulationResult) => peers.map(({ lambdas }) => lambdas.length);
    expect(rounds(ring!)).toEqual([3, 3, 3, 3]);
    expect(rounds(stragglers!)).toEqual([3, 3, 3, 1]);
    expect(Math.min(...rounds(churn!))).toBeLessThan(3);
    expect([ring, stragglers, churn].map((one) => one!.blamed)).toEqual([0, 0, 0]);
    const whole = await run(method, 4, { settings, scoresOthers: false, lookEvery: 3 });
    for (const one of [ring, stragglers, churn]) expect(one!.peers[0]!.adapter).not.toEqual(whole.peers[0]!.adapter);
  });

  test("gives the same bits again, with sessions that are loaded already", async () => {
    const [first, again] = [await run({}, 2), await run({}, 2)];
    expect(again.peers.map(({ adapter }) => adapter)).toEqual(first.peers.map(({ adapter }) => adapter));
    expect(first.peers[0]!.ownCurve).toHaveLength(SETTINGS.rounds + 1);
  });
});

test("others' examples leave out peers of the same task, unless there are no others", () => {
  const distinct = embeddedData({
    split: { kind: "distinct" },
    peers: 9,
    seed: 1,
    sizes: SIZES,
    tokenizer: base.tokenizer,
    maxTokens: 40,
    batchSize: 4,
  });
  expect(distinct[8]!.task).toBe(distinct[0]!.task);
  const others = othersExamples(distinct, 0, { set: "test", max: 1000 });
  expect(others).toHaveLength(7 * SIZES.test);
  expect(others.some((example) => distinct[8]!.sets.test.includes(example))).toBe(false);
  const same = distinct.map((peer) => ({ ...peer, task: "one" }));
  expect(othersExamples(same, 0, { set: "test", max: 1000 })).toHaveLength(8 * SIZES.test);
});

test("skewed divisions leave every peer a batch of each set and lose no record", () => {
  for (const split of [{ kind: "dirichlet", alpha: 0.1 }, { kind: "iid" }] as const) {
    const data = embeddedData({
      split,
      peers: 4,
      seed: 5,
      sizes: { train: 32, validation: 16, test: 16 },
      tokenizer: base.tokenizer,
      maxTokens: 40,
      batchSize: 4,
    });
    const sizes = data.map(({ sets }) => [sets.train.length, sets.validation.length, sets.test.length]);
    expect(Math.min(...sizes.flat())).toBeGreaterThanOrEqual(4);
    expect(sizes.reduce((sum, [train]) => sum + train!, 0)).toBe(4 * 32);
  }
});

function peerSeed(index: number): number {
  const prng = createPrng(3).fork(`evaluation-peer-${index}`);
  for (let i = 0; i < 32; i++) prng.below(256);
  return prng.uint32();
}
