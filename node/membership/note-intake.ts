/** Notes about the roster as they come: read, judged by their kind, counted. */
import { ProtocolError } from "../../protocol/errors.ts";
import { mayForward, type Role } from "../../protocol/membership/roles.ts";
import type { AddRefusal } from "../../protocol/membership/roster-log.ts";
import { decodeNote, type RosterNote } from "../../protocol/membership/roster-note.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import type { Logger } from "../interface/logger.ts";
import type { GossipJudgement } from "../interface/transport.ts";
import type { EquivocationProofs } from "./equivocation-proofs.ts";
import type { Motions } from "./motions.ts";
import { ignored, type NoteJudgement, news, rejected } from "./note-judgement.ts";
import type { NoteRates } from "./note-rates.ts";
import type { RosterStore } from "./roster-store.ts";

/** Refusals that the next try may not meet. */
const LATER: readonly AddRefusal[] = ["EARLY", "FULL"];

export interface NoteIntakeDependencies {
  readonly roster: RosterStore;
  readonly motions: Motions;
  readonly proofs: EquivocationProofs;
  readonly rates: NoteRates;
  readonly logger: Logger;
  readonly roleOf: (peer: PeerId) => Role | undefined;
  /** A neighbour sent an entry whose parents are not here. */
  readonly onPending: (from: PeerId) => void;
}

export interface NoteIntake {
  /** An entry; `from` is asked for what it rests on where that is missing. */
  entry(body: Uint8Array, from: PeerId | undefined): NoteJudgement;
  note(note: RosterNote, from: PeerId | undefined): NoteJudgement;
  /** Bytes that nobody has looked at.  Throws: nothing. */
  bytes(bytes: Uint8Array, from: PeerId): NoteJudgement;
  /** Gossip: who is no member is not listened to, and nobody is listened to without end. */
  validate(bytes: Uint8Array, from: PeerId): GossipJudgement<NoteJudgement>;
  /** How often notes were judged how, by code. */
  codes(): Readonly<Record<string, number>>;
}

export function createNoteIntake(dependencies: NoteIntakeDependencies): NoteIntake {
  const { roster, motions, proofs, rates, logger, roleOf } = dependencies;
  const codes: Record<string, number> = {};
  const count = (code: string): void => {
    codes[code] = (codes[code] ?? 0) + 1;
  };
  const takeEntry = (body: Uint8Array, from: PeerId | undefined): NoteJudgement => {
    const result = roster.add(body);
    switch (result.outcome) {
      case "added":
        return news;
      case "known":
        return ignored("KNOWN");
      case "pending":
        if (from !== undefined) dependencies.onPending(from);
        return ignored("PENDING");
      case "refused":
        return LATER.includes(result.code) ? ignored(result.code) : rejected(result.code);
    }
  };
  const judge = ({ kind, body }: RosterNote, from: PeerId | undefined): NoteJudgement => {
    try {
      const judgement =
        kind === "entry" ? takeEntry(body, from) : kind === "proof" ? proofs.take(body) : motions.take({ kind, body });
      count(judgement.code);
      if (judgement.verdict === "accept" && kind !== "entry") void motions.settle();
      return judgement;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      count(error.code);
      return rejected(error.code);
    }
  };
  const judgeBytes = (bytes: Uint8Array, from: PeerId): NoteJudgement => {
    let note: RosterNote;
    try {
      note = decodeNote(bytes);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return rejected(error.code);
    }
    return judge(note, from);
  };
  return {
    entry: takeEntry,
    note: judge,
    bytes: judgeBytes,
    validate(bytes, from) {
      if (!mayForward(roleOf(from)) || !rates.allows(from)) return { verdict: "ignore" };
      const judgement = judgeBytes(bytes, from);
      const { verdict, code } = judgement;
      if (verdict === "accept") return { verdict, message: judgement };
      logger.debug("a note about the roster is not passed on", { from, verdict, code });
      return { verdict };
    },
    codes: () => ({ ...codes }),
  };
}
