/**
 * Stands between a peer's rounds and its exchange, and lets out what the budget allows.
 *
 * `update`: what a round changed is clipped and noised on a start that is public. That start is this peer's public
 * twin: the last adapter it sent, aggregated with what it has received as the peer aggregates its own, by a lambda that
 * looks at no data. So the update hides everything that went into the round: examples, optimiser, held-out losses,
 * values that do not travel. The peer's own adapter stays without noise.
 *
 * `example`: the trainer's steps are noised, everything that follows from them is free, and the steps are counted.
 */
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import {
  type Aggregator,
  aggregateNeighbours,
  gaugeKind,
  ifAdapter,
  isPlausible,
  mix,
  retractRotations,
  rotationGroups,
} from "../aggregation/index.ts";
import { NodeError } from "../errors.ts";
import type { PrivacySettings } from "../interface/privacy.ts";
import type { PrivacyGuard } from "../interface/privacy-guard.ts";
import type { RandomSource } from "../interface/random-source.ts";
import type { Store } from "../interface/store.ts";
import { blindLambda } from "../lambda/peer-rule.ts";
import { type Budget, openBudget } from "./budget.ts";
import { privateUpdate, updateMechanism } from "./private-update.ts";
import { decodeRoundStart, encodeRoundStart, type RoundStart } from "./round-start.ts";
import type { SampledGaussian } from "./subsampled-gaussian.ts";

/** Where the guard keeps its account, and what draws its noise. */
export interface PrivacyGuardDependencies {
  readonly store: Store;
  readonly random: RandomSource;
  /** On another thread than this one, which is the network's; here when absent. */
  readonly aggregate?: Aggregator;
}

/** The budget, and the peer and network that it is for. */
export interface PrivacyGuardOptions {
  readonly settings: PrivacySettings;
  readonly manifest: NetworkManifest;
  readonly peer: string;
  /** Examples of the training set. */
  readonly examples: number;
  /** The network's common start of what travels, f32[P]. */
  readonly commonStart: Float32Array;
  /** Whether nothing was trained or sent from this store before. */
  readonly fresh: boolean;
  /** Whether the key came from a backup; false when absent. */
  readonly isRestored?: boolean;
}

const KEY = "privacy/round-start";

/** q and z of a local step: every example is drawn with the probability of standing in a batch of k B out of N. */
export function stepMechanism(
  { noise }: PrivacySettings,
  { training }: Pick<NetworkManifest, "training">,
  examples: number,
): SampledGaussian {
  return { noise, rate: Math.min(1, (training.batchSize * (training.accumulate ?? 1)) / examples) };
}

/** Throws: NodeError PRIVACY_BUDGET, STORE_FAILED. */
export async function createPrivacyGuard(
  dependencies: PrivacyGuardDependencies,
  options: PrivacyGuardOptions,
): Promise<PrivacyGuard> {
  const { settings, fresh, manifest, examples, isRestored = false } = options;
  if (settings.mode === "example") {
    const mechanism = stepMechanism(settings, manifest, examples);
    return guardSteps(await openBudget(dependencies, { settings, fresh, isRestored, mechanism }), mechanism, options);
  }
  const mechanism = updateMechanism(settings);
  const counted = { settings, fresh, isRestored, mechanism, perRelease: mechanism };
  return await guardUpdates(await openBudget(dependencies, counted), dependencies, options);
}

function guardSteps(budget: Budget, mechanism: SampledGaussian, { manifest }: PrivacyGuardOptions): PrivacyGuard {
  const { localSteps } = manifest.rounds;
  return {
    roundStarts: async () => undefined,
    beforeSteps: (count) => budget.perform(mechanism, count),
    release: async ({ theta }) => ((await budget.release()) ? theta : undefined),
    releaseSketch: (sketch) => budget.spend(sketch),
    aggregated: async () => undefined,
    follows: (earlier) => requireCounted(budget, { ...earlier, each: localSteps }),
    lambda: blindLambda(manifest.aggregation.lambda),
    status: budget.status,
  };
}

/**
 * each: uses of the mechanism for one update. The chain shows how many updates there were, and in which round the last one was;
 * it does not show with how much noise.
 */
function requireCounted(
  budget: Budget,
  { round, sequence, each }: { readonly round: number; readonly sequence: number; readonly each: number },
): void {
  if (budget.earlier() >= (sequence + 1) * each) return;
  const { mode } = budget.status();
  const text =
    `neighbours know update ${sequence} of this peer, of round ${round}, and this data directory does not: its key was ` +
    "restored alone, and what was spent of its privacy budget before is not counted";
  const count = mode === "example" ? (round + 1) * each : sequence + 1;
  throw new NodeError("PRIVACY_BUDGET", text, { problem: "budget-not-counted", mode, count });
}

async function guardUpdates(
  budget: Budget,
  { store, random, aggregate = async (what) => aggregateNeighbours(what) }: PrivacyGuardDependencies,
  { settings, manifest, peer, commonStart }: PrivacyGuardOptions,
): Promise<PrivacyGuard> {
  const layout = {
    kind: gaugeKind(manifest.adapter),
    slots: adapterSlots(manifest.tensors),
    factors: manifest.aggregation.factors,
  };
  const groups = rotationGroups(layout.kind, layout.slots);
  const bytes = await store.get(KEY);
  let state: RoundStart = (bytes && decodeRoundStart(bytes, commonStart.length)) ?? {
    round: -1,
    twin: commonStart,
    before: commonStart,
  };
  const save = async (next: RoundStart): Promise<void> => {
    await store.batch([{ put: KEY, value: encodeRoundStart(next) }]);
    state = next;
  };
  return {
    lambda: manifest.aggregation.lambda,
    status: budget.status,
    beforeSteps: async () => undefined,
    releaseSketch: async () => false,
    follows: (earlier) => requireCounted(budget, { ...earlier, each: 1 }),
    roundStarts: ({ round, theta }) => save({ ...state, round, before: theta }),
    release: async ({ round, theta }) => {
      // Of a round whose start was lost the change is taken from the twin; it is clipped all the same.
      const before = state.round === round ? state.before : state.twin;
      if (!(await budget.release())) return undefined;
      const { clip, noise } = settings;
      const noised = privateUpdate({ start: state.twin, before, after: theta, clip, noise, random });
      const sent = Float32Array.from(retractRotations(noised, groups));
      await save({ ...state, twin: sent });
      return sent;
    },
    aggregated: async ({ neighbours, asOf }) => {
      const own = state.twin;
      const { z, peers } = await aggregate({
        ...layout,
        own: { peer, theta: own },
        neighbours,
        settings: manifest.aggregation,
        round: asOf,
      });
      if (peers.length === 0) return;
      const { value } = blindLambda(manifest.aggregation.lambda);
      const twin = ifAdapter(() => mix({ ...layout, own, z, lambda: value }));
      // As the peer refuses it: by the values alone, so that the twin stays a function of messages.
      if (twin && isPlausible(twin, own)) await save({ ...state, twin });
    },
  };
}
