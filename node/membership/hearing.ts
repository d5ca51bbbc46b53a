/**
 * When a peer whose files may be old has heard enough of what its key has signed: from another admin, which draws up and signs
 * what admins decide, or from more than half of the other members, so that no single member can hide it.
 */
import { adminsOf, type RosterState } from "../../protocol/membership/roster-state.ts";
import type { PeerId } from "../../protocol/peer-id.ts";

/** Whom the roster knows, who asks, and what follows. */
export interface HearingDependencies {
  readonly self: PeerId;
  readonly state: () => RosterState;
  readonly nowSeconds: () => number;
  /** Called once. */
  readonly onHeard: () => void;
}

/** The members that have said what they hold. */
export class Hearing {
  readonly #dependencies: HearingDependencies;
  readonly #answered = new Set<PeerId>();
  #isOver = false;

  constructor(dependencies: HearingDependencies) {
    this.#dependencies = dependencies;
  }

  /** Somebody has said all that it holds; strangers count for nothing. */
  answered(peer: PeerId): void {
    if (this.#isOver) return;
    const { self, state, nowSeconds } = this.#dependencies;
    const { members } = state();
    if (peer === self || !members.has(peer)) return;
    this.#answered.add(peer);
    const others = [...members.keys()].filter((other) => other !== self);
    const heard = others.filter((other) => this.#answered.has(other)).length;
    if (adminsOf(state(), nowSeconds()).includes(peer) || 2 * heard > others.length) this.end();
  }

  /** It is enough, or a person says that nobody holds more. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#dependencies.onHeard();
  }
}
