/** What the page knows of its peer: asked for at first, and again where an event says that it has changed. */
import { useEffect, useReducer, useRef } from "preact/hooks";
import { ask, Refusal, readEvents } from "./admin-client.ts";
import type { Ledger, LogLines, Members, Motion, PeerNotice, Peers, Rounds, Status, Updates } from "./answers.ts";

/** Everything that is shown. Undefined: not known yet, or the peer has none. */
export interface PeerState {
  readonly status?: Status;
  readonly peers?: Peers;
  readonly rounds?: Rounds;
  readonly updates?: Updates;
  readonly members?: Members | undefined;
  readonly motions?: readonly Motion[] | undefined;
  readonly ledger?: Ledger;
  /** The newest events, the newest last. */
  readonly events: readonly PeerNotice[];
  /** What its log says. */
  readonly log?: LogLines;
  /** Why the peer does not answer; undefined while it does. */
  readonly trouble?: string | undefined;
  /** Whether the token is refused. */
  readonly isLocked?: boolean;
}

type Part = "log" | "status" | "peers" | "rounds" | "updates" | "members" | "motions" | "ledger";

/** Lines that a person may scroll back. */
const LOG_MAX = 300;
/** Steps and gossip come many a second; people look more slowly. */
const PAUSE_MS = 700;
/** What no event tells of: round trips, bytes, the ledger. */
const LOOK_MS = 5_000;
const RETRY_MS = 2_000;
/** Rounds whose mixes the peer keeps, and so the page. */
const MIXES_MAX = 200;

/** What an event may have changed. */
const CHANGES: Readonly<Record<string, readonly Part[]>> = {
  started: ["status", "peers", "rounds", "members", "motions"],
  step: ["status"],
  neighbours: ["status", "peers"],
  unreachable: ["peers"],
  update: ["status", "updates"],
  round: ["status", "rounds", "peers", "ledger"],
  request: ["motions"],
  member: ["members", "motions"],
  roster: ["members", "motions"],
  paused: ["status"],
  resumed: ["status"],
  privacy: ["status"],
  finished: ["status", "rounds"],
  lost: ["status", "peers", "rounds", "updates", "members", "motions", "ledger", "log"],
};

/** Ask for a part. A network without a roster has no members and no motions.  from: of the rounds, the first one wanted. */
async function fetchPart(part: Part, token: string, from: number): Promise<Partial<PeerState>> {
  try {
    const answer = await ask<unknown>(part === "rounds" ? `v1/rounds?from=${from}` : `v1/${part}`, token);
    return { [part]: part === "motions" ? (answer as { motions: readonly Motion[] }).motions : answer };
  } catch (error) {
    if (error instanceof Refusal && error.status === 403) return { [part]: undefined };
    throw error;
  }
}

/** What was known of the rounds before this one, and what is known of it and those after it by now. */
function joined(known: Rounds | undefined, news: Rounds, from: number): Rounds {
  if (known === undefined || from === 0) return news;
  const join = <One extends { readonly round: number }>(
    before: readonly One[],
    after: readonly One[],
  ): readonly One[] => [...before.filter(({ round }) => round < from), ...after];
  return {
    ...news,
    rounds: join(known.rounds, news.rounds),
    mixes: join(known.mixes, news.mixes).slice(-MIXES_MAX),
    scores: join(known.scores ?? [], news.scores ?? []).slice(-MIXES_MAX),
  };
}

/** The state of the peer as it goes on, and what asks for parts of it at once. */
export function usePeer(token: string | undefined): PeerState & { readonly refresh: (...parts: Part[]) => void } {
  const [state, change] = useReducer((before: PeerState, news: Partial<PeerState>) => ({ ...before, ...news }), {
    events: [],
  });
  const wanted = useRef(new Set<Part>());
  const hurry = useRef<() => void>(() => undefined);
  useEffect(() => {
    if (token === undefined) return change({ isLocked: true });
    const reader = new PeerReader(token, { change, wanted: wanted.current });
    hurry.current = () => void reader.look();
    reader.start();
    return () => reader.stop();
  }, [token]);
  const refresh = (...parts: Part[]): void => {
    for (const part of parts) wanted.current.add(part);
    hurry.current();
  };
  return { ...state, refresh };
}

/** Keeps reading while the page is open. */
class PeerReader {
  readonly #token: string;
  readonly #change: (news: Partial<PeerState>) => void;
  readonly #wanted: Set<Part>;
  readonly #stopping = new AbortController();
  #events: readonly PeerNotice[] = [];
  #newest = 0;
  #rounds: Rounds | undefined;
  #timers: number[] = [];

  constructor(token: string, { change, wanted }: { change: (news: Partial<PeerState>) => void; wanted: Set<Part> }) {
    this.#token = token;
    this.#change = change;
    this.#wanted = wanted;
  }

  start(): void {
    this.#want("lost");
    void this.look();
    void this.#follow();
    const regular = (): void => {
      for (const part of ["status", "peers", "ledger", "log"] as const) this.#wanted.add(part);
    };
    this.#timers = [setInterval(() => void this.look(), PAUSE_MS), setInterval(regular, LOOK_MS)];
  }

  stop(): void {
    this.#stopping.abort();
    for (const timer of this.#timers) clearInterval(timer);
  }

  /** Ask for what is wanted. */
  async look(): Promise<void> {
    const parts = [...this.#wanted];
    this.#wanted.clear();
    if (parts.length === 0) return;
    try {
      const from = this.#rounds?.rounds.at(-1)?.round ?? 0;
      const found = await Promise.all(parts.map((part) => fetchPart(part, this.#token, from)));
      for (const part of found) {
        // Two looks may cross: each answer is of its own first round on.
        if (part.rounds) Object.assign(part, { rounds: (this.#rounds = joined(this.#rounds, part.rounds, from)) });
      }
      this.#change(Object.assign({ trouble: undefined, isLocked: false }, ...found));
    } catch (error) {
      this.#fail(error);
      // Asked for again once it answers.
      for (const part of parts) this.#wanted.add(part);
    }
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        await readEvents(this.#token, { after: this.#newest, signal, onEvent: (event) => this.#note(event) });
      } catch (error) {
        if (!signal.aborted) this.#fail(error);
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  #note(event: PeerNotice): void {
    this.#newest = Math.max(this.#newest, event.number);
    // It may go on from an earlier round.
    if (event.type === "started" || event.type === "lost") this.#rounds = undefined;
    this.#want(event.type);
    // Too many to read, and shown elsewhere.
    if (event.type === "step" || event.type === "loop") return;
    this.#events = [...this.#events, event].slice(-LOG_MAX);
    this.#change({ events: this.#events });
  }

  #want(type: string): void {
    for (const part of CHANGES[type] ?? []) this.#wanted.add(part);
  }

  #fail(error: unknown): void {
    if (error instanceof Refusal && error.status === 401) this.#change({ isLocked: true });
    else
      this.#change({
        trouble: error instanceof Refusal ? error.message : "the peer does not answer; it may have ended",
      });
  }
}
