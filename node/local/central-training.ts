/** What all peers' data would give in one place: the ceiling that a testnet's swarm is held against. */
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import type { EngineOptions } from "../interface/engine-options.ts";
import type { Example, ExampleSets, TaskScore, Trainer } from "../interface/trainer.ts";
import { TASKS_MAX } from "../interface/trainer.ts";
import { loadPeerExamples, type PeerData } from "../peer/peer-data.ts";
import { startTrainerThread } from "../system/compute/trainer-thread.ts";

/** The network, and the data that its peers divide. */
export interface CentralOptions {
  readonly manifest: NetworkManifest;
  readonly modelDirectory: string;
  /** Without the part, which each peer has its own of. */
  readonly data: Omit<PeerData, "part">;
  /** Number of peers. */
  readonly peers: number;
  readonly engine: EngineOptions;
  readonly signal: AbortSignal;
  readonly onStep?: (step: number, steps: number) => void;
  /** Starts a trainer; on a thread of its own when absent. */
  readonly start?: (options: Parameters<typeof startTrainerThread>[0]) => Promise<Trainer>;
}

/** The scores of one adapter that was trained on everything. */
export interface CentralResult {
  /** On each peer's own test set, in the peers' order; of the first 32 peers. */
  readonly peers: readonly Pick<TaskScore, "loss" | "accuracy">[];
  /** As many as the peers take together. */
  readonly steps: number;
  readonly seconds: number;
}

/** Steps between two looks at the signal. */
const STEPS_AT_ONCE = 8;

/**
 * One trainer with everybody's training examples takes as many steps as all peers together, and is scored on the test set of
 * each.  Throws: as `loadExamples` and the trainer; the signal's reason when aborted.
 */
export async function trainCentrally(options: CentralOptions): Promise<CentralResult> {
  const { manifest, modelDirectory, data, peers, engine, signal, onStep, start = startTrainerThread } = options;
  const parts: ExampleSets[] = [];
  for (let index = 0; index < peers; index++) {
    const part = { index, count: peers };
    parts.push((await loadPeerExamples({ ...data, part }, { manifest, modelDirectory })).sets);
  }
  const steps = manifest.rounds.count * manifest.rounds.localSteps * peers;
  const trainer = await start({
    modelDirectory,
    adapter: manifest.adapter,
    training: withoutProximal(manifest.training),
    networkSeed: manifest.seed,
    peerSeed: manifest.seed,
    data: pooled(parts),
    ...(manifest.head !== undefined && { head: manifest.head }),
    engine,
    totalSteps: steps,
  });
  try {
    let [done, seconds] = [0, 0];
    while (done < steps) {
      signal.throwIfAborted();
      const now = Math.min(STEPS_AT_ONCE, steps - done);
      seconds += (await trainer.train({ steps: now })).seconds;
      done += now;
      onStep?.(done, steps);
    }
    const { tasks = [] } = await trainer.evaluate({ set: "test" });
    const scores = parts.slice(0, TASKS_MAX).map((_, peer) => tasks.find(({ task }) => task === nameOf(peer)));
    return {
      peers: scores.flatMap((one) => (one ? [{ loss: one.loss, accuracy: one.accuracy }] : [])),
      steps,
      seconds,
    };
  } finally {
    await trainer.close();
  }
}

/** All sets, in which the test examples have their peer's name for a task: an evaluation tells tasks apart. */
function pooled(parts: readonly ExampleSets[]): ExampleSets {
  const named = (example: Example, peer: number): Example => ({ ...example, task: nameOf(peer) });
  return {
    train: parts.flatMap(({ train }) => train),
    validation: parts.flatMap(({ validation }) => validation),
    test: parts.flatMap(({ test }, peer) => test.map((example) => named(example, peer))),
  };
}

/** Names whose order is that of the peers. */
const nameOf = (peer: number): string => `peer ${String(peer + 1).padStart(3, "0")}`;

/** There is no past of rounds that steps in one place could be held to. */
function withoutProximal({ proximal: _, ...training }: NetworkManifest["training"]): NetworkManifest["training"] {
  return training;
}
