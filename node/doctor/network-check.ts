/** Whether a peer can listen, gets into its network, is reached by others and has the right time: asked of its neighbours. */
import { counted } from "../../protocol/counted.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { LIMITS } from "../../protocol/limits.ts";
import type { Genesis } from "../../protocol/membership/genesis.ts";
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { dataDirectoryLayout } from "../data-directory/layout.ts";
import { type OpenDirectory, withDirectory } from "../data-directory/open.ts";
import { NodeError } from "../errors.ts";
import { askForCheckup, type Checkup } from "../exchange/checkup.ts";
import { createExchange, type Exchange } from "../exchange/exchange.ts";
import { EXCHANGE_DEFAULTS } from "../exchange/exchange-limits.ts";
import type { Clock } from "../interface/clock.ts";
import type { Logger } from "../interface/logger.ts";
import type { Transport } from "../interface/transport.ts";
import type { RosterMembership } from "../membership/membership.ts";
import { readKey } from "../system/files/key-file.ts";
import { isHeldHere } from "../system/files/lock-file.ts";
import { createMemoryStore } from "../system/files/memory-store.ts";
import type { ReachOptions } from "../system/network/reach.ts";
import { createNativeSigner, createNativeVerifier } from "../system/platform/ed25519.ts";
import { type Finding, problemOf } from "../system/platform/health.ts";
import { createSystemClock } from "../system/platform/system-clock.ts";
import { membershipFinding, quorumFindings, storedMembership } from "./membership-check.ts";

/** The peer and the network to look at. */
export interface NetworkCheckOptions {
  readonly dataDirectory: string;
  readonly manifest: NetworkManifest;
  /** Where there is a roster: the genesis that it begins with; undefined when the data directory lacks it. */
  readonly genesis?: Genesis;
  readonly listen: readonly string[];
  readonly reach: ReachOptions;
  /** Addresses of peers that may know more. */
  readonly bootstrap: readonly string[];
  /** How long each of connecting and of the checkups may take. */
  readonly timeoutMs?: number;
  readonly signal: AbortSignal;
}

/** Peers that are asked. */
const ASKED_MAX = 4;
const TIMEOUT_MS = 15_000;

/** What was found, in the order of looking; what cannot be looked at is `absent` and says why. Throws nothing of its own. */
export async function checkNetwork(options: NetworkCheckOptions): Promise<readonly Finding[]> {
  const layout = dataDirectoryLayout(options.dataDirectory);
  try {
    const key = await readKey(layout.key);
    if (key === undefined) {
      return [{ name: "network", state: "absent", text: "no key yet", problem: "nothing-made-yet" }];
    }
    return await withDirectory(options.dataDirectory, {}, (directory) => checkAs(key, directory, options));
  } catch (error) {
    if (!(error instanceof NodeError)) throw error;
    if (!isHeldHere(error)) return [problemOf("network", error)];
    const text = "a peer runs with these files; stop it to have its ports, its neighbours and its clock looked at";
    return [{ name: "network", state: "absent", text }];
  }
}

async function checkAs(
  seed: Uint8Array,
  directory: OpenDirectory,
  options: NetworkCheckOptions,
): Promise<readonly Finding[]> {
  const { manifest, listen, reach, timeoutMs = TIMEOUT_MS } = options;
  const reasons = new Map<string, string>();
  const logger = refusalsInto(reasons);
  const clock = createSystemClock();
  const signer = createNativeSigner(seed);
  const hasRoster = manifest.membership?.kind === "roster";
  let membership: RosterMembership | undefined;
  const { createLibp2pTransport } = await import("../system/network/libp2p.ts");
  const transport = await createLibp2pTransport(
    {
      logger,
      admits: (peer) => membership?.admits(peer) !== false,
      mayGossip: (peer) => membership?.mayGossip(peer) !== false,
    },
    {
      ...{ seed, listen, reach, connectionsMax: 64, streamsPerProtocolMax: 16 },
      gossipBytesMax: hasRoster ? LIMITS.rosterNoteBytesMax : LIMITS.announcementBytesMax,
    },
  );
  const dependencies = { transport, clock, logger, signer };
  try {
    const about = { manifest, genesis: options.genesis, stored: await directory.storeIfThere() };
    membership = await storedMembership({ ...dependencies, verify: createNativeVerifier() }, about);
  } catch (error) {
    if (!(error instanceof NodeError || error instanceof ProtocolError)) throw error;
    return [problemOf("membership", error)];
  }
  const nowSeconds = Math.floor(clock.now() / 1000);
  const findings = membership
    ? [membershipFinding(membership, { self: signer.peer, nowSeconds }), ...quorumFindings(membership, nowSeconds)]
    : [];
  const exchange = createExchange(
    { ...dependencies, store: createMemoryStore() },
    { manifest, ...(membership && { membership }) },
  );
  try {
    return [...findings, ...(await checkExchange({ ...dependencies, exchange, reasons, timeoutMs }, options))];
  } finally {
    await membership?.stop();
  }
}

interface CheckedExchange {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Stopped; it is stopped again in the end. */
  readonly exchange: Exchange;
  /** Why peers were refused. */
  readonly reasons: ReadonlyMap<string, string>;
  readonly timeoutMs: number;
}

async function checkExchange(
  { transport, clock, logger, exchange, reasons, timeoutMs }: CheckedExchange,
  { signal, ...options }: NetworkCheckOptions,
): Promise<readonly Finding[]> {
  try {
    await exchange.start();
  } catch (error) {
    if (!(error instanceof NodeError)) throw error;
    return [problemOf("port", error)];
  }
  try {
    const findings: Finding[] = [{ name: "port", state: "ok", text: listening(transport) }];
    const bootstrap = [...new Set(options.bootstrap)];
    if (bootstrap.length === 0) {
      const text = "no address of any other peer is known";
      return [...findings, { name: "neighbours", state: "absent", text, problem: "peers-unknown" }];
    }
    const within = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    const dialled = await Promise.all(bootstrap.map((address) => dial(transport, address, within)));
    const reached = new Set(dialled.filter((peer) => peer !== undefined));
    const isDecided = (peer: PeerId): boolean =>
      exchange.welcoming().includes(peer) || reasons.has(peer) || !transport.connected().includes(peer);
    await settled(() => [...reached].every(isDecided), within);
    const admitted = exchange.welcoming();
    findings.push(neighboursFinding({ bootstrap, reached: [...reached], admitted, reasons }));
    if (admitted.length === 0) return findings;
    const addresses = transport.addresses().slice(0, LIMITS.addressesPerPeerMax);
    const asked = admitted.filter((peer) => exchange.shares(peer, "checkup")).slice(0, ASKED_MAX);
    const checkups = await Promise.all(
      asked.map(async (peer) => {
        try {
          const call = { peer, addresses, signal };
          return await askForCheckup({ transport, clock }, call, { timeoutMs: EXCHANGE_DEFAULTS.checkupTimeoutMs });
        } catch (error) {
          logger.debug("a neighbour gave no checkup", { peer, error });
          return undefined;
        }
      }),
    );
    signal.throwIfAborted();
    const answers = checkups.filter((checkup) => checkup !== undefined);
    return [...findings, reachableFinding(addresses, answers), clockFinding(answers)];
  } finally {
    await exchange.stop();
  }
}

/** Keeps why peers were refused, by peer; everything else is not for the reader of an examination. */
function refusalsInto(reasons: Map<string, string>): Logger {
  return {
    debug() {},
    info() {},
    warn: (_text, { peer, reason } = {}) => {
      if (typeof peer === "string" && typeof reason === "string") reasons.set(peer, reason);
    },
    error() {},
  };
}

const listening = (transport: Transport): string =>
  transport.addresses().length === 0 ? "listens on nothing, dials only" : transport.addresses().join(", ");

async function dial(transport: Transport, address: string, signal: AbortSignal): Promise<PeerId | undefined> {
  try {
    return await transport.dial(address, signal);
  } catch {
    // Counted as not reached.
    return undefined;
  }
}

const POLL_MS = 20;
async function settled(isSettled: () => boolean, signal: AbortSignal): Promise<void> {
  while (!isSettled() && !signal.aborted) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
}

function neighboursFinding(found: {
  readonly bootstrap: readonly string[];
  readonly reached: readonly string[];
  readonly admitted: readonly string[];
  readonly reasons: ReadonlyMap<string, string>;
}): Finding {
  const { bootstrap, reached, admitted, reasons } = found;
  const name = "neighbours";
  const [reason] = reached.flatMap((peer) => reasons.get(peer) ?? []);
  const refused = reason === undefined ? "" : `; refused: ${reason}`;
  const text = `${admitted.length} of ${counted(bootstrap.length, "known address", "known addresses")} led to a neighbour${refused}`;
  if (admitted.length > 0) return { name, state: reason === undefined ? "ok" : "warning", text };
  const advice = reason === undefined ? "; check the addresses, and that this machine may dial outwards" : "";
  return { name, state: "problem", text: text + advice };
}

function reachableFinding(addresses: readonly string[], answers: readonly Checkup[]): Finding {
  const name = "reachable";
  if (answers.length === 0) return { name, state: "warning", text: "no neighbour was willing to dial back; try again" };
  if (addresses.length === 0) {
    return { name, state: "absent", text: "listens on nothing; others reach this peer only while it dials them" };
  }
  const good = addresses.filter((_, i) => answers.some(({ reached }) => reached[i]));
  if (good.length > 0) return { name, state: "ok", text: `neighbours got through to ${good.join(", ")}` };
  const text = `no neighbour got through to ${addresses.join(", ")}`;
  return { name, state: "problem", text, problem: "not-reachable" };
}

/** The middle one of the differences that the answers leave open. */
function clockFinding(answers: readonly Checkup[]): Finding {
  const name = "clock";
  if (answers.length === 0) return { name, state: "warning", text: "no neighbour told its time; try again" };
  const ahead = answers
    .map(({ timeMs, askedAtMs, answeredAtMs }) =>
      timeMs < askedAtMs ? askedAtMs - timeMs : timeMs > answeredAtMs ? answeredAtMs - timeMs : 0,
    )
    .sort((a, b) => a - b);
  const seconds = Math.round(ahead[Math.floor(ahead.length / 2)]! / 1000);
  if (Math.abs(seconds) < 2)
    return { name, state: "ok", text: `agrees with that of ${counted(answers.length, "neighbour")}` };
  const text = `${Math.abs(seconds)} s ${seconds > 0 ? "ahead of" : "behind"} that of the neighbours`;
  const isTolerated = Math.abs(seconds) <= LIMITS.clockSkewSeconds;
  const limit = `${LIMITS.clockSkewSeconds} s are tolerated; set this machine's time`;
  return { name, state: isTolerated ? "warning" : "problem", text: `${text}; ${limit}` };
}
