/**
 * Acting on a network's roster from outside of the running peer: through its admin interface where one runs in the data
 * directory, and otherwise on its files. Either way the answer is the same, and what was signed reaches the others as soon as the peer is
 * connected to one of them.
 */
import type { Genesis } from "../../protocol/membership/genesis.ts";
import { createInvite, INVITE_SECRET_BYTES, type InviteTerms, inviteText } from "../../protocol/membership/invite.ts";
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import { findAdmin } from "../admin/find-admin.ts";
import { signerIn } from "../data-directory/key.ts";
import { dataDirectoryLayout } from "../data-directory/layout.ts";
import { openLife } from "../data-directory/life.ts";
import { openPeerDirectory } from "../data-directory/open.ts";
import { NODE_ERROR_CODES, NodeError, type NodeErrorCode, PROBLEMS } from "../errors.ts";
import { createMembership } from "../membership/membership.ts";
import {
  actOnRoster,
  type RosterAction,
  type RosterAnswer,
  type RosterDeskDependencies,
} from "../membership/roster-desk.ts";
import { isHeldHere } from "../system/files/lock-file.ts";
import { askThroughRequestInbox } from "../system/files/request-inbox.ts";
import { type AdminClientOptions, askAdmin } from "../system/http/admin-client.ts";
import { createOfflineTransport } from "../system/network/offline-transport.ts";
import { createNativeVerifier } from "../system/platform/ed25519.ts";
import { createLogger } from "../system/platform/log.ts";
import { createSecureRandom } from "../system/platform/secure-random.ts";
import { createSystemClock } from "../system/platform/system-clock.ts";

/** Whose roster to act on. */
export interface OperatorOptions {
  readonly dataDirectory: string;
  /** Of the roster's first network. */
  readonly genesis: Genesis;
  /** What the network of the data directory goes on under by now; the genesis' manifest when absent. */
  readonly manifest?: NetworkManifest;
  /** How long a running peer may take to answer; default 15 s. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

const TIMEOUT_MS = 15_000;
/** A peer that answers through its folder takes a moment; one that ends meanwhile never does, and then its files are free. */
const INBOX_MS = 5_000;
/** Between two tries. */
const LOOK_MS = 100;

/**
 * Do one thing on the roster of a data directory, and see what came of it. A peer may start or end meanwhile: then whoever has
 * the roster by that time does it. Everything that can be done here may be done twice, with the same end.
 * Throws: NodeError NOT_ALLOWED, KEY_FILE, TIMEOUT, STORE_FAILED, DISK_FULL; ProtocolError where the peer does not run.
 */
export async function operate(action: RosterAction, options: OperatorOptions): Promise<RosterAnswer> {
  return await withRoster(options, {
    ofFiles: () => withFiles(options, (desk) => actOnRoster(desk, action)),
    ofPeer: (timeoutMs) => askRunningPeer(action, { ...options, timeoutMs }),
  });
}

/**
 * Use the files of a data directory, or the peer that has them open, whichever of the two it is by then.
 * Throws: what the two throw; TIMEOUT where neither could be used.
 */
export async function withRoster<T>(
  { dataDirectory, signal, timeoutMs = TIMEOUT_MS }: OperatorOptions,
  { ofFiles, ofPeer }: { readonly ofFiles: () => Promise<T>; readonly ofPeer: (timeoutMs: number) => Promise<T> },
): Promise<T> {
  for (const until = performance.now() + timeoutMs; ; ) {
    signal?.throwIfAborted();
    // Without its admin interface a peer may run all the same, and says so by its lock.
    if ((await adminIn(dataDirectory)) === undefined) {
      try {
        return await ofFiles();
      } catch (error) {
        if (!isHeldHere(error)) throw error;
      }
    }
    const leftMs = until - performance.now();
    try {
      return await ofPeer(Math.max(1, Math.min(INBOX_MS, leftMs)));
    } catch (cause) {
      if (!isGone(cause)) throw cause;
      if (leftMs <= INBOX_MS) {
        const text = `the running peer did not answer within ${timeoutMs / 1000} s; look at its log, or stop it and try again`;
        throw new NodeError("TIMEOUT", text, { dataDirectory }, { cause });
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }
}

/** Whether what was thrown says that nobody answered, as of a peer that starts or ends. */
const isGone = (error: unknown): boolean => error instanceof NodeError && error.code === "TIMEOUT";

/** Where the admin interface is that answers for a data directory; undefined where none does. */
async function adminIn(dataDirectory: string): Promise<AdminClientOptions | undefined> {
  const found = await findAdmin(dataDirectory);
  if (found === undefined) return undefined;
  try {
    await askAdmin("/liveness", { ...found, timeoutMs: INBOX_MS });
    return found;
  } catch (error) {
    // What a killed peer has left behind answers nobody.
    if (error instanceof NodeError && error.code === "PEER_FAILED") return undefined;
    throw error;
  }
}

/**
 * Have the running peer do it, by its admin interface, or by its folder of requests where it serves none.
 * Throws: NodeError, with the code of what it met; TIMEOUT.
 */
export async function askRunningPeer(action: RosterAction, options: OperatorOptions): Promise<RosterAnswer> {
  const { dataDirectory, signal = new AbortController().signal, timeoutMs = TIMEOUT_MS } = options;
  const found = await adminIn(dataDirectory);
  if (found !== undefined) return await askInterface(action, { ...found, timeoutMs: TIMEOUT_MS });
  const { requestInbox } = dataDirectoryLayout(dataDirectory);
  const result = await askThroughRequestInbox(requestInbox, action, { timeoutMs, signal });
  if ("answer" in result) return result.answer as RosterAnswer;
  const { code, message } = result.error;
  if (code === "PEER_FAILED") throw new NodeError("TIMEOUT", message, { code });
  const known = NODE_ERROR_CODES.find((one): one is NodeErrorCode => one === code);
  const problem = PROBLEMS.find((one) => one === result.error.problem);
  throw new NodeError(known ?? "NOT_ALLOWED", message, { code, ...(problem !== undefined && { problem }) });
}

/** Throws: NodeError, with the code of what the peer met; TIMEOUT where it is about to end, or between two manifests. */
async function askInterface(action: RosterAction, found: AdminClientOptions): Promise<RosterAnswer> {
  try {
    return (await askAdmin("/v1/roster", found, "POST", action)) as RosterAnswer;
  } catch (cause) {
    if (!(cause instanceof NodeError) || cause.code !== "PEER_FAILED") throw cause;
    throw new NodeError("TIMEOUT", cause.message, cause.facts, { cause });
  }
}

/**
 * The text of a new invite (`weft1…`) by this directory's peer, which must be an admin; nothing is kept of it.
 * Throws: NodeError NOT_ALLOWED, KEY_FILE; ProtocolError INVITE_INVALID; and as `operate`.
 */
export async function createInviteText(
  terms: Pick<InviteTerms, "role" | "uses" | "notAfter"> & { readonly addresses: readonly string[] },
  options: OperatorOptions,
): Promise<string> {
  const answer = await operate({ kind: "members" }, options);
  if (answer.kind !== "members") throw new TypeError(`an answer about ${answer.kind} to a question about members`);
  if (answer.self.role !== "admin") {
    const text = `only an admin invites; this peer is ${answer.self.role ?? "no member"}`;
    throw new NodeError("NOT_ALLOWED", text, { peer: answer.self.peer });
  }
  const signer = await signerIn(dataDirectoryLayout(options.dataDirectory).key);
  const secret = new Uint8Array(INVITE_SECRET_BYTES);
  createSecureRandom().fill(secret);
  return inviteText(createInvite({ ...terms, networkId: answer.network, secret }, signer));
}

async function withFiles<T>(
  { dataDirectory, genesis, manifest }: OperatorOptions,
  use: (desk: RosterDeskDependencies) => Promise<T>,
): Promise<T> {
  const { signer, directory } = await openPeerDirectory(dataDirectory, { key: "there" });
  try {
    const clock = createSystemClock();
    const logger = createLogger({ level: "warn", fields: { self: signer.peer } });
    const transport = createOfflineTransport(signer.peer);
    const store = await directory.store();
    const life = await openLife(directory.layout, store);
    const files = { store, mayBeOld: life.mayBeOld, onHeard: () => void life.begin() };
    const dependencies = { transport, ...files, clock, logger, signer, verify: createNativeVerifier() };
    const membership = await createMembership(dependencies, { genesis, ...(manifest && { manifest }) });
    try {
      return await use({ membership, clock, self: signer.peer, connected: () => [], signerOf: signerIn });
    } finally {
      await membership.stop();
      await life.close();
    }
  } finally {
    await directory.close();
  }
}
