/**
 * Entries over `/weft/roster/1`: a member says which entries it holds, and gets those that it lacks and what waits for
 * signatures. Both sides of a new connection ask, so that late joiners and healed partitions converge.
 */

import { pipe } from "it-pipe";
import { encodeFrame } from "../../protocol/frame.ts";
import { LIMITS } from "../../protocol/limits.ts";
import type { EntryId } from "../../protocol/membership/entry.ts";
import {
  decodeEntries,
  decodeInventory,
  encodeInventory,
  encodeMissing,
} from "../../protocol/membership/roster-exchange.ts";
import type { RosterLog } from "../../protocol/membership/roster-log.ts";
import { decodeNotes, encodeNotes } from "../../protocol/membership/roster-note.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { STREAM_PROTOCOLS } from "../../protocol/stream-protocols.ts";
import { NodeError } from "../errors.ts";
import { cut, frames, oneFrame } from "../exchange/byte-pipeline.ts";
import { answerWithin, withStream } from "../exchange/deadline.ts";
import type { Clock } from "../interface/clock.ts";
import type { Transport } from "../interface/transport.ts";
import { createAskRates } from "./ask-rates.ts";
import type { MembershipLimits } from "./membership-limits.ts";

export interface RosterPullDependencies {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: RosterLog;
  /** Whether this peer answers somebody: a member, or one that is being told that it is none any more. */
  readonly isMember: (peer: PeerId) => boolean;
  /** Bytes of the notes that are told beside the entries. */
  readonly notes: () => readonly Uint8Array[];
  /** Somebody has fetched all that it lacked. */
  readonly onServed: (peer: PeerId) => void;
  /** A neighbour holds entries that this peer does not. */
  readonly onBehind: (peer: PeerId) => void;
}

export interface RosterPull {
  start(): Promise<void>;
  /**
   * Ask one neighbour. `onNote` and `onEntry` get bytes that nobody has looked at; what they throw ends the pull.
   * Throws: NodeError STREAM_FAILED, TIMEOUT, FRAME_INVALID; ProtocolError.
   */
  pull(
    peer: PeerId,
    take: { readonly onNote: (bytes: Uint8Array) => void; readonly onEntry: (bytes: Uint8Array) => void },
    signal: AbortSignal,
  ): Promise<void>;
}

/** Messages of entries in one answer: as many as a full roster of the longest entries takes. */
const MESSAGES_MAX = 1 + (LIMITS.rosterEntryCountMax * LIMITS.rosterEntryBytesMax) / LIMITS.rosterMessageBytesMax;

export function createRosterPull(
  { transport, clock, log, isMember, notes, onServed, onBehind }: RosterPullDependencies,
  {
    pullTimeoutMs: timeoutMs,
    pullsPerWindowMax,
    pullWindowMs,
    visitsRememberedMax,
  }: Pick<MembershipLimits, "pullTimeoutMs" | "pullsPerWindowMax" | "pullWindowMs" | "visitsRememberedMax">,
): RosterPull {
  const rates = createAskRates(
    { clock },
    { what: "entries", perWindowMax: pullsPerWindowMax, windowMs: pullWindowMs, peersMax: visitsRememberedMax },
  );
  return {
    async start() {
      await transport.handle(STREAM_PROTOCOLS.roster, async (stream, from) => {
        if (!isMember(from)) throw new NodeError("NOT_ADMITTED", `${from} asked for the roster and is no member`);
        rates.count(from);
        await answerWithin(
          clock,
          { stream, timeoutMs, protocol: STREAM_PROTOCOLS.roster },
          async ({ source, sink }) => {
            const held = decodeInventory(await pipe(source, oneFrame(LIMITS.rosterMessageBytesMax)));
            const messages = [encodeNotes(notes()), ...encodeMissing(log, held)];
            await pipe(messages.map(encodeFrame), cut, sink);
            if (lacksAny(log, held)) onBehind(from);
          },
        );
        onServed(from);
      });
    },
    async pull(peer, { onNote, onEntry }, signal) {
      const call = { peer, protocol: STREAM_PROTOCOLS.roster, timeoutMs, signal };
      await withStream({ transport, clock }, call, async ({ source, sink }) => {
        await pipe([encodeFrame(encodeInventory(log))], cut, sink);
        let told: Uint8Array | undefined;
        for await (const message of frames(source, {
          bytesMax: LIMITS.rosterMessageBytesMax,
          countMax: MESSAGES_MAX,
        })) {
          if (told === undefined) told = message;
          else for (const entry of decodeEntries(message)) onEntry(entry);
        }
        // After the entries: what a note rests on is known then.
        for (const note of told === undefined ? [] : decodeNotes(told)) onNote(note);
      });
    },
  };
}

function lacksAny(log: RosterLog, held: ReadonlySet<EntryId>): boolean {
  for (const id of held) if (log.get(id) === undefined) return true;
  return false;
}
