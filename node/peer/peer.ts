/**
 * A peer for as long as somebody wants it to run: one object that lives through all manifests of its network. It keeps the
 * network's file, goes over to the next manifest when the members have agreed to one, and where it lacks that one's model it
 * observes until the model has come.
 */
import type { Genesis } from "../../protocol/membership/genesis.ts";
import { type NetworkManifest, networkId } from "../../protocol/network-manifest.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import type { PeerEvent, PeerReport } from "../interface/peer-event.ts";
import type { ModelSearch } from "../manifest/model-search.ts";
import { COMMAND_WAIT_MS } from "../system/files/lock-file.ts";
import type { Chapter, ChapterOptions } from "./chapter.ts";
import { networkOf } from "./network-file.ts";
import type { PeerDesk } from "./peer-desk.ts";
import type { PeerOptions } from "./peer-options.ts";
import { foldPeerEvent, type PeerView, UNSEEN_PEER } from "./peer-view.ts";
import type { PeerNews, SessionEvent } from "./session-event.ts";

/** Where a peer is. */
export interface PeerStatus {
  /** What it trains under at the moment. */
  readonly manifest: NetworkManifest;
  /** What its events under this manifest come to. */
  readonly view: PeerView;
}

/** A peer as a program runs it. */
export interface Peer {
  /**
   * Begin; resolves when it listens and its model is loaded. Idempotent; nothing happens once it was stopped.
   * Throws: MANIFEST_INVALID, MODEL_MISMATCH, DATA_LOCKED, KEY_FILE, PORT_IN_USE and others, one line each; nothing is left
   * running then.
   */
  start(): Promise<void>;
  /** Finish the running steps, save, say goodbye. Idempotent; throws nothing, `done` has what went wrong. */
  stop(): Promise<void>;
  /** Hear everything from now on; the listener must not throw.  Returns what ends that. */
  events(listener: (event: PeerNews) => void): () => void;
  /** Where it is; undefined until it has found its network. */
  status(): PeerStatus | undefined;
  /** What people may look at and do; undefined while it is under no manifest: before its start, between two, after its end. */
  desk(): PeerDesk | undefined;
  /** Whether it is to stand still. */
  readonly isPaused: boolean;
  /** Finish the running steps and begin nothing new, under no manifest; others are heard and served. Idempotent. */
  pause(): void;
  /** Go on. Idempotent. */
  resume(): void;
  /** Refuse these peers, and no others, until told otherwise, under every manifest: a partition of a test network. Idempotent. */
  cutOff(peers: readonly PeerId[]): void;
  /**
   * When nothing is left to do: the report of the last manifest, undefined when stopped before its last round. Rejects when
   * the peer cannot start or cannot go on.
   */
  readonly done: Promise<PeerReport | undefined>;
}

/**
 * A peer that is about to run in a data directory.
 *
 * @example
 * const peer = createPeer({ dataDirectory: "alice", network: "network.json", data: { file: "alice.jsonl" } });
 * peer.events((event) => console.log(event.type));
 * await peer.start();
 * const report = await peer.done;
 */
export function createPeer(options: PeerOptions): Peer {
  return new Session(options);
}

/** How the peer under one manifest comes to its end. */
type Ending =
  | { readonly kind: "stopped" }
  | { readonly kind: "finished"; readonly report: PeerReport }
  | { readonly kind: "left behind"; readonly manifests: readonly NetworkManifest[] }
  | { readonly kind: "model found" };

class Session implements Peer {
  readonly #options: PeerOptions;
  readonly #listeners = new Set<(event: PeerNews) => void>();
  readonly #done = Promise.withResolvers<PeerReport | undefined>();
  readonly #stopping = Promise.withResolvers<void>();
  /** Ends a start that is under way. */
  readonly #aborting = new AbortController();
  #isStopped = false;
  #starting: Promise<void> | undefined;
  #status: PeerStatus | undefined;
  #desk: PeerDesk | undefined;
  #isPaused = false;
  #cutOff: readonly PeerId[] = [];

  constructor(options: PeerOptions) {
    this.#options = options;
    // Nobody may be waiting for the end when it comes.
    this.done.catch(() => undefined);
  }

  get done(): Promise<PeerReport | undefined> {
    return this.#done.promise;
  }

  events(listener: (event: PeerNews) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  status(): PeerStatus | undefined {
    return this.#status;
  }

  desk(): PeerDesk | undefined {
    return this.#desk;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  pause(): void {
    this.#isPaused = true;
    this.#desk?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#desk?.resume();
  }

  cutOff(peers: readonly PeerId[]): void {
    this.#cutOff = [...peers];
    this.#desk?.cutOff(peers);
  }

  start(): Promise<void> {
    this.#starting ??= this.#isStopped ? Promise.resolve() : this.#start();
    return this.#starting;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#stopping.resolve();
    this.#aborting.abort(new Error("the peer is to stop"));
    if (this.#starting === undefined) this.#done.resolve(undefined);
    await this.done.catch(() => undefined);
  }

  async #start(): Promise<void> {
    try {
      const { network, dataDirectory, startWhen, digests } = this.#options;
      const { enterNetwork } = await import("./enter-network.ts");
      const genesis = await enterNetwork(network, dataDirectory);
      // Until now the directory was nobody's or this peer's: whoever has it open is another peer.
      const first = await this.#open(genesis, { lockWaitMs: 0, startWhen, digests });
      this.#done.resolve(this.#live(first));
    } catch (error) {
      if (this.#isAbort(error)) return this.#done.resolve(undefined);
      this.#done.reject(error);
      throw error;
    }
  }

  #isAbort(error: unknown): boolean {
    return this.#isStopped && error === this.#aborting.signal.reason;
  }

  /** From manifest to manifest, until nothing is left to do. */
  async #live(first: Chapter): Promise<PeerReport | undefined> {
    for (let chapter = first; ; ) {
      try {
        const ending = await this.#endOf(chapter);
        if (ending.kind === "stopped") return undefined;
        if (ending.kind === "finished") {
          const next = await this.#afterLastRound(chapter);
          if (next === undefined) return ending.report;
          await this.#goOver(chapter, next);
        } else {
          this.#tell({ type: "session", step: ending.kind });
          if (ending.kind === "left behind") await this.#goOver(chapter, ending.manifests);
        }
      } finally {
        this.#desk = undefined;
        await chapter.peer.stop();
      }
      const kept = await networkOf(undefined, this.#options.dataDirectory);
      // Whoever has the directory open by now is a command, which ends soon.
      const next = { lockWaitMs: COMMAND_WAIT_MS, digests: chapter.digests };
      try {
        chapter = await this.#open(kept, next);
      } catch (error) {
        if (this.#isAbort(error)) return undefined;
        throw error;
      }
    }
  }

  /** A peer under the manifest of this network. */
  async #open(genesis: Genesis, options: Omit<ChapterOptions, "stopping" | "onEvent">): Promise<Chapter> {
    const { openChapter } = await import("./chapter.ts");
    // Before the first event under this manifest, which is folded into it.
    this.#status = { manifest: genesis.manifest, view: UNSEEN_PEER };
    const chapter = await openChapter(this.#options, genesis, {
      ...options,
      stopping: this.#aborting.signal,
      onEvent: (event) => this.#tell(event),
    });
    this.#desk = chapter.peer.desk;
    if (this.#isPaused) this.#desk.pause();
    if (this.#cutOff.length > 0) this.#desk.cutOff(this.#cutOff);
    return chapter;
  }

  async #endOf(chapter: Chapter): Promise<Ending> {
    const { peer, lacks } = chapter;
    const waiting = new AbortController();
    const endings: Promise<Ending>[] = [
      peer.done.then((report) => (report ? { kind: "finished", report } : { kind: "stopped" })),
      this.#stopping.promise.then(() => ({ kind: "stopped" })),
      peer.goesOver.then((manifests) => ({ kind: "left behind", manifests })),
    ];
    if (lacks !== undefined) {
      const { modelOfChapter } = await import("./chapter.ts");
      const onReminder = (still: ModelSearch): void => this.#tell({ type: "observing", ...still });
      const found = modelOfChapter(chapter, { onReminder, signal: waiting.signal });
      endings.push(found.then(() => ({ kind: "model found" })));
    }
    try {
      return await Promise.race(endings);
    } finally {
      waiting.abort();
    }
  }

  /** The manifests to go on under after the last round; undefined: none, or stopped while it served. */
  async #afterLastRound({ peer }: Chapter): Promise<readonly NetworkManifest[] | undefined> {
    const next = peer.successor();
    if (next !== undefined) return [next.manifest];
    if (this.#options.serve !== true) return undefined;
    this.#tell({ type: "session", step: "serves" });
    return (await Promise.race([this.#stopping.promise, peer.goesOver])) ?? undefined;
  }

  async #goOver(chapter: Chapter, manifests: readonly NetworkManifest[]): Promise<void> {
    await chapter.peer.stop();
    const { switchThrough } = await import("./enter-network.ts");
    const { dataDirectory, logLevel = "warn" } = this.#options;
    await switchThrough(dataDirectory, chapter, manifests, {
      logLevel,
      onSwitch: (next) => {
        const round = next.succeeds?.round ?? 0;
        this.#tell({ type: "session", step: "goes on", network: networkId(next), round });
      },
    });
  }

  #tell(event: PeerEvent | SessionEvent): void {
    if (event.type !== "session" && this.#status !== undefined) {
      this.#status = { ...this.#status, view: foldPeerEvent(this.#status.view, event) };
    }
    for (const listener of this.#listeners) listener(event);
  }
}
