/** status.json in a data directory: where the peer is, written by `weft run`, read by `weft status`. */
import { readFile, stat } from "node:fs/promises";
import {
  dataDirectoryLayout,
  NodeError,
  networkId,
  type PeerEvent,
  type PeerView,
  type PeerStatus as RunningStatus,
  restingView,
  UNSEEN_PEER,
  writeFileAtomic,
} from "../node/index.ts";

/** The contents of status.json. */
export interface PeerStatus {
  readonly schema: "weft-status/1";
  /** Network id. */
  readonly network: string;
  /** Number of rounds of the network. */
  readonly rounds: number;
  /** The process that wrote this. */
  readonly process: number;
  /** Whether that process has ended in an orderly way. */
  readonly ended: boolean;
  /** What ended it out of order, for people; absent where nothing did. */
  readonly failure?: string;
  /** ISO 8601. */
  readonly updatedAt: string;
  /** With the newest rounds only. */
  readonly view: PeerView;
}

/** Keeps the file as the peer is. */
export interface StatusWriter {
  /** The peer has just told this event; the file follows soon. */
  note(event: PeerEvent): void;
  /** Write the last state, where there is any, and what ended the peer where it failed. Idempotent. */
  end(failure?: string): Promise<void>;
}

/** Steps and gossip come many a second, rounds may too; the file is for people. */
const WRITE_INTERVAL_MS = 1_000;
/** Of the rounds, the newest are written: a peer of a thousand rounds has a file no longer than one of twenty. */
const ROUNDS_MAX = 20;

/**
 * status: of the running peer.  onError: told when the file cannot be written, once until it can be again or the reason is
 * another one; the peer itself goes on.
 */
export function createStatusWriter(options: {
  readonly dataDirectory: string;
  readonly status: () => RunningStatus | undefined;
  readonly onError: (error: unknown) => void;
  /** Told when the directory's key was there and is not any more: somebody has taken it away, and nothing is written there then. */
  readonly onGone?: () => void;
}): StatusWriter {
  const { status: path, key } = dataDirectoryLayout(options.dataDirectory);
  let hasStarted = false;
  let hasKey = false;
  let timer: NodeJS.Timeout | undefined;
  let writtenAt = Number.NEGATIVE_INFINITY;
  let writing = Promise.resolve();
  let saidLast: string | undefined;
  const fail = (error: unknown): void => {
    const said = String(error);
    if (said !== saidLast) options.onError(error);
    saidLast = said;
  };
  const write = (ended: boolean, failure?: string): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    writtenAt = performance.now();
    // One after the other, so that an older state never replaces a newer one.
    writing = writing
      .then(async () => {
        const isKeyThere = await isThere(key);
        hasKey ||= isKeyThere;
        if (hasKey && !isKeyThere) options.onGone?.();
        else await writeStatus(path, options.status(), { ended, failure });
        saidLast = undefined;
      })
      .catch(fail);
    return writing;
  };
  return {
    note: ({ type }) => {
      hasStarted ||= type === "started";
      const isWorthIt = type === "started" || type === "round" || type === "finished";
      const pauseMs = isWorthIt ? writtenAt + WRITE_INTERVAL_MS - performance.now() : WRITE_INTERVAL_MS;
      if (pauseMs <= 0) void write(false);
      else timer ??= setTimeout(() => void write(false), pauseMs);
    },
    end: async (failure) => {
      clearTimeout(timer);
      if (hasStarted) await write(true, failure);
    },
  };
}

/** What cannot be looked at for another reason may be there. */
async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ENOENT";
  }
}

async function writeStatus(
  path: string,
  running: RunningStatus | undefined,
  { ended, failure }: { readonly ended: boolean; readonly failure: string | undefined },
): Promise<void> {
  if (running === undefined) return;
  const { manifest, view } = running;
  const status: PeerStatus = {
    schema: "weft-status/1",
    network: networkId(manifest),
    rounds: manifest.rounds.count,
    process: process.pid,
    ended,
    ...(failure !== undefined && { failure }),
    updatedAt: new Date().toISOString(),
    view: bounded(ended ? restingView(view) : view),
  };
  await writeFileAtomic(path, new TextEncoder().encode(`${JSON.stringify(status)}\n`));
}

function bounded(view: PeerView): PeerView {
  const { report } = view;
  return {
    ...view,
    rounds: view.rounds.slice(-ROUNDS_MAX),
    ...(report && { report: { ...report, rounds: report.rounds.slice(-ROUNDS_MAX) } }),
  };
}

/** The status in a data directory.  Throws: NodeError DATA_DIRECTORY when there is none or it is not readable. */
export async function readStatus(dataDirectory: string): Promise<PeerStatus> {
  const path = dataDirectoryLayout(dataDirectory).status;
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const text =
      code === "ENOENT"
        ? `no peer has run in ${dataDirectory} yet; start one with weft run, or name another --data-dir`
        : `cannot read ${path} (${code}); name another --data-dir`;
    throw new NodeError("DATA_DIRECTORY", text, { path }, { cause });
  }
  try {
    const status = JSON.parse(text) as PeerStatus;
    // What an earlier version did not write yet is as of a peer of which nothing is known.
    if (status.schema === "weft-status/1") {
      const view = { ...UNSEEN_PEER, ...status.view };
      const isWhole = Object.entries(UNSEEN_PEER).every(([name, value]) => isAlike(value, Reflect.get(view, name)));
      if (!isWhole) throw new TypeError("the view has other values than a peer writes");
      return { ...status, view };
    }
  } catch (cause) {
    throw damaged(path, cause);
  }
  throw new NodeError("DATA_DIRECTORY", `${path} was written by another version of weft; run that one`, { path });
}

const damaged = (path: string, cause: unknown): NodeError =>
  new NodeError("DATA_DIRECTORY", `${path} is damaged; weft run writes it anew`, { path }, { cause });

/** Whether a value is of the kind that another one is; where there is none, anything may be. */
function isAlike(known: unknown, value: unknown): boolean {
  if (known === undefined || known === null) return true;
  return typeof known === typeof value && value !== null && Array.isArray(known) === Array.isArray(value);
}

/** Make something of what a status file says, deeper than reading it looks.  Throws: NodeError DATA_DIRECTORY. */
export function fromStatusFile<T>(dataDirectory: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    throw damaged(dataDirectoryLayout(dataDirectory).status, error);
  }
}

/** Whether the process that wrote a status still runs. */
export function isRunning({ ended, process: id }: PeerStatus): boolean {
  if (ended) return false;
  try {
    process.kill(id, 0);
    return true;
  } catch (error) {
    // EPERM: it is there and belongs to another user.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
