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
import type { HeldOutLoss } from "./paired.ts";
import { NO_TRIAL, type TrialMemory, type TrialOptions, type TrialRound, trialRound } from "./trial.ts";

const STEPS = 10;
const clock = createVirtualClock(0);
const trainerTo = (target: number, faults: TrainerFaults = {}): Trainer =>
  createQuadraticTrainer({ clock }, { target, seed: 4, stepMs: 1, faults });
const never = new AbortController().signal;

async function heldOut(trainer: Trainer, adapter: Float32Array): Promise<HeldOutLoss> {
  const { loss, exampleLosses } = await trainer.evaluate({ set: "validation", adapter, perExample: true });
  return { loss, examples: exampleLosses! };
}

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
    evaluate = (adapter) => heldOut(trainer, adapter),
    push,
  }: {
    others: number;
    /** What the momentum of the aggregate adds to it; no momentum when absent. */
    push?: (round: number) => number;
    rounds: number;
    signal?: AbortSignal;
    reread?: (trial: TrialMemory) => TrialMemory;
    evaluate?: (adapter: Float32Array) => Promise<HeldOutLoss>;
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

  it("that pays trains its rival no more, and keeps it until the end", async () => {
    // A valley around 4 behind a hill: an even mix is at 5 first and then in it, and no mix that the search sees is.
    const evaluate = async ([x]: Float32Array): Promise<HeldOutLoss> => {
      const loss = x! < 2 ? 1 : x! > 3.5 && x! < 4.5 ? 0.1 : 2;
      return { loss, examples: [loss, loss] };
    };
    const { rounds } = await run(trainerTo(0), { others: 10, rounds: 8, evaluate });
    expect(rounds.slice(0, 3).map(({ lambda }) => lambda)).toEqual(Array(3).fill(0.5));
    expect(rounds.map(({ steps }) => steps)).toEqual([0, STEPS, STEPS, ...Array(5).fill(0)]);
    expect(rounds[2]!.trial.state.stage).toBe("swarm");
    const kept = rounds[2]!.trial.rival!;
    expect(rounds.at(-2)!.trial.rival).toEqual(kept);
    const alone = trainerTo(0);
    await throughTime(clock, alone.train({ steps: 3 * STEPS }));
    expect(kept).toEqual(await alone.state());
    expect(rounds.at(-1)!.trial.rival).toBeUndefined();
  });

  it("that was won is taken back at the end, where what others sent since then ruined the peer", async () => {
    // Others help until the trial is over; then they send what is worse, but hidden from every look but the last.
    let round = 0;
    const evaluate = async ([x]: Float32Array): Promise<HeldOutLoss> => {
      const isHidden = round > 2 && round < 7;
      const loss = isHidden ? 1 - Math.abs(x!) / 1000 : Math.abs(x! - (round <= 2 ? 3 : 0));
      return { loss, examples: [loss, loss] };
    };
    const trainer = trainerTo(0);
    const decided: TrialRound[] = [];
    const work = async (): Promise<void> => {
      let trial = NO_TRIAL;
      for (; round < 8; round++) {
        await trainer.train({ steps: STEPS });
        const own = await trainer.adapter();
        const others = round < 3 ? 6 : 500;
        const mixing: TrialOptions["mixing"] = async (from) => (lambda) =>
          from.map((x) => (1 - lambda) * x + lambda * others);
        const common = { localSteps: STEPS, last: round === 7, signal: never };
        decided.push(await trialRound(trainer, { trial, own, mixing, evaluate, ...common }));
        trial = decided.at(-1)!.trial;
        await trainer.setAdapter(decided.at(-1)!.theta);
      }
    };
    await throughTime(clock, work());
    expect(decided[2]!.trial.state.stage).toBe("swarm");
    expect(decided[6]!.lambda).toBe(1);
    expect(decided.at(-1)).toMatchObject({ rivalWon: true, lambda: 0 });
    // It goes on at the peer's place in the order of batches.
    const { step, adapter } = await trainer.state();
    expect(step).toBe(8 * STEPS);
    expect(Math.max(...adapter.map(Math.abs))).toBeLessThan(1);
  });

  it("that the rival wins goes on as a peer would that a reference model held while it trained alone", async () => {
    const others = -40;
    const [settings, layout] = [
      { kind: "window", size: 3, weights: "uniform", l1: 0.05, l2: 0.3 } as const,
      { kind: "lora", slots: adapterSlots([{ name: "x.A", shape: [6] }]) } as const,
    ];
    const anchor = (mixed: Float32Array, past: ReferenceState): Float32Array =>
      anchorToReference(past, mixed, { settings, layout });
    const remember = (past: ReferenceState, adapter: Float32Array): ReferenceState =>
      rememberModel(past, adapter, { settings, layout });
    const heard = (round: number): boolean => round !== 1;

    const trainer = trainerTo(10);
    let past = emptyReference(settings);
    const [stages, held]: [string[], (Float32Array | undefined)[]] = [[], []];
    const deciding = async (): Promise<void> => {
      let trial: TrialMemory = NO_TRIAL;
      for (let round = 0; round < 7; round++) {
        await trainer.train({ steps: STEPS });
        const own = await trainer.adapter();
        const result = await trialRound(trainer, {
          trial,
          own,
          mixing: heard(round)
            ? async (from) => (lambda) => from.map((x) => (1 - lambda) * x + lambda * others)
            : undefined,
          anchoring: {
            past: { reference: past },
            hold: async (one) => void held.push(referenceModel(one, { settings, layout })),
            anchor: (mixed, one) => anchor(mixed, one),
            remember,
          },
          evaluate: (adapter) => heldOut(trainer, adapter),
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
    expect(stages).toEqual(["trial", "trial", "trial", "search", "search", "search", "search"]);

    const alone = trainerTo(10);
    let itsPast = emptyReference(settings);
    const itsModels: (Float32Array | undefined)[] = [];
    const work = async (): Promise<void> => {
      for (let round = 0; round < 7; round++) {
        itsModels.push(referenceModel(itsPast, { settings, layout }));
        await alone.train({ steps: STEPS });
        await alone.setAdapter(anchor(await alone.adapter(), itsPast));
        itsPast = remember(itsPast, await alone.adapter());
      }
    };
    await throughTime(clock, work());
    expect(await trainer.state()).toEqual(await alone.state());
    expect(past).toEqual(itsPast);
    // The rival's steps are held to its own past, where the network has a proximal term.
    expect(held).toEqual(itsModels.slice(1, 1 + held.length));
    expect(held).toHaveLength(3);
  });

  it("mixes with the momentum of the aggregate where that is better on held-out data, and without it elsewhere", async () => {
    const evaluate = async (adapter: Float32Array): Promise<HeldOutLoss> => {
      const loss = Math.abs(adapter[0]! - 9) + 1;
      return { loss, examples: [loss, loss] };
    };
    for (const [push, helps] of [
      [3, true],
      [-3, false],
    ] as const) {
      const { rounds } = await run(trainerTo(1), { others: 6, rounds: 8, evaluate, push: () => push });
      const plain = await run(trainerTo(1), { others: 6, rounds: 8, evaluate });
      for (const round of [1, 4]) {
        const [pushed, without] = [rounds[round]!.theta[0]!, plain.rounds[round]!.theta[0]!];
        if (helps) expect(pushed, `${round}`).toBeGreaterThan(without + 1);
        else expect(pushed, `${round}`).toBe(without);
      }
      expect(rounds[4]!.trial.state.stage).toBe("swarm");
    }
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
        evaluate: async () => ({ loss: 1, examples: [1] }),
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
