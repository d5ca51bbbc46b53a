/**
 * When neighbours are asked for what they hold: on a new connection, when they are seen to hold more, and now and then. Who
 * was removed is asked too, once: it sees from the question that there is more, asks in turn, and learns why.
 */
import { ProtocolError } from "../../protocol/errors.ts";
import type { RosterNote } from "../../protocol/membership/roster-note.ts";
import { encodeNote } from "../../protocol/membership/roster-note.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import type { Background } from "../exchange/background.ts";
import type { Clock } from "../interface/clock.ts";
import type { Transport } from "../interface/transport.ts";
import type { MembershipLimits } from "./membership-limits.ts";
import type { NoteIntake } from "./note-intake.ts";
import { createRosterPull } from "./roster-pull.ts";
import type { RosterStore } from "./roster-store.ts";

export interface NeighbourPullDependencies {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly roster: RosterStore;
  readonly background: Background;
  readonly intake: () => NoteIntake;
  /** What is told beside the entries. */
  readonly notes: () => readonly RosterNote[];
  readonly isMember: (peer: PeerId) => boolean;
  /** Members that are connected now. */
  readonly present: () => readonly PeerId[];
  readonly publish: (note: RosterNote) => void;
  readonly hangUp: (peer: PeerId) => void;
}

export interface NeighbourPulls {
  /** Answer others, and ask one of them now and then. */
  start(): Promise<void>;
  /** Ask a neighbour, unless it is being asked; resolves when it has answered or failed. */
  pull(peer: PeerId): Promise<void>;
  /** Let somebody who was removed fetch why, then hang up. */
  dismiss(peer: PeerId): void;
  /** Somebody is not connected any more. */
  forget(peer: PeerId): void;
  /** Wait for nothing any more; idempotent. */
  stop(): void;
}

export function createNeighbourPulls(
  dependencies: NeighbourPullDependencies,
  limits: MembershipLimits,
): NeighbourPulls {
  const { transport, clock, roster, background, intake, isMember, present, publish, hangUp } = dependencies;
  /** Who was removed and is being told so, with what cancels the hang-up. */
  const dismissed = new Map<PeerId, () => void>();
  const pulling = new Map<PeerId, Promise<void>>();
  let cancelNext: () => void = () => {};
  const exchange = createRosterPull(
    {
      transport,
      clock,
      log: roster.log,
      isMember: (peer) => isMember(peer) || dismissed.has(peer),
      onServed: (peer) => {
        if (dismissed.has(peer)) hangUp(peer);
      },
      notes: () => dependencies.notes().map(encodeNote),
      onBehind: (peer) => pull(peer),
    },
    limits,
  );
  /** What comes of it is told to the others. */
  const pull = (peer: PeerId): Promise<void> => {
    const running = pulling.get(peer);
    if (running !== undefined) return running;
    const started = background
      .run("asking for roster entries", (signal) => pullFrom(peer, signal))
      .finally(() => pulling.delete(peer));
    pulling.set(peer, started);
    return started;
  };
  const pullFrom = async (peer: PeerId, signal: AbortSignal): Promise<void> => {
    const fresh: Uint8Array[] = [];
    const onEntry = (body: Uint8Array): void => {
      const { verdict, code } = intake().entry(body, undefined);
      if (verdict === "reject") throw new ProtocolError("FIELD_INVALID", `roster entry of ${peer}: ${code}`);
      if (verdict === "accept") fresh.push(body);
    };
    await exchange.pull(peer, { onEntry, onNote: (bytes) => void intake().bytes(bytes, peer) }, signal);
    await roster.written();
    if (fresh.length === 0) return;
    if (fresh.length <= limits.gossipEntriesMax) for (const body of fresh) publish({ kind: "entry", body });
    // They see from what they are asked with that this peer holds more, and ask in turn.
    else for (const other of present()) if (other !== peer) void pull(other);
  };
  const pullNext = (turn: number): void => {
    cancelNext = clock.after(limits.pullIntervalMs, () => {
      const neighbours = present();
      const peer = neighbours[turn % Math.max(1, neighbours.length)];
      if (peer !== undefined) void pull(peer);
      pullNext(turn + 1);
    });
  };
  return {
    async start() {
      await exchange.start();
      pullNext(0);
    },
    pull,
    dismiss(peer) {
      if (dismissed.has(peer)) return;
      const cancel = clock.after(limits.farewellMs, () => hangUp(peer));
      dismissed.set(peer, cancel);
      // It sees from the question that this peer holds more, and asks in turn; what it answers is not read.
      void background.run("telling a peer that it was removed", async (signal) => {
        try {
          await exchange.pull(peer, { onEntry: () => {}, onNote: () => {} }, signal);
        } catch (error) {
          hangUp(peer);
          throw error;
        }
      });
    },
    forget(peer) {
      dismissed.get(peer)?.();
      dismissed.delete(peer);
    },
    stop() {
      cancelNext();
      for (const cancel of dismissed.values()) cancel();
    },
  };
}
