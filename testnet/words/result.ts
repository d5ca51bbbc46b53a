/** What a testnet run has to show: everything per peer, and the one JSON document of it all. */

import type { ForgettingReport, PeerEvent, PeerView, PhaseSeconds, Score, UpdateCounts } from "../../node/index.ts";
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import { isWorseThanAlone } from "./comparison.ts";
import { roundTotals } from "./round-totals.ts";
import { shareOfWay, wayOf } from "./way.ts";

/** How a process ended, and the last it said on standard error. */
export interface PeerExit {
  readonly code: number | null;
  readonly signal: string | null;
  readonly lastLines: readonly string[];
}

/** One peer of a testnet. */
export interface TestnetPeer {
  /** Such as `peer 1`. */
  readonly name: string;
  readonly view: PeerView;
  /** Set when the process ended before the peer had finished. */
  readonly exit?: PeerExit;
}

/** A run: its network, and what became of every peer. */
export interface TestnetResult {
  /** Network id. */
  readonly network: string;
  readonly manifest: NetworkManifest;
  /** Where the examples came from, for people. */
  readonly data: string;
  readonly peers: readonly TestnetPeer[];
  /** ISO 8601. */
  readonly startedAt: string;
  /** Wall time of the whole run. */
  readonly seconds: number;
  /** Stopped by the user before the end. */
  readonly interrupted: boolean;
  /** The scores of one training with everybody's data, where it was made. */
  readonly central?: CentralScores;
}

/** One training with everybody's data. */
export interface CentralScores {
  /** On each peer's own test set, in the peers' order. */
  readonly peers: readonly { readonly loss: number; readonly accuracy: number }[];
  /** Local steps, as many as the peers take together. */
  readonly steps: number;
  readonly seconds: number;
}

/** A peer in the JSON document; the scores are absent for a peer that did not finish. */
export interface PeerDocument {
  readonly id: string;
  readonly name: string;
  readonly finished: boolean;
  readonly base?: Score;
  readonly alone?: Score;
  readonly swarm?: Score;
  /** Of one training with everybody's data, on this peer's test set. */
  readonly central?: CentralScores["peers"][number];
  readonly bytes: { readonly sent: number; readonly received: number };
  readonly seconds: PhaseSeconds;
  readonly updates: UpdateCounts;
  readonly examples?: PeerView["examples"];
  /** After the last round that it did. */
  readonly forgetting?: ForgettingReport;
  readonly perRound: PeerView["rounds"];
  readonly failure?: PeerExit;
}

/** A run as JSON: per peer and in all. */
export interface TestnetDocument {
  readonly network: string;
  readonly rounds: number;
  readonly peers: readonly PeerDocument[];
  /** Ids of the peers whose held-out loss in the swarm is higher than alone, to three decimals. */
  readonly worseThanAlone: readonly string[];
  /** From training alone (0) to all data in one place (1), by mean losses; null where there is no such way. */
  readonly shareOfTheWay: number | null;
  readonly seconds: number;
  readonly interrupted: boolean;
  readonly manifest: NetworkManifest;
}

/** The JSON document of a whole run. */
export function testnetDocument(result: TestnetResult): TestnetDocument {
  const { network, manifest, seconds, interrupted } = result;
  return {
    network,
    rounds: manifest.rounds.count,
    peers: result.peers.map((peer, i) => ({
      ...peerDocument(peer),
      ...(result.central?.peers[i] && { central: result.central.peers[i] }),
    })),
    worseThanAlone: result.peers.filter(isWorseOff).map(idOf),
    shareOfTheWay: shareOfTheWay(result),
    seconds,
    interrupted,
    manifest,
  };
}

function shareOfTheWay(result: TestnetResult): number | null {
  const way = wayOf(result);
  return (way && shareOfWay(way)) ?? null;
}

/** Whether a peer has finished, and with a held-out loss visibly higher than after training alone. */
export function isWorseOff({ view: { report } }: TestnetPeer): boolean {
  return report !== undefined && isWorseThanAlone(report);
}

/** The peer id, or the peer's name while it has none. */
export function idOf({ name, view }: TestnetPeer): string {
  return view.report?.id ?? view.peer ?? name;
}

/** Bytes, seconds and updates of a peer: as it reports them, or summed over the rounds it lived. */
export function totalsOf({ report, rounds, updates }: PeerView): Pick<PeerDocument, "bytes" | "seconds" | "updates"> {
  if (report) return { bytes: report.bytes, seconds: report.seconds, updates: report.updates };
  const { bytes, seconds } = roundTotals(rounds);
  return { bytes, seconds, updates };
}

function peerDocument(peer: TestnetPeer): PeerDocument {
  const { name, view, exit } = peer;
  const { report, examples, forgetting } = view;
  return {
    id: idOf(peer),
    name,
    finished: report !== undefined,
    ...(report && { base: report.base, ...(report.alone && { alone: report.alone }), swarm: report.swarm }),
    ...totalsOf(view),
    ...(examples && { examples }),
    ...(forgetting && { forgetting }),
    perRound: view.rounds,
    ...(exit && { failure: exit }),
  };
}

/** Told of everything that happens, in order; must not throw. */
export interface TestnetObserver {
  onEvent(peer: TestnetPeer, event: PeerEvent): void;
  /** A peer's process ended before the peer had finished. */
  onExit(peer: TestnetPeer): void;
}
