import { describe, expect, it } from "vitest";
import { NO_TRIAL } from "../lambda/trial.ts";
import { NO_FORGETTING, NO_SCORES } from "./forgetting.ts";
import { carryMemory, decodeMemory, encodeMemory, NO_PROGRESS, type PeerMemory } from "./peer-memory.ts";

/** Values that travel. */
const P = 4;

const memory = ({ adapter, moments }: { adapter: number; moments: number }): PeerMemory => ({
  trainer: {
    adapter: Float32Array.from({ length: adapter }, (_, i) => i),
    firstMoment: new Float32Array(moments),
    secondMoment: new Float32Array(moments),
    step: 3,
  },
  reference: { kind: "window", snapshots: [new Float32Array(P)] },
  position: { round: 1, phase: "training" },
  pace: [],
  progress: NO_PROGRESS,
  stepsTaken: 3,
  summaries: [],
  trial: NO_TRIAL,
  best: NO_SCORES,
  forgetting: NO_FORGETTING,
  evaluation: { stage: "none" },
});

const digest = "0".repeat(64);
const OWNER = { network: "n", examples: { train: digest, validation: digest, test: digest } };

const reread = (remembered: PeerMemory, trainedCount: number): PeerMemory =>
  decodeMemory(encodeMemory(remembered, OWNER), {
    ...OWNER,
    reference: { kind: "window", size: 2, weights: "uniform", l1: 0, l2: 0 },
    parameterCount: P,
    trainedCount,
  });

describe("a peer's memory in a checkpoint", () => {
  it.each([
    { name: "of an adapter that travels whole", adapter: P },
    { name: "of an adapter that keeps tensors", adapter: P + 5 },
  ])("comes back as it was: $name", ({ adapter }) => {
    expect(reread(memory({ adapter, moments: adapter }), adapter)).toEqual(memory({ adapter, moments: adapter }));
  });

  it("keeps the squared gradients of a trainer that gathers them", () => {
    const bare = memory({ adapter: P, moments: P });
    const gathered = { ...bare, trainer: { ...bare.trainer, fisher: Float32Array.of(1, 2, 3, 4) } };
    expect(reread(gathered, P)).toEqual(gathered);
  });

  it("keeps the aggregate that momentum counts from, and what a rival remembers", () => {
    const bare = memory({ adapter: P, moments: P });
    const vector = (first: number): Float32Array => Float32Array.of(first, 1, 2, 3);
    const reference = { kind: "window", snapshots: [vector(7), vector(8)] } as const;
    const rivalPast = { reference };
    const busy: PeerMemory = {
      ...bare,
      aggregate: { round: 5, z: vector(6) },
      trial: {
        state: { stage: "trial", rounds: 2, against: 0, differences: [0.5, -1] },
        rival: bare.trainer,
        rivalPast,
      },
    };
    expect(reread(busy, P)).toEqual(busy);
    const ruined = { ...busy, aggregate: { round: 5, z: vector(Number.NaN) } };
    expect(reread(ruined, P).aggregate).toBeUndefined();
  });

  it("is carried over to the manifest under which a network goes on, without what only the one before could use", () => {
    const trained = memory({ adapter: P, moments: P });
    const trial: PeerMemory["trial"] = { ...NO_TRIAL, rival: trained.trainer };
    const busy: PeerMemory = { ...trained, trial, progress: { ...NO_PROGRESS, stepsDone: 2 }, pace: [5] };
    const carried = (keepsReference: boolean) =>
      decodeMemory(
        carryMemory(encodeMemory(busy, OWNER), { network: "next", round: 7, keepsReference, keepsExamples: true }),
        {
          ...OWNER,
          network: "next",
          reference: { kind: "window", size: 2, weights: "uniform", l1: 0, l2: 0 },
          parameterCount: P,
          trainedCount: P,
        },
      );
    expect(carried(true)).toEqual({ ...trained, pace: [5], position: { round: 7, phase: "training" } });
    expect(carried(false).reference).toEqual({ kind: "window", snapshots: [] });
    expect(() => reread(carried(true), P)).not.toThrow();
    // Other settings may cut the same data otherwise; then there is nothing to compare with.
    const withOthers = (keepsExamples: boolean) => () =>
      decodeMemory(
        carryMemory(encodeMemory(busy, OWNER), { network: "next", round: 7, keepsReference: true, keepsExamples }),
        {
          network: "next",
          examples: { ...OWNER.examples, train: "1".repeat(64) },
          reference: { kind: "window", size: 2, weights: "uniform", l1: 0, l2: 0 },
          parameterCount: P,
          trainedCount: P,
        },
      );
    expect(withOthers(true)).toThrow(expect.objectContaining({ code: "DATA_MISMATCH" }));
    expect(withOthers(false)).not.toThrow();
  });

  it("is carried over from the run alone with the adapter of the swarm, which is what was counted and sent", () => {
    const swarm = memory({ adapter: P, moments: P });
    const score = { loss: 1, accuracy: 0, exactMatch: 0 };
    const alone: PeerMemory = {
      ...swarm,
      trainer: { ...swarm.trainer, adapter: new Float32Array(P).fill(9), fisher: new Float32Array(P), step: 2 },
      evaluation: { stage: "alone", base: score, swarmScore: score, swarm: swarm.trainer, stepsDone: 2 },
    };
    const where = { network: "next", round: 7, keepsReference: true, keepsExamples: true };
    const carried = carryMemory(encodeMemory(alone, OWNER), where);
    expect([...carried.vectors.keys()].sort()).toEqual(["adapter", "first_moment", "reference.0", "second_moment"]);
    const decoded = decodeMemory(carried, {
      ...OWNER,
      network: "next",
      reference: { kind: "window", size: 2, weights: "uniform", l1: 0, l2: 0 },
      parameterCount: P,
      trainedCount: P,
    });
    expect(decoded).toEqual({ ...swarm, position: { round: 7, phase: "training" } });
  });

  it.each([
    { name: "values that nothing trains", adapter: P + 5, moments: P + 5, trained: P },
    { name: "less than travels", adapter: P - 1, moments: P - 1, trained: P + 5 },
    { name: "moments of another length", adapter: P + 5, moments: P, trained: P + 5 },
  ])("is refused with $name", ({ adapter, moments, trained }) => {
    expect(() => reread(memory({ adapter, moments }), trained)).toThrow(
      expect.objectContaining({ code: "CHECKPOINT_CORRUPT" }),
    );
  });
});
