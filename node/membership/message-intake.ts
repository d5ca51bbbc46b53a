/** Messages about the roster as they come: read, judged by their kind, counted. */
import { ProtocolError } from "../../protocol/errors.ts";
import type { Entry } from "../../protocol/membership/entry.ts";
import { mayForward, type Role } from "../../protocol/membership/roles.ts";
import type { AddRefusal } from "../../protocol/membership/roster-log.ts";
import { decodeRosterMessage, type RosterMessage } from "../../protocol/membership/roster-message.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import type { RateLimiter } from "../exchange/rate-limiter.ts";
import type { Logger } from "../interface/logger.ts";
import type { RosterStore } from "./roster-store.ts";

/** What is said of a message about the roster: `NEWS` is kept and passed on. */
export type MessageJudgement =
  | { readonly verdict: "accept"; readonly code: "NEWS" }
  | { readonly verdict: "ignore" | "reject"; readonly code: string };

/** Kept, and passed on. */
export const news: MessageJudgement = { verdict: "accept", code: "NEWS" };
/** Dropped without blame. */
export const ignored = (code: string): MessageJudgement => ({ verdict: "ignore", code });
/** Dropped, and held against who sent it. */
export const rejected = (code: string): MessageJudgement => ({ verdict: "reject", code });

/** Refusals that the next try may not meet. */
const LATER: readonly AddRefusal[] = ["EARLY", "FULL"];

/** Who keeps what comes. */
export interface MessageIntakeDependencies {
  readonly roster: Pick<RosterStore, "add">;
  /** An entry is from later than this clock shows, and put off. */
  readonly onEarly?: (entry: Entry) => void;
  /** Throws: ProtocolError where the proof proves nothing. */
  readonly takeProof: (body: Uint8Array) => MessageJudgement;
  /** Takes what waits for a decision: requests, drafts, denials.  Throws: nothing. */
  readonly takePending: (message: RosterMessage) => MessageJudgement;
  /** How much of what one neighbour gossips is looked at. */
  readonly rates: RateLimiter;
  readonly roleOf: (peer: PeerId) => Role | undefined;
  readonly logger: Logger;
}

/** The one way in for what others say of the roster. */
export class MessageIntake {
  readonly #dependencies: MessageIntakeDependencies;
  readonly #codes: Record<string, number> = {};

  constructor(dependencies: MessageIntakeDependencies) {
    this.#dependencies = dependencies;
  }

  /** Take an entry; PENDING where it rests on others that are not here.  Throws: nothing. */
  entry(body: Uint8Array): MessageJudgement {
    const result = this.#dependencies.roster.add(body);
    switch (result.outcome) {
      case "added":
        return news;
      case "known":
        return ignored("KNOWN");
      case "pending":
        return ignored("PENDING");
      case "refused":
        if (result.code === "EARLY" && result.entry) this.#dependencies.onEarly?.(result.entry);
        return LATER.includes(result.code) ? ignored(result.code) : rejected(result.code);
    }
  }

  /** Take a message of any kind.  Throws: nothing. */
  message({ kind, body }: RosterMessage): MessageJudgement {
    const { takeProof, takePending } = this.#dependencies;
    try {
      const judgement =
        kind === "entry" ? this.entry(body) : kind === "proof" ? takeProof(body) : takePending({ kind, body });
      this.#count(judgement.code);
      return judgement;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#count(error.code);
      return rejected(error.code);
    }
  }

  /** Take bytes that nobody has looked at.  Throws: nothing. */
  bytes(bytes: Uint8Array): MessageJudgement {
    let message: RosterMessage;
    try {
      message = decodeRosterMessage(bytes);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return rejected(error.code);
    }
    return this.message(message);
  }

  /** Take gossip: whoever is no member is not listened to, and nobody is listened to without end.  Throws: nothing. */
  gossip(bytes: Uint8Array, from: PeerId): MessageJudgement {
    const { roleOf, rates, logger } = this.#dependencies;
    if (!mayForward(roleOf(from))) return ignored("NOT_A_MEMBER");
    if (!rates.take(from)) return ignored("TOO_OFTEN");
    const judgement = this.bytes(bytes);
    const { verdict, code } = judgement;
    if (verdict !== "accept") logger.debug("a message about the roster is not passed on", { from, verdict, code });
    return judgement;
  }

  /** How often messages were judged how, by code. */
  codes(): Readonly<Record<string, number>> {
    return { ...this.#codes };
  }

  #count(code: string): void {
    this.#codes[code] = (this.#codes[code] ?? 0) + 1;
  }
}
