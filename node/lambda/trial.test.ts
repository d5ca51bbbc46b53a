import { describe, expect, it } from "vitest";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import {
  anchorToReference,
  emptyReference,
  type ReferenceState,
  referenceModel,
  rememberModel,
} from "../aggregation/index.ts";
import type { Trainer, TrainerState } from "../interface/trainer.ts";
import { createQuadraticTrainer, type TrainerFaults, throughTime } from "../round/twins.suite.ts";
import { createVirtualClock } from "../system/platform/virtual-clock.ts";
import { chooseLambda } from "./round-rule.ts";
import { NO_TRIAL, type TrialMemory, type TrialRound, trialRound } from "./trial.ts";

const STEPS = 10;
const clock = createVirtualClock(0);
const trainerTo = (target: number, faults: TrainerFaults = {}): Trainer =>
  createQuadraticTrainer({ clock }, { target, seed: 4, stepMs: 1, faults });
const never = new AbortController().signal;

interface Swarm {
  readonly trainer: Trainer;
  readonly rounds: TrialRound[];
}

/** Rounds of a peer whose others always send the same value; what a round decided is done, and remembered. */
async function run(
  trainer: Trainer,
  {
    others,
    rounds,
    signal = never,
    reread = (trial) => trial,
    evaluate = async (adapter) => (await trainer.evaluate({ set: "validation", adapter })).loss,
    push,
  }: {
    others: number;
    /** What the momentum of the aggregate adds to it; no momentum when absent. */
    push?: (round: number) => number;
    rounds: number;
    signal?: AbortSignal;
    reread?: (trial: TrialMemory) => TrialMemory;
    evaluate?: (adapter: Float32Array) => Promise<number>;
  },
): Promise<Swarm> {
  let trial = NO_TRIAL;
  const decided: TrialRound[] = [];
  const work = async (): Promise<void> => {
    for (let round = 0; round < rounds; round++) {
      await trainer.train({ steps: STEPS });
      const own = await trainer.adapter();
      const result = await trialRound(trainer, {
        trial: reread(trial),
        own,
        mixing: async (from) =>
          Object.assign(
            (lambda: number, pushed = true) =>
              from.map((x) => (1 - lambda) * x + lambda * (others + (pushed ? (push?.(round) ?? 0) : 0))),
            { hasMomentum: push !== undefined && round !== rounds - 1 },
          ),
        evaluate,
        localSteps: STEPS,
        last: round === rounds - 1,
        signal,
      });
      trial = result.trial;
      decided.push(result);
      await trainer.setAdapter(result.theta);
    }
  };
  await throughTime(clock, work());
  return { trainer, rounds: decided };
}

describe("a trial", () => {
  it("that fails leaves the peer, bit for bit, where it would be if it had never mixed", async () => {
    const { trainer, rounds } = await run(trainerTo(1), { others: -40, rounds: 5 });
    expect(rounds.map(({ lambda }) => lambda)).toEqual([0.5, 0.5, 0, 0, 0]);
    expect(rounds.map(({ rivalWon }) => rivalWon)).toEqual([false, false, true, false, false]);
    expect(rounds.map(({ trial }) => trial.state.stage)).toEqual(["trial", "trial", "search", "search", "search"]);
    const alone = trainerTo(1);
    await throughTime(clock, alone.train({ steps: 5 * STEPS }));
    expect(await trainer.state()).toEqual(await alone.state());
  });

  it("that pays gives its rival up, and costs nothing from then on", async () => {
    // A valley around 4 behind a hill: an even mix is at 5 first and then in it, and no mix that the search sees is.
    const evaluate = async ([x]: Float32Array): Promise<number> => (x! < 2 ? 1 : x! > 3.5 && x! < 4.5 ? 0.1 : 2);
    const { rounds } = await run(trainerTo(0), { others: 10, rounds: 8, evaluate });
    expect(rounds.slice(0, -1).map(({ lambda }) => lambda)).toEqual(Array(7).fill(0.5));
    expect(rounds.at(-2)!.trial.state.stage).toBe("swarm");
    expect(rounds.at(-2)!.trial.rival).toBeUndefined();
    expect(rounds.map(({ steps }) => steps).slice(0, 3)).toEqual([0, STEPS, STEPS]);
    expect(rounds.slice(4).map(({ steps }) => steps)).toEqual([0, 0, 0, 0]);
  });

  it("that the search wins goes on as if it had searched from the beginning", async () => {
    const { trainer, rounds } = await run(trainerTo(1000), { others: 1000.05, rounds: 6 });
    expect(rounds.map(({ trial }) => trial.state.stage).slice(1, 4)).toEqual(["trial", "search", "search"]);
    const searching = trainerTo(1000);
    const evaluate = async (adapter: Float32Array): Promise<number> =>
      (await searching.evaluate({ set: "validation", adapter })).loss;
    const work = async (): Promise<void> => {
      for (let round = 0; round < 6; round++) {
        await searching.train({ steps: STEPS });
        const own = await searching.adapter();
        const mixed = (lambda: number): Float32Array => own.map((x) => (1 - lambda) * x + lambda * 1000.05);
        await searching.setAdapter((await chooseLambda({ mode: "search" }, { mixed, evaluate })).theta);
      }
    };
    await throughTime(clock, work());
    expect(await trainer.state()).toEqual(await searching.state());
  });

  it("that the search wins goes on as a peer would that a reference model held while it searched", async () => {
    const others = 1000.05;
    const [settings, layout] = [
      { kind: "window", size: 3, weights: "uniform", l1: 0.05, l2: 0.3 } as const,
      { kind: "lora", slots: adapterSlots([{ name: "x.A", shape: [6] }]) } as const,
    ];
    const anchor = (mixed: Float32Array, past: ReferenceState): Float32Array =>
      anchorToReference(past, mixed, { settings, layout });
    const remember = (past: ReferenceState, adapter: Float32Array): ReferenceState =>
      rememberModel(past, adapter, { settings, layout });
    const heard = (round: number): boolean => round !== 1;

    const trainer = trainerTo(1000);
    let trial: TrialMemory = NO_TRIAL;
    let past = emptyReference(settings);
    const stages: string[] = [];
    const held: (Float32Array | undefined)[] = [];
    const deciding = async (): Promise<void> => {
      for (let round = 0; round < 7; round++) {
        await trainer.train({ steps: STEPS });
        const own = await trainer.adapter();
        const result: TrialRound = await trialRound(trainer, {
          trial,
          own,
          mixing: heard(round)
            ? async (from) => (lambda) => from.map((x) => (1 - lambda) * x + lambda * others)
            : undefined,
          anchoring: {
            past: { reference: past },
            hold: async (one) => void held.push(referenceModel(one, { settings, layout })),
            anchor,
            remember,
          },
          evaluate: async (adapter) => (await trainer.evaluate({ set: "validation", adapter })).loss,
          localSteps: STEPS,
          last: round === 6,
          signal: never,
        });
        trial = result.trial;
        stages.push(trial.state.stage);
        const before = result.rivalPast?.reference ?? past;
        await trainer.setAdapter(anchor(result.theta, before));
        past = remember(before, await trainer.adapter());
      }
    };
    await throughTime(clock, deciding());
    expect(stages).toContain("search");
    expect(stages.slice(0, 2)).toEqual(["trial", "trial"]);

    const searching = trainerTo(1000);
    let itsPast = emptyReference(settings);
    const itsModels: (Float32Array | undefined)[] = [];
    const evaluate = async (adapter: Float32Array): Promise<number> =>
      (await searching.evaluate({ set: "validation", adapter })).loss;
    const work = async (): Promise<void> => {
      for (let round = 0; round < 7; round++) {
        itsModels.push(referenceModel(itsPast, { settings, layout }));
        await searching.train({ steps: STEPS });
        const own = await searching.adapter();
        const mixed = (lambda: number): Float32Array => own.map((x) => (1 - lambda) * x + lambda * others);
        const theta = heard(round) ? (await chooseLambda({ mode: "search" }, { mixed, evaluate })).theta : own;
        await searching.setAdapter(anchor(theta, itsPast));
        itsPast = remember(itsPast, await searching.adapter());
      }
    };
    await throughTime(clock, work());
    expect(await trainer.state()).toEqual(await searching.state());
    expect(past).toEqual(itsPast);
    // The rival's steps are held to its own past, where the network has a proximal term.
    expect(held).toEqual(itsModels.slice(1, 1 + held.length));
  });

  it("mixes with the momentum of the aggregate where that is better on held-out data, and without it elsewhere", async () => {
    const evaluate = async (adapter: Float32Array): Promise<number> => Math.abs(adapter[0]! - 9) + 1;
    for (const [push, helps] of [
      [3, true],
      [-3, false],
    ] as const) {
      const { rounds } = await run(trainerTo(1), { others: 6, rounds: 8, evaluate, push: () => push });
      const plain = await run(trainerTo(1), { others: 6, rounds: 8, evaluate });
      const [pushed, without] = [rounds[1]!.theta[0]!, plain.rounds[1]!.theta[0]!];
      if (helps) expect(pushed).toBeGreaterThan(without + 1);
      else expect(pushed).toBe(without);
      const swarm = rounds.filter(({ trial }) => trial.state.stage !== "search");
      expect(swarm.length).toBeGreaterThan(1);
      expect(new Set(swarm.slice(0, -1).map(({ trial }) => trial.state.pushed))).toEqual(new Set([helps]));
    }
  });

  it.each([true, false])("mixes in a round without a look as the last look found better: pushed %s", async (pushed) => {
    const state = { stage: "swarm", rounds: 3, gain: 1, lead: 0, wait: 1, interval: 2, pushed } as const;
    const trainer = trainerTo(1);
    const own = await trainer.adapter();
    const { theta, trial } = await trialRound(trainer, {
      trial: { state },
      own,
      mixing: async () =>
        Object.assign((_: number, isPushed = true) => own.map(() => (isPushed ? 7 : 5)), { hasMomentum: true }),
      evaluate: async () => expect.unreachable("nobody looks"),
      localSteps: STEPS,
      last: false,
      signal: never,
    });
    expect(theta[0]).toBe(pushed ? 7 : 5);
    expect(trial.state).toEqual({ ...state, rounds: 4, wait: 0 });
  });

  it("ends with the best of what there is", async () => {
    const { trainer, rounds } = await run(trainerTo(1), { others: -40, rounds: 2 });
    expect(rounds[1]!.lambda).toBe(0);
    const alone = trainerTo(1);
    await throughTime(clock, alone.train({ steps: 2 * STEPS }));
    expect(await trainer.state()).toEqual(await alone.state());
  });

  it("goes on from a copy of its memory with the same bits", async () => {
    const plain = await run(trainerTo(1), { others: 0.4, rounds: 6 });
    const copied = await run(trainerTo(1), { others: 0.4, rounds: 6, reread: (trial) => structuredClone(trial) });
    expect(copied.rounds).toEqual(plain.rounds);
  });

  it("does without a rival that diverges", async () => {
    // Every second train call is the rival's; a step of the first rounds diverges when it comes for the second time.
    const seen = new Map<number, number>();
    const diverges = (step: number): boolean => {
      seen.set(step, (seen.get(step) ?? 0) + 1);
      return step === STEPS + 1 && seen.get(step) === 2;
    };
    const { rounds } = await run(trainerTo(1, { diverges }), { others: 0.9, rounds: 3 });
    expect(rounds.every(({ theta }) => theta.every(Number.isFinite))).toBe(true);
    expect(seen.get(STEPS + 1)).toBe(2);
  });

  it("that is interrupted leaves the trainer as it was", async () => {
    const controller = new AbortController();
    const trainer = trainerTo(1);
    let before: TrainerState | undefined;
    const work = async (): Promise<unknown> => {
      await trainer.train({ steps: STEPS });
      before = await trainer.state();
      const rival = { ...before, adapter: before.adapter.map((x) => x + 1) };
      const own = await trainer.adapter();
      const taking = trialRound(trainer, {
        trial: { state: { ...NO_TRIAL.state, rounds: 1 }, rival },
        own,
        mixing: async () => () => own,
        evaluate: async () => 1,
        localSteps: 20,
        last: false,
        signal: controller.signal,
      });
      clock.after(5, () => controller.abort(new Error("stopping")));
      return taking;
    };
    await expect(throughTime(clock, work())).rejects.toThrow("stopping");
    expect(await trainer.state()).toEqual(before);
  });
});
