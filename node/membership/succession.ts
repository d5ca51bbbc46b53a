/**
 * How a peer hears that its network goes on under another manifest, comes by that manifest, and tells those who wait for it. Which
 * one it goes over to, and when, is for migration.ts to say.
 */
import { type NetworkManifest, networkId } from "../../protocol/network-manifest.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import type { Background } from "../exchange/background.ts";
import type { RosterEvent } from "../interface/roster-event.ts";
import type { Migration } from "./migration.ts";
import type { RosterStore } from "./roster-store.ts";

/** What it knows of, and whom it asks and tells. */
export interface SuccessionDependencies {
  readonly roster: Pick<RosterStore, "log">;
  readonly migration: Migration;
  readonly background: Background;
  /** Members that are connected now. */
  readonly present: () => readonly PeerId[];
  /** Ask a peer what it holds; resolves when it has answered or failed. */
  readonly ask: (peer: PeerId) => Promise<void>;
  /** What operators are told. */
  readonly tell: (event: RosterEvent) => void;
}

/** The successions of one network, as one peer comes to know them. */
export class Succession {
  readonly #dependencies: SuccessionDependencies;
  readonly #listeners: (() => void)[] = [];

  constructor(dependencies: SuccessionDependencies) {
    this.#dependencies = dependencies;
    dependencies.migration.onHeld(() => {
      this.#tell();
      this.#changed();
    });
  }

  /** Call when what the migration says may have changed. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** The roster is another one, or somebody's time has come.  isAgreed: whether it has agreed to another manifest. */
  review({ isAgreed }: { readonly isAgreed: boolean }): void {
    if (isAgreed) this.#tell();
    this.#changed();
    this.fetchMissing(this.#dependencies.present());
  }

  /** Somebody is not connected any more. */
  leave(peer: PeerId): void {
    this.#dependencies.migration.leave(peer);
    this.#changed();
  }

  /** Ask some peers for a manifest that was agreed to and is not here. */
  fetchMissing(from: readonly PeerId[]): void {
    const { background, migration } = this.#dependencies;
    if (!migration.isMissing()) return;
    void background.run("fetching a manifest", (signal) => migration.fetch(from, signal));
  }

  /** A peer greets from another network of the same roster; resolves when the connection is needed no more. */
  async meetElsewhere(peer: PeerId, manifest: NetworkManifest): Promise<void> {
    const { background, migration, ask } = this.#dependencies;
    const theirs = networkId(manifest);
    migration.meet(peer, theirs);
    await ask(peer);
    await background.run("fetching a manifest", (signal) => migration.fetch([peer], signal));
    this.#changed();
    // It is the other one that has to go on, and hangs up when it has what it needs.
    if (migration.isBehind(theirs)) await new Promise(() => {});
  }

  #tell(): void {
    const { roster, migration, tell } = this.#dependencies;
    const agreed = roster.log.state().succession;
    if (agreed === undefined) return;
    const { network, round } = agreed;
    tell({ type: "succession", network, round, isHeld: migration.manifestOf(network) !== undefined });
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
