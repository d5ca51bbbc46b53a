/** The page of all peers of a swarm that stays: served by a process of its own, or by the command that a person looks at. */
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import {
  adminClientDoor,
  adminDoor,
  ensureFolder,
  isProcessRunning,
  NodeError,
  type ServedAdmin,
  systemCode,
} from "../../node/index.ts";
import { lastWords, startDetached, stopProcess } from "./detached-process.ts";
import { STOP_GRACE_MS } from "./start-swarm.ts";
import { findSwarm, readSwarm, type SwarmFile, type SwarmProcess } from "./swarm-file.ts";
import { SwarmWatch } from "./watch-swarm.ts";

/** Where a page keeps its token, and says where it is. */
export function pageFolder(folder: string): string {
  return join(folder, "page");
}

/** How often is looked whether a page answers, and whether its swarm is over. */
const LOOK_MS = 200;

/** How to serve a page. */
export interface PageOptions {
  /** Of the swarm. */
  readonly folder: string;
  /** 0: any. */
  readonly port: number;
  readonly signal: AbortSignal;
}

/**
 * Serve the page until the signal is aborted or the swarm is over.  onServed: told where it is.  onError: told of faults.
 * Throws: NodeError DATA_DIRECTORY where there is no swarm, PORT_IN_USE, LISTEN_FAILED, KEY_FILE, DISK_FULL.
 */
export async function runPage(
  { folder, port, signal }: PageOptions,
  more: {
    readonly version: string;
    readonly onServed: (served: ServedAdmin) => void;
    readonly onError: (error: unknown) => void;
  },
): Promise<void> {
  const { peers } = await readSwarm(folder);
  const page = await servePage(folder, { ...more, port, peers: peers.length });
  try {
    more.onServed(page.served);
    while (!signal.aborted && (await findSwarm(folder)) !== undefined) {
      await delay(LOOK_MS, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    await page.close();
  }
}

/** A page that is served by this process. */
export interface ServedPage {
  readonly served: ServedAdmin;
  /** Idempotent. */
  close(): Promise<void>;
}

/** Look at so many peers of a folder, and serve what is seen.  Throws: as runPage. */
export async function servePage(
  folder: string,
  options: {
    readonly peers: number;
    readonly port: number;
    readonly version: string;
    readonly onError: (error: unknown) => void;
  },
): Promise<ServedPage> {
  // Said of the page, and not of the interface that it is a part of.
  await refuseTakenPort(options.port);
  const watch = new SwarmWatch(folder, options);
  const { serveSwarmPage } = await adminDoor();
  const served = await serveSwarmPage(watch, { ...options, folder: pageFolder(folder) });
  watch.start();
  return {
    served,
    close: async () => {
      await served.close();
      await watch.stop();
    },
  };
}

/** Better before the peers than after them: whether a port is free.  Throws: NodeError PORT_IN_USE, LISTEN_FAILED. */
export async function refuseTakenPort(port: number): Promise<void> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject).listen({ host: "127.0.0.1", port }, resolve);
    });
  } catch (cause) {
    const code = systemCode(cause) ?? "unknown error";
    const text = `the page cannot listen at port ${port} (${code})`;
    if (code !== "EADDRINUSE") throw new NodeError("LISTEN_FAILED", text, { port }, { cause });
    throw new NodeError("PORT_IN_USE", text, { port, problem: "page-port-taken" }, { cause });
  } finally {
    server.close();
  }
}

/**
 * Start a process that serves the page when this one is gone.  command: a JavaScript file.  words: what it is given to serve it.
 * Throws: NodeError PEER_FAILED with what it said; the signal's reason. Nothing is left running then.
 */
export async function startPage(
  { folder, signal }: Omit<PageOptions, "port">,
  { command, words }: { readonly command: string; readonly words: readonly string[] },
): Promise<{ readonly page: SwarmProcess; readonly served: ServedAdmin }> {
  await ensureFolder(pageFolder(folder), { mode: 0o700 });
  const printed = join(folder, "page.log");
  const page = await startDetached(command, { words, printed });
  try {
    for (;;) {
      signal.throwIfAborted();
      const served = await pageOf(folder, { page });
      if (served !== undefined) return { page, served };
      if (!(await isProcessRunning(page.mark))) {
        throw new NodeError("PEER_FAILED", `the page is not served: ${await lastWords(printed)}`);
      }
      await delay(LOOK_MS, undefined, { signal });
    }
  } catch (error) {
    await stopProcess(page, STOP_GRACE_MS);
    throw error;
  }
}

/** Where the page of a swarm is; undefined where its process has none that answers. */
export async function pageOf(folder: string, { page }: Pick<SwarmFile, "page">): Promise<ServedAdmin | undefined> {
  if (page === undefined || !(await isProcessRunning(page.mark))) return undefined;
  const { adminUrl, askAdmin, findAdmin, tokenFileOf } = await adminClientDoor();
  try {
    const found = await findAdmin(pageFolder(folder));
    if (found === undefined || found.address.kind !== "port") return undefined;
    await askAdmin("/v1/swarm", found);
    return { place: adminUrl(found.address), token: found.token, tokenFile: tokenFileOf(pageFolder(folder)) };
  } catch (error) {
    if (error instanceof NodeError) return undefined;
    throw error;
  }
}
