/**
 * Acting on a network's roster from outside of the running peer: through the peer where one runs in the data directory, and
 * otherwise on its files. Either way the answer is the same, and what was signed reaches the others as soon as the peer is
 * connected to one of them.
 */
import type { Genesis } from "../../protocol/membership/genesis.ts";
import { createInvite, INVITE_SECRET_BYTES, type InviteTerms, inviteText } from "../../protocol/membership/invite.ts";
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import { signerIn } from "../data-directory/key.ts";
import { dataDirectoryLayout } from "../data-directory/layout.ts";
import { openPeerDirectory } from "../data-directory/open.ts";
import { NODE_ERROR_CODES, NodeError, type NodeErrorCode, PROBLEMS } from "../errors.ts";
import { createMembership } from "../membership/membership.ts";
import {
  actOnRoster,
  type RosterAction,
  type RosterAnswer,
  type RosterDeskDependencies,
} from "../membership/roster-desk.ts";
import { askThroughRequestInbox } from "../system/files/request-inbox.ts";
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

/**
 * Do one thing on the roster of a data directory, and see what came of it.
 * Throws: NodeError NOT_ALLOWED, KEY_FILE, TIMEOUT, STORE_FAILED, DISK_FULL; ProtocolError where the peer does not run.
 */
export async function operate(action: RosterAction, options: OperatorOptions): Promise<RosterAnswer> {
  try {
    return await withFiles(options, (desk) => actOnRoster(desk, action));
  } catch (error) {
    if (!isRunning(error)) throw error;
  }
  return await askRunningPeer(action, options);
}

/** Whether what was thrown says that a peer has the data directory open. */
export const isRunning = (error: unknown): boolean => error instanceof NodeError && error.code === "DATA_LOCKED";

/** Have the running peer do it.  Throws: NodeError, with the code of what it met; TIMEOUT. */
export async function askRunningPeer(action: RosterAction, options: OperatorOptions): Promise<RosterAnswer> {
  const { dataDirectory, signal = new AbortController().signal, timeoutMs = TIMEOUT_MS } = options;
  const { requestInbox } = dataDirectoryLayout(dataDirectory);
  const result = await askThroughRequestInbox(requestInbox, action, { timeoutMs, signal });
  if ("answer" in result) return result.answer as RosterAnswer;
  const { code, message } = result.error;
  const known = NODE_ERROR_CODES.find((one): one is NodeErrorCode => one === code);
  const problem = PROBLEMS.find((one) => one === result.error.problem);
  throw new NodeError(known ?? "NOT_ALLOWED", message, { code, ...(problem !== undefined && { problem }) });
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
    const dependencies = { transport, store, clock, logger, signer, verify: createNativeVerifier() };
    const membership = await createMembership(dependencies, { genesis, ...(manifest && { manifest }) });
    try {
      return await use({ membership, clock, self: signer.peer, connected: () => [], signerOf: signerIn });
    } finally {
      await membership.stop();
    }
  } finally {
    await directory.close();
  }
}
