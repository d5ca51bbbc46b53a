/** All peers of a swarm, asked again and again by their admin interfaces: quickly while a page looks, and slowly otherwise. */
import type { SwarmDesk, SwarmRounds, SwarmView } from "../../node/index.ts";
import { peerFolder } from "../peer-arguments.ts";
import { WatchedPeer } from "./watched-peer.ts";

/** Between two looks at a peer, while somebody looks at the page and while nobody does. */
const LOOK_MS = { looking: 1_000, idle: 5_000 } as const;
/** How long ago the page has asked where somebody looks at it. */
const LOOKING_MS = 10_000;

/** Looks at peers until it is stopped. */
export class SwarmWatch implements SwarmDesk {
  readonly #peers: readonly WatchedPeer[];
  readonly #timers = new Map<WatchedPeer, NodeJS.Timeout>();
  readonly #looking = new Set<Promise<void>>();
  readonly #onError: (error: unknown) => void;
  #askedAt = Number.NEGATIVE_INFINITY;
  #isStopped = false;

  /** folder: of the swarm.  peers: their number.  onError: told of what is a fault of weft. */
  constructor(
    folder: string,
    { peers, onError }: { readonly peers: number; readonly onError: (error: unknown) => void },
  ) {
    this.#peers = Array.from({ length: peers }, (_, i) => new WatchedPeer(i + 1, peerFolder(folder, i)));
    this.#onError = onError;
  }

  /** Begin to look. */
  start(): void {
    for (const peer of this.#peers) this.#look(peer);
  }

  view(): SwarmView {
    const isIdle = performance.now() - this.#askedAt > LOOKING_MS;
    this.#askedAt = performance.now();
    if (isIdle) this.#lookAtOnce();
    const network = this.#peers.map((peer) => peer.network).find((one) => one !== undefined);
    const peers = this.#peers.map((peer) => peer.view());
    return { schema: "weft-swarm-view/1", name: network?.name ?? "", rounds: network?.rounds ?? 0, peers };
  }

  rounds(from: readonly number[]): SwarmRounds {
    return { peers: this.#peers.map((peer, i) => peer.rounds(from[i] ?? 0)) };
  }

  /** Look no more. Idempotent. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    await Promise.all(this.#looking);
  }

  /** Who waits for its turn has it now. */
  #lookAtOnce(): void {
    for (const [peer, timer] of this.#timers) {
      clearTimeout(timer);
      this.#look(peer);
    }
  }

  #look(peer: WatchedPeer): void {
    this.#timers.delete(peer);
    const looking = peer.look().catch(this.#onError);
    this.#looking.add(looking);
    void looking.then(() => {
      this.#looking.delete(looking);
      if (this.#isStopped) return;
      const isLookedAt = performance.now() - this.#askedAt <= LOOKING_MS;
      this.#timers.set(
        peer,
        setTimeout(() => this.#look(peer), isLookedAt ? LOOK_MS.looking : LOOK_MS.idle),
      );
    });
  }
}
