/** Peers in virtual time, for the tests of the round driver. */
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import type { Checkpoint } from "../interface/checkpoint.ts";
import type { PeerEvent, PeerReport } from "../interface/peer-event.ts";
import type { PrivacyGuard } from "../interface/privacy-guard.ts";
import type { ExampleSets, Trainer } from "../interface/trainer.ts";
import { countedTrainer } from "../privacy/counted-trainer.ts";
import { createVirtualClock, type VirtualClock } from "../system/platform/virtual-clock.ts";
import { createRoundDriver, type RoundDriver } from "./driver.ts";
import {
  createHub,
  createMemoryCheckpoints,
  createQuadraticTrainer,
  EXAMPLES,
  type Hub,
  type MemoryCheckpoints,
  SILENT,
  type TrainerFaults,
  testManifest,
  throughTime,
} from "./twins.suite.ts";

const TARGETS: Readonly<Record<string, number>> = { a: 1, b: 2, c: 3, d: 2, liar: 1e6 };

/** A peer whose rounds can be run, and what came of it. */
export interface Peer {
  readonly driver: RoundDriver;
  readonly events: PeerEvent[];
  readonly checkpoints: MemoryCheckpoints;
  readonly exchange: ReturnType<Hub["join"]>;
  readonly trainer: ReturnType<typeof createQuadraticTrainer>;
}

/** What is other than usual about a peer. */
export interface Setting {
  readonly manifest?: NetworkManifest;
  readonly compareAlone?: boolean;
  readonly examples?: ExampleSets;
  readonly stepMs?: number;
  readonly faults?: TrainerFaults;
  /** Told every reference model that the trainer is given. */
  readonly onReference?: (reference: Float32Array | undefined) => void;
  readonly checkpoints?: MemoryCheckpoints;
  readonly onEvent?: (event: PeerEvent) => void;
  readonly privacy?: PrivacyGuard;
  /** What all values of the peer's own optimum are; by its name when absent. */
  readonly target?: number;
  /** The trainer as the driver has it. */
  readonly wrap?: (trainer: Trainer) => Trainer;
  /** Told every warning. */
  readonly onWarn?: (text: string, fields?: object) => void;
}

/** A peer of a hub, with a trainer towards a target of its own. */
export async function peer(clock: VirtualClock, hub: Hub, name: string, setting: Setting = {}): Promise<Peer> {
  const { manifest = testManifest(), compareAlone = true, stepMs = 10, faults = {}, onEvent } = setting;
  const { examples = EXAMPLES } = setting;
  const checkpoints = setting.checkpoints ?? createMemoryCheckpoints();
  const { onReference = () => undefined, onWarn: warn = () => undefined } = setting;
  const { target = TARGETS[name]!, wrap = (one: Trainer) => one } = setting;
  const quadratic = createQuadraticTrainer(
    { clock },
    { target, seed: name.charCodeAt(0), stepMs, faults, onReference },
  );
  const trainer = wrap(quadratic);
  const exchange = hub.join(name);
  const events: PeerEvent[] = [];
  const emit = (event: PeerEvent): void => {
    events.push(event);
    onEvent?.(event);
  };
  const driver = await createRoundDriver(
    {
      trainer: setting.privacy ? countedTrainer(trainer, setting.privacy) : trainer,
      exchange,
      checkpoints,
      clock,
      logger: { ...SILENT, warn },
      ...(setting.privacy && { privacy: setting.privacy }),
      emit,
    },
    { manifest, peer: name, examples, compareAlone },
  );
  return { driver, events, checkpoints, exchange, trainer };
}

/** A clock and a hub without anybody. */
export const world = (): { clock: VirtualClock; hub: Hub } => {
  const clock = createVirtualClock(1_000_000);
  return { clock, hub: createHub({ clock }) };
};

/** The reports of all rounds of these peers, run together. */
export const run = async (clock: VirtualClock, ...peers: readonly Peer[]): Promise<PeerReport[]> =>
  (await throughTime(clock, Promise.all(peers.map(({ driver }) => driver.run())))) as PeerReport[];

/** The events of one type. */
export const ofType = <T extends PeerEvent["type"]>(
  events: readonly PeerEvent[],
  type: T,
): Extract<PeerEvent, { type: T }>[] =>
  events.filter((event): event is Extract<PeerEvent, { type: T }> => event.type === type);

/** The adapter in a checkpoint, all values. */
export const adapterOf = (checkpoint: Checkpoint | undefined): number[] => [
  ...(checkpoint?.vectors.get("adapter") ?? []),
];
