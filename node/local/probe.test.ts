import { describe, expect, it } from "vitest";
import { NodeError } from "../errors.ts";
import type { Trainer, TrainerOptions } from "../interface/trainer.ts";
import type { RecipeFacts } from "../manifest/recipe.ts";
import { headCandidates, PROBE_STEPS, type ProbeOptions, probe, probeCandidates } from "./probe.ts";

const facts: RecipeFacts = { layers: 2, targets: ["q_proj"], chat: false, form: "text" };
const loreft = { kind: "loreft", rank: 2, layers: "all", positions: "all" } as const;

/** A trainer whose loss is best at a rate of 0.01, and that fails above 0.1. */
function trainerAt({ training: { learningRate, schedule } }: TrainerOptions, closed: number[]): Trainer {
  expect(schedule?.kind).toBe("constant");
  const trainer: Partial<Trainer> = {
    train: async ({ steps }) => {
      expect(steps).toBe(PROBE_STEPS);
      if (learningRate > 0.1) throw new NodeError("TRAINING_DIVERGED", "no finite step");
      return { losses: [], stepsSkipped: 0, seconds: 0 };
    },
    evaluate: async ({ set }) => {
      expect(set).toBe("validation");
      const loss = learningRate === 0.09 ? Number.NaN : Math.abs(Math.log(learningRate / 0.01));
      return { loss, accuracy: 0, exactMatch: 0, tokens: 1 };
    },
    close: async () => void closed.push(learningRate),
  };
  return trainer as Trainer;
}

function options(rates: readonly number[], closed: number[] = []): ProbeOptions {
  return {
    modelDirectory: "",
    candidates: rates.map((learningRate) => ({ adapter: loreft, learningRate })),
    training: {
      optimizer: "adamw",
      learningRate: 1,
      weightDecay: 0,
      gradientClip: 1,
      batchSize: 1,
      maxTokens: 8,
      schedule: { kind: "linear", warmupSteps: 0 },
    },
    data: { train: [], validation: [], test: [] },
    seed: 1,
    engine: {},
    signal: new AbortController().signal,
    start: async (given) => trainerAt(given, closed),
  };
}

describe("candidates of a probe", () => {
  it("are two adapters at three rates, unless one is given", () => {
    const all = probeCandidates(facts, {});
    expect(new Set(all.map(({ adapter }) => adapter.kind))).toEqual(new Set(["lora", "loreft"]));
    expect(all).toHaveLength(6);
    expect(probeCandidates(facts, { adapter: loreft }).map(({ adapter }) => adapter)).toEqual([loreft, loreft, loreft]);
    expect(probeCandidates(facts, { learningRate: 0.5 }).map(({ learningRate }) => learningRate)).toEqual([0.5, 0.5]);
    expect(probeCandidates(facts, { adapter: loreft, learningRate: 0.5 })).toHaveLength(1);
  });
});

describe("rates of a head", () => {
  const best = { adapter: loreft, learningRate: 0.01 };
  const ratesOf = (form: RecipeFacts["form"], given: Parameters<typeof headCandidates>[2] = {}, rate = 0.01) =>
    headCandidates({ form }, { ...best, learningRate: rate }, given).map(({ headLearningRate }) => headLearningRate);

  it("are tried beside the best adapter's, of classifiers whose head is trained and has none", () => {
    expect(ratesOf("classes")).toEqual([0.0033, 0.03, 0.1]);
    expect(headCandidates({ form: "classes" }, best, {})[0]).toMatchObject(best);
    expect(ratesOf("classes", { head: "shared" })).toHaveLength(3);
    expect(ratesOf("classes", { head: "frozen" })).toEqual([]);
    expect(ratesOf("classes", { headLearningRate: 0.5 })).toEqual([]);
    expect(ratesOf("answers")).toEqual([]);
  });

  it("stay within what a manifest may say", () => {
    expect(ratesOf("classes", {}, 2)).toEqual([0.67, 6]);
  });

  it("reach the trainer, and only with them a head has a rate of its own", async () => {
    const seen: (number | undefined)[] = [];
    await probe({
      ...options([]),
      candidates: [best, { ...best, headLearningRate: 0.03 }],
      start: async (given) => {
        seen.push(given.training.headLearningRate);
        return trainerAt(given, []);
      },
    });
    expect(seen).toEqual([undefined, 0.03]);
  });
});

describe("a probe", () => {
  it("puts the least loss first, and what fails or has no finite loss last", async () => {
    const closed: number[] = [];
    const results = await probe(options([0.003, 0.3, 0.02, 0.09], closed));
    expect(results.map(({ learningRate }) => learningRate)).toEqual([0.02, 0.003, 0.3, 0.09]);
    expect(results.slice(2).map(({ loss }) => loss)).toEqual([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
    expect(closed).toEqual([0.003, 0.3, 0.02, 0.09]);
  });

  it("ends between two candidates when it is stopped", async () => {
    const closed: number[] = [];
    const abort = new AbortController();
    const stopped = probe({
      ...options([0.003, 0.02], closed),
      signal: abort.signal,
      onResult: () => abort.abort(new Error("stopped")),
    });
    await expect(stopped).rejects.toThrow("stopped");
    expect(closed).toEqual([0.003]);
  });
});
