/** Real peers in the hosts of a test: the network that they are in, and their processes. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PeerEvent } from "../node/interface/peer-event.ts";
import { createNetwork } from "../node/manifest/create-network.ts";
import { embeddedModelDirectory } from "../node/system/files/embedded-model.ts";
import { type PeerProcess, startPeerProcess } from "./peer-process.ts";

/** The `weft` command. */
export const COMMAND = join(import.meta.dirname, "..", "cli", "weft.js");

/** Peers of one test, each with a data directory of its name. */
export class HostPeers {
  readonly folder: string;
  readonly #processes: PeerProcess[] = [];

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async create(rounds: number): Promise<HostPeers> {
    const folder = await mkdtemp(join(tmpdir(), "weft-hosts-"));
    const manifest = createNetwork({
      name: "several hosts",
      modelDirectory: embeddedModelDirectory(),
      adapter: { kind: "loreft", rank: 2, layers: [0], positions: { first: 2, last: 2, tied: true } },
      seed: 1,
      rounds: { count: rounds, localSteps: 4 },
      aggregation: { lambda: { mode: "fixed", value: 0.5 } },
    });
    await writeFile(join(folder, "network.json"), JSON.stringify(manifest));
    return new HostPeers(folder);
  }

  /** launcher: the words that run a command on its host. */
  start(name: string, launcher: readonly string[], part: number, flags: readonly string[]): HostPeer {
    const events: PeerEvent[] = [];
    const process = startPeerProcess({
      ...{ command: COMMAND, launcher, onEvent: (event) => events.push(event) },
      arguments: [
        ...["run", "--events", "--serve", "--hold", "--threads", "1", "--data", "embedded", "--part", `${part}/4`],
        ...["--network", join(this.folder, "network.json"), "--data-dir", join(this.folder, name), ...flags],
      ],
    });
    this.#processes.push(process);
    return new HostPeer(process, events);
  }

  async remove(): Promise<void> {
    await Promise.all(this.#processes.splice(0).map((process) => process.stop(5_000)));
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** A peer that was started. */
export class HostPeer {
  readonly process: PeerProcess;
  readonly #events: readonly PeerEvent[];

  constructor(process: PeerProcess, events: readonly PeerEvent[]) {
    this.process = process;
    this.#events = events;
  }

  of<T extends PeerEvent["type"]>(type: T): readonly Extract<PeerEvent, { type: T }>[] {
    return this.#events.filter((event): event is Extract<PeerEvent, { type: T }> => event.type === type);
  }

  neighbours(): number {
    return this.of("neighbours").at(-1)?.connected ?? 0;
  }

  /** The first of its addresses that has such a text in it. */
  addressWith(text: string): string | undefined {
    return this.of("started")[0]?.addresses.find((address) => address.includes(text));
  }

  acceptedFrom(other: HostPeer): readonly PeerEvent[] {
    const author = other.of("started")[0]?.peer;
    return this.of("update").filter(({ from, verdict }) => verdict === "accept" && from === author);
  }
}
