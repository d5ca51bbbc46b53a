/** What the page knows of its swarm: asked for again and again, rounds only where a peer has got on. */
import { useEffect, useReducer } from "preact/hooks";
import type { SwarmRound, SwarmRounds, SwarmView } from "../../interface/swarm-view.ts";
import { ask, Refusal } from "./admin-client.ts";

/** Everything that is shown. */
export interface SwarmState {
  readonly view?: SwarmView;
  /** Of each peer, in the order of the peers; a new list where anything is new. */
  readonly rounds: readonly (readonly SwarmRound[])[];
  /** Why the page is not answered; undefined while it is. */
  readonly trouble?: string | undefined;
  /** Whether the token is refused. */
  readonly isLocked?: boolean;
}

const PAUSE_MS = 1_000;

/** The state of the swarm as it goes on. */
export function useSwarm(token: string | undefined): SwarmState {
  const [state, change] = useReducer((before: SwarmState, news: Partial<SwarmState>) => ({ ...before, ...news }), {
    rounds: [],
  });
  useEffect(() => {
    if (token === undefined) return change({ isLocked: true });
    const reader = new SwarmReader(token, change);
    void reader.run();
    return () => reader.stop();
  }, [token]);
  return state;
}

class SwarmReader {
  readonly #token: string;
  readonly #change: (news: Partial<SwarmState>) => void;
  #rounds: readonly (readonly SwarmRound[])[] = [];
  #isStopped = false;

  constructor(token: string, change: (news: Partial<SwarmState>) => void) {
    this.#token = token;
    this.#change = change;
  }

  async run(): Promise<void> {
    while (!this.#isStopped) {
      try {
        await this.#look();
      } catch (error) {
        if (!this.#isStopped) this.#change(troubleOf(error));
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  stop(): void {
    this.#isStopped = true;
  }

  async #look(): Promise<void> {
    const view = await ask<SwarmView>("v1/swarm", this.#token);
    const known = view.peers.map((_, i) => this.#rounds[i] ?? []);
    const done = view.peers.map(({ said }) => said?.roundsDone ?? 0);
    // The newest round is asked for again: a peer that went on from an earlier one does it anew.
    if (known.some((rounds, i) => (rounds.at(-1)?.round ?? -1) + 1 !== done[i])) {
      const from = known.map((rounds, i) => Math.max(0, Math.min(rounds.at(-1)?.round ?? 0, (done[i] ?? 0) - 1)));
      const { peers } = await ask<SwarmRounds>(`v1/swarm/rounds?from=${from.join(",")}`, this.#token);
      this.#rounds = known.map((rounds, i) => [
        ...rounds.filter(({ round }) => round < (from[i] ?? 0)),
        ...(peers[i] ?? []),
      ]);
    }
    if (!this.#isStopped) this.#change({ view, rounds: this.#rounds, trouble: undefined, isLocked: false });
  }
}

function troubleOf(error: unknown): Partial<SwarmState> {
  if (error instanceof Refusal && error.status === 401) return { isLocked: true };
  if (error instanceof Refusal) return { trouble: error.message };
  return { trouble: "the swarm's page is served no more; the swarm may have ended. This is what was seen last." };
}
