/** A network in memory for tests of the driver: a small trainer with real mathematics, an exchange, checkpoints. */

import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import { createPrng } from "../../protocol/prng.ts";
import { NodeError } from "../errors.ts";
import type { Checkpoint, Checkpoints } from "../interface/checkpoint.ts";
import type { Clock } from "../interface/clock.ts";
import type { ReceivedUpdate, UpdateExchange, UpdateNotice } from "../interface/exchange.ts";
import type { Logger } from "../interface/logger.ts";
import type { Evaluation, ExampleSets, Trainer, TrainerState } from "../interface/trainer.ts";
import type { VirtualClock } from "../system/platform/virtual-clock.ts";

const P = 6;

export const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** Ten to train on; the quadratic trainer does not look at them. */
export const EXAMPLES: ExampleSets = {
  train: Array.from({ length: 10 }, (_, i) => ({ tokens: [i, i + 1], promptLength: 1 })),
  validation: [{ tokens: [1, 2], promptLength: 1 }],
  test: [{ tokens: [2, 3], promptLength: 1 }],
};

export function testManifest(
  rounds: Partial<NetworkManifest["rounds"]> = {},
  more: Partial<NetworkManifest> = {},
): NetworkManifest {
  const digest = "0".repeat(64);
  return {
    schema: "weft-network/1",
    name: "twins",
    seed: 1,
    model: { family: "llama", digest: { weights: digest, config: digest, tokenizer: digest } },
    adapter: { kind: "lora", rank: 1, alpha: 1, targets: ["q_proj"], layers: "all" },
    tensors: [
      { name: "q_proj.A", shape: [1, 4] },
      { name: "q_proj.B", shape: [2, 1] },
    ],
    training: {
      optimizer: "adamw",
      learningRate: 0.1,
      weightDecay: 0,
      gradientClip: 1,
      batchSize: 1,
      maxTokens: 8,
    },
    rounds: { count: 4, localSteps: 3, deadlineMs: { min: 200, max: 5000 }, ...rounds },
    aggregation: {
      rule: "mean",
      scope: "tensor",
      lambda: { mode: "fixed", value: 0.5 },
      stalenessExponent: 0.5,
      ageMax: 2,
    },
    reference: { kind: "window", size: 2, weights: "uniform", l1: 1e-3, l2: 1e-2 },
    bootstrap: [],
    ...more,
  };
}

export interface TrainerFaults {
  /** Whether the step with this index (from 0, since the start or the last reset) has a loss that is not finite. */
  readonly isBad?: (step: number) => boolean;
  /** Whether training diverges at this step. */
  readonly diverges?: (step: number) => boolean;
}

/**
 * θ ← θ - η m, m ← 0.9 m + (θ - target + noise of the step's batch): a quadratic bowl with momentum. The base is 0.
 * stepMs: time that one step takes.
 */
export function createQuadraticTrainer(
  { clock }: { readonly clock: Clock },
  options: {
    target: number;
    seed: number;
    stepMs?: number;
    faults?: TrainerFaults;
    onReference?: (reference: Float32Array | undefined) => void;
  },
): Trainer {
  const { target, seed, stepMs = 10, faults = {}, onReference = () => undefined } = options;
  const start = (): TrainerState => ({
    adapter: new Float32Array(P),
    firstMoment: new Float32Array(P),
    secondMoment: new Float32Array(P),
    step: 0,
  });
  let state = start();
  const lossOf = (theta: Float32Array, goal: number): number =>
    theta.reduce((sum, x) => sum + (x - goal) ** 2, 0) / (2 * theta.length);
  const goals = { train: target, validation: target + 0.05, test: target - 0.05 };
  return {
    tensors: testManifest().tensors,
    async train({ steps, onStep }) {
      const losses: number[] = [];
      let stepsSkipped = 0;
      for (let i = 0; i < steps; i++) {
        await new Promise<void>((resolve) => void clock.after(stepMs, resolve));
        if (faults.diverges?.(state.step)) throw new NodeError("TRAINING_DIVERGED", "too many steps are not finite");
        const isBad = faults.isBad?.(state.step) ?? false;
        const loss = isBad ? Number.NaN : lossOf(state.adapter, target);
        const prng = createPrng(seed).fork(`step-${state.step}`);
        const moment = state.firstMoment.map((m, p) => 0.9 * m + state.adapter[p]! - target + 0.01 * prng.normal());
        const moved = { adapter: state.adapter.map((x, p) => x - 0.05 * moment[p]!), firstMoment: moment };
        state = { ...state, ...(isBad ? {} : moved), step: state.step + 1 };
        if (isBad) stepsSkipped++;
        losses.push(loss);
        onStep?.(loss);
      }
      return { losses, stepsSkipped, seconds: (steps * stepMs) / 1000 };
    },
    async evaluate({ set, adapter = state.adapter, perExample = false }): Promise<Evaluation> {
      const theta = adapter === "base" ? new Float32Array(P) : adapter;
      const loss = lossOf(theta, goals[set]);
      // Every value is an example of its own.
      const exampleLosses = Array.from(theta, (x) => (x - goals[set]) ** 2 / 2);
      return { loss, accuracy: 1 / (1 + loss), exactMatch: 0, tokens: 10, ...(perExample && { exampleLosses }) };
    },
    adapter: async () => state.adapter.slice(),
    start: async () => start().adapter,
    setAdapter: async (adapter) => {
      state = { ...state, adapter: adapter.slice() };
    },
    setReference: async (reference) => onReference(reference),
    features: async ({ examples }) => ({ values: Float32Array.from(examples), width: 1, classCount: 1 }),
    fisher: async () => undefined,
    state: async () => structuredClone(state),
    restore: async (saved) => {
      state = structuredClone(saved);
    },
    reset: async () => {
      state = start();
    },
    close: async () => undefined,
  };
}

export interface MemoryCheckpoints extends Checkpoints {
  /** Every checkpoint that was saved, oldest first. */
  readonly saved: Checkpoint[];
}

/** isFull: whether the disk is full at the n-th attempt to save, from 0. */
export function createMemoryCheckpoints(
  first?: Checkpoint,
  isFull: (attempt: number) => boolean = () => false,
): MemoryCheckpoints {
  const saved: Checkpoint[] = first === undefined ? [] : [first];
  let attempts = 0;
  return {
    saved,
    load: async () => structuredClone(saved.at(-1)),
    save: async (checkpoint) => {
      if (isFull(attempts++)) throw new NodeError("DISK_FULL", "no space left to write checkpoint");
      // Through JSON, as on disk.
      saved.push({ vectors: structuredClone(checkpoint.vectors), state: JSON.parse(JSON.stringify(checkpoint.state)) });
    },
  };
}

interface Member extends UpdateExchange {
  receive(update: ReceivedUpdate): void;
  readonly inbox: Map<string, ReceivedUpdate>;
  readonly listeners: {
    update: ((notice: UpdateNotice) => void)[];
    admitted: ((peer: string) => void)[];
    left: ((peer: string) => void)[];
  };
  own: ReceivedUpdate | undefined;
  readonly published: ReceivedUpdate[];
}

export interface Hub {
  /** A peer comes, is admitted by all others and hears what they last published. */
  join(peer: string): UpdateExchange & { readonly published: readonly ReceivedUpdate[] };
  /** Its connections close; it keeps publishing to nobody. */
  leave(peer: string): void;
  /** Announcements of this peer get lost until somebody asks again. */
  loseAnnouncementsOf(peer: string): void;
}

/** latencyMs: from publishing to the inbox of another.  observers: who make nothing of their own. */
export function createHub(
  { clock }: { readonly clock: Clock },
  {
    ageMax = 2,
    latencyMs = 5,
    observers = [],
  }: { readonly ageMax?: number; readonly latencyMs?: number; readonly observers?: readonly string[] } = {},
): Hub {
  const members = new Map<string, Member>();
  const lost = new Set<string>();
  /** The last published update of every identity; it survives the process, as on disk. */
  const chains = new Map<string, ReceivedUpdate>();
  const deliver = (update: ReceivedUpdate, to: string): void => {
    clock.after(latencyMs, () => {
      if (members.has(update.peer)) members.get(to)?.receive(update);
    });
  };
  const othersOf = (peer: string): string[] =>
    members.has(peer) ? [...members.keys()].filter((other) => other !== peer) : [];
  return {
    join(peer) {
      const member = createMember(peer);
      members.delete(peer);
      for (const [other, { own }] of members) {
        if (own !== undefined) deliver(own, peer);
        for (const listener of members.get(other)!.listeners.admitted) listener(peer);
      }
      members.set(peer, member);
      return member;
    },
    leave(peer) {
      members.delete(peer);
      for (const { listeners } of members.values()) for (const listener of listeners.left) listener(peer);
    },
    loseAnnouncementsOf: (peer) => void lost.add(peer),
  };

  function createMember(peer: string): Member {
    const counts = { accepted: 0, ignored: 0, rejected: 0 };
    const bytes = { sent: 0, received: 0 };
    let round = 0;
    const member: Member = {
      inbox: new Map(),
      listeners: { update: [], admitted: [], left: [] },
      own: chains.get(peer),
      published: [],
      receive(update) {
        const before = member.inbox.get(update.peer);
        if (before !== undefined && before.round >= update.round) return;
        bytes.received += 4 * update.theta.length;
        const isOld = update.round < round - ageMax;
        counts[isOld ? "ignored" : "accepted"]++;
        if (!isOld) member.inbox.set(update.peer, update);
        const [verdict, code] = isOld ? (["ignore", "ROUND_OLD"] as const) : (["accept", "ACCEPTED"] as const);
        for (const listener of member.listeners.update) {
          listener({ from: update.peer, round: update.round, verdict, code });
        }
      },
      async publish({ round: of, theta, sampleCount }) {
        if (member.own === undefined || member.own.round < of) {
          member.own = { peer, round: of, theta: theta.slice(), sampleCount };
          member.published.push(member.own);
          chains.set(peer, member.own);
        }
        const published = { bytes: 4 * theta.length, encoding: 1 };
        if (lost.has(peer)) return published;
        for (const other of othersOf(peer)) {
          bytes.sent += 4 * theta.length;
          deliver(member.own, other);
        }
        return published;
      },
      async announceAgain() {
        for (const other of othersOf(peer)) {
          const theirs = members.get(other)!.own;
          if (theirs !== undefined) deliver(theirs, peer);
          if (member.own !== undefined) deliver(member.own, other);
        }
      },
      hasPublished: (asked) => (chains.get(peer)?.round ?? -1) >= asked,
      isAuthor: (one) => !observers.includes(one),
      latest: () => [...member.inbox.values()],
      setRound: (next) => {
        round = next;
      },
      admitted: () => othersOf(peer),
      counts: () => ({ ...counts }),
      bytes: () => ({ ...bytes }),
      onUpdate: (listener) => void member.listeners.update.push(listener),
      onAdmitted: (listener) => void member.listeners.admitted.push(listener),
      onLeft: (listener) => void member.listeners.left.push(listener),
    };
    return member;
  }
}

/** Let virtual time pass, one waiting callback after another, until `work` is done.  Throws: what `work` throws. */
export async function throughTime<T>(clock: VirtualClock, work: Promise<T>): Promise<T> {
  let isDone = false;
  const end = (): void => {
    isDone = true;
  };
  work.then(end, end);
  for (let idle = 0; !isDone; ) {
    // Everything that needs no time happens before time goes on.
    await new Promise((resolve) => setImmediate(resolve));
    const next = clock.nextAt();
    if (isDone) break;
    if (next !== undefined) clock.advance(next - clock.now());
    idle = next === undefined ? idle + 1 : 0;
    if (idle > 100) throw new Error("nothing is going on any more, and it is not done");
  }
  return work;
}
