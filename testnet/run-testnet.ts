/** Many peers on one machine: one process each, real libp2p over loopback, nobody in charge once they run. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import {
  ensureFolder,
  fileError,
  foldPeerEvent,
  NodeError,
  type PeerView,
  systemCode,
  UNSEEN_PEER,
  writeFileAtomic,
} from "../node/index.ts";
import { type NetworkManifest, networkId } from "../protocol/network-manifest.ts";
import { optionArguments } from "../protocol/settings/field-words.ts";
import { type PeerSettings, peerArguments } from "./peer-arguments.ts";
import { type PeerProcess, startPeerProcess } from "./peer-process.ts";
import type { PeerExit, TestnetObserver, TestnetPeer, TestnetResult } from "./words/result.ts";

/** The network, its peers, and who watches. */
export interface TestnetOptions extends PeerSettings {
  readonly manifest: NetworkManifest;
  /** The JavaScript file that is the `weft` command. */
  readonly command: string;
  /** Stops all peers cleanly; what they reached is in the result. */
  readonly signal: AbortSignal;
  readonly observer?: TestnetObserver;
  /** Whether the peers can be asked by their admin interfaces. */
  readonly isAsked?: boolean;
}

/** What the peers of a testnet do besides; their events say all that it asks of them. */
const RUN_SO = { events: true, hold: true, serve: true, compareAlone: true } as const;

/** Peers that a new one dials first: more than one, so that no single peer has to be there. */
const BOOTSTRAP_PEERS = 3;

/** A checkpoint and the goodbye to the neighbours take well under a second; then patience ends. */
const STOP_GRACE_MS = 15_000;

/** Loopback connects in milliseconds; a peer that finds nobody for so long shall not keep the others waiting. */
const CONNECT_MS = 10_000;

/**
 * Start the peers, the first one alone and then in growing groups, each dialling some that run already. Once all are
 * connected they begin their first round together: who starts earlier is no better off. Wait until every one has
 * finished or died; stop them. Nothing is restarted.
 * Throws: NodeError PEER_FAILED when the first peer does not even start; DATA_DIRECTORY, DISK_FULL.
 */
export async function runTestnet(options: TestnetOptions): Promise<TestnetResult> {
  const { manifest, folder, signal } = options;
  const startedAt = new Date();
  const begin = performance.now();
  await refuseUsedFolder(folder);
  await ensureFolder(folder);
  const manifestText = `${JSON.stringify(manifest, null, 2)}\n`;
  await writeFileAtomic(join(folder, "network.json"), new TextEncoder().encode(manifestText));

  const members: Member[] = [];
  const killAll = (): void => {
    for (const member of members) member.process.kill();
  };
  process.once("exit", killAll);
  try {
    for (const group of startGroups(options.peers)) {
      if (signal.aborted) break;
      const bootstrap = reachable(members);
      const started = group.map((index) => startMember(index, bootstrap, options));
      members.push(...started);
      await Promise.race([Promise.all(started.map((member) => member.started)), aborted(signal)]);
      refuseStillborn(members, signal);
    }
    await Promise.race([
      Promise.all(members.map((member) => member.connected)),
      delay(CONNECT_MS, undefined, { ref: false }),
      aborted(signal),
    ]);
    for (const member of members) member.process.begin();
    await Promise.race([Promise.all(members.map((member) => member.done)), aborted(signal)]);
  } finally {
    await Promise.all(members.map((member) => member.stop()));
    process.off("exit", killAll);
  }
  return {
    network: networkId(manifest),
    manifest,
    data: describeData(options),
    peers: members.map((member) => member.peer()),
    startedAt: startedAt.toISOString(),
    seconds: (performance.now() - begin) / 1000,
    interrupted: signal.aborted,
  };
}

/**
 * Peers go on from their checkpoints: those of an earlier run would give its results under the name of this one.
 * Throws: NodeError DATA_DIRECTORY when the folder holds any.
 */
export async function refuseUsedFolder(folder: string): Promise<void> {
  const peers = (await namesIn(folder)).filter((name) => /^peer-\d+$/.test(name));
  for (const peer of peers.sort()) {
    const checkpoints = join(folder, peer, "checkpoints");
    if ((await namesIn(checkpoints)).length === 0) continue;
    const text = `${checkpoints} holds checkpoints of an earlier run`;
    throw new NodeError("DATA_DIRECTORY", text, { folder, peer, problem: "earlier-run" });
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw fileError(error, folder);
  }
}

/** Indices by starting group: 0; 1 and 2; all others. Every group can dial those before it. */
export function startGroups(peers: number): number[][] {
  const indices = Array.from({ length: peers }, (_, index) => index);
  return [indices.slice(0, 1), indices.slice(1, BOOTSTRAP_PEERS), indices.slice(BOOTSTRAP_PEERS)].filter(
    (group) => group.length > 0,
  );
}

interface Member {
  readonly process: PeerProcess;
  /** Resolves when the peer listens or its process has ended. */
  readonly started: Promise<void>;
  /** Resolves when the peer has a neighbour (a single one needs none) or its process has ended. */
  readonly connected: Promise<void>;
  /** Resolves when the peer has finished or its process has ended. */
  readonly done: Promise<void>;
  peer(): TestnetPeer;
  stop(): Promise<void>;
}

function startMember(index: number, bootstrap: readonly string[], options: TestnetOptions): Member {
  const { observer } = options;
  const name = `peer ${index + 1}`;
  let view: PeerView = UNSEEN_PEER;
  let exit: PeerExit | undefined;
  let stopping = false;
  const started = Promise.withResolvers<void>();
  const connected = Promise.withResolvers<void>();
  const done = Promise.withResolvers<void>();
  const peer = (): TestnetPeer => ({ name, view, ...(exit && { exit }) });
  const process = startPeerProcess({
    command: options.command,
    arguments: [
      ...peerArguments(index, options, { ...RUN_SO, ...(options.isAsked !== true && { admin: "off" }) }),
      ...optionArguments({ bootstrap }),
    ],
    onEvent: (event) => {
      view = foldPeerEvent(view, event);
      if (event.type === "started") started.resolve();
      if (view.neighbours > 0 || options.peers === 1) connected.resolve();
      if (event.type === "finished") done.resolve();
      observer?.onEvent(peer(), event);
    },
  });
  void process.ended.then((how) => {
    if (!stopping && !view.report) {
      exit = how;
      // A first peer that does not even start ends the run; its words are in the error then.
      const isStillborn = index === 0 && view.peer === undefined;
      view = { ...view, state: "stopped" };
      if (!isStillborn) observer?.onExit(peer());
    }
    for (const state of [started, connected, done]) state.resolve();
  });
  return {
    process,
    started: started.promise,
    connected: connected.promise,
    done: done.promise,
    peer,
    stop: async () => {
      stopping = true;
      await process.stop(STOP_GRACE_MS);
    },
  };
}

/** One address of each of the first peers that run. */
function reachable(members: readonly Member[]): string[] {
  return members
    .map((member) => member.peer())
    .filter((peer) => peer.exit === undefined)
    .flatMap(({ view }) => view.addresses.slice(0, 1))
    .slice(0, BOOTSTRAP_PEERS);
}

/** What keeps the first peer from starting (a wrong file, say) keeps them all: say it once, and stop. */
function refuseStillborn(members: readonly Member[], signal: AbortSignal): void {
  const first = members[0]?.peer();
  if (signal.aborted || first?.exit === undefined || first.view.peer !== undefined) return;
  const { code, signal: by, lastLines } = first.exit;
  const said = lastLines.findLast((line) => line.startsWith("weft: "))?.slice("weft: ".length);
  const text = said ?? [`ended with ${by ?? `code ${code}`}`, ...lastLines].join("\n  ");
  throw new NodeError("PEER_FAILED", `${first.name} did not start: ${text}`, { code, signal: by });
}

function describeData({ data }: TestnetOptions): string {
  if (data === undefined) return "embedded tasks";
  return data.split === undefined ? data.file : `${data.file}, split by ${data.split}`;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
