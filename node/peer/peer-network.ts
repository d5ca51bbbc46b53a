/** How one peer is connected: transport, membership, exchange of updates and dialling, each told what the others need. */
import { LIMITS } from "../../protocol/limits.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { AddressWatch } from "../exchange/address-watch.ts";
import { askForCheckup } from "../exchange/checkup.ts";
import { createDialer, type Dialer } from "../exchange/dialer.ts";
import { createExchange, type Exchange } from "../exchange/exchange.ts";
import { CONNECTION_LIMITS, EXCHANGE_DEFAULTS } from "../exchange/exchange-limits.ts";
import type { Clock } from "../interface/clock.ts";
import { namedClock } from "../interface/event-loop.ts";
import type { PeerEvent } from "../interface/peer-event.ts";
import type { PrivacyGuard } from "../interface/privacy-guard.ts";
import type { Standing, Transport } from "../interface/transport.ts";
import type { RosterMembership } from "../membership/membership.ts";
import { createRecordedTransport } from "../privacy/recorded-transport.ts";
import type { Shutdown } from "../shutdown.ts";
import { createNativeVerifier } from "../system/platform/ed25519.ts";
import { createNativeSha256 } from "../system/platform/sha256.ts";
import { Company } from "./company.ts";
import { hasRoster, type NetworkPeerOptions } from "./network-peer-options.ts";
import type { PeerFiles } from "./peer-files.ts";
import { openMembership } from "./peer-membership.ts";

/** Nothing of it is started. */
export interface PeerNetwork {
  readonly transport: Transport;
  /** Of a network with a roster. */
  readonly membership: RosterMembership | undefined;
  readonly exchange: Exchange;
  readonly dialer: Dialer;
  /** Tells of neighbours that come and go, and of whom cannot be reached. */
  readonly company: Company;
  /** Finds out whether others get through to this peer's addresses. */
  readonly addressWatch: AddressWatch;
  /** What the record of everything sent says of the budget from now on, and what no update follows that it has not counted. */
  account(privacy: PrivacyGuard): void;
  /** Refuse these peers, and no others, from now on: connections with them are closed, and none is opened. */
  cutOff(peers: readonly PeerId[]): void;
}

const CHECKUP_LIMITS = { timeoutMs: EXCHANGE_DEFAULTS.checkupTimeoutMs };

/** What the transport asks of parts that are made after it. */
class Gate {
  exchange: Exchange | undefined;
  membership: RosterMembership | undefined;
  privacy: PrivacyGuard | undefined;
  cutOff: ReadonlySet<PeerId> = new Set();

  readonly admits = (peer: PeerId, origin?: string): boolean =>
    !this.cutOff.has(peer) &&
    this.exchange?.refuses(peer) !== true &&
    this.exchange?.hasRoomFor(peer, origin) !== false &&
    this.membership?.admits(peer, origin) !== false;
  readonly mayGossip = (peer: PeerId): boolean => this.membership?.mayGossip(peer) !== false;
  readonly standingOf = (peer: PeerId): Standing => this.exchange?.standingOf(peer) ?? "nobody";
  readonly epsilon = (): number | undefined => this.privacy?.status().spent;
}

/** Put the parts together; `shutdown` ends the membership.  Throws: as openMembership. */
export async function openPeerNetwork(
  options: NetworkPeerOptions,
  files: PeerFiles,
  shutdown: Shutdown,
): Promise<PeerNetwork> {
  const { store, logs, signer, loop } = files;
  const clockOf = (what: string): Clock => namedClock(files.clock, loop, `timer of ${what}`);
  const gate = new Gate();
  const transport = await openTransport(options, files, gate);
  const createSha256 = createNativeSha256;
  const dependencies = { transport, store, signer, verify: createNativeVerifier(), createSha256 };
  const membership = await openMembership(options, {
    ...dependencies,
    ...{ clock: clockOf("the membership"), logger: logs.of("membership") },
    mayBeOld: files.life.mayBeOld,
    onHeard: () => void files.life.begin(),
  });
  gate.membership = membership;
  if (membership !== undefined) shutdown.add(() => membership.stop());
  const exchange = createExchange(
    { ...dependencies, clock: clockOf("the exchange"), loop, logger: logs.of("exchange") },
    {
      manifest: options.manifest,
      isGiven: (peer) => dialer.isGiven(peer),
      onRefused: (peer, reason) => company.decline(peer, reason),
      ...(membership && { membership }),
    },
  );
  gate.exchange = exchange;
  const clock = clockOf("the dialler");
  const company = new Company({
    ...{ clock, onEvent: options.onEvent },
    addressCount: () => dialer.addressCount(),
    isGiven: (peer) => dialer.isGiven(peer),
  });
  const dialer = createDialer(
    { transport, store, clock, logger: logs.of("network") },
    {
      bootstrap: options.bootstrap,
      onFailure: (failure) => company.fail(failure),
      refusalOf: (peer) => company.refusalOf(peer),
      isShutOut: (peer) => membership?.statusOf(peer) === "removed",
    },
  );
  const watchClock = clockOf("the watch over addresses");
  const addressWatch = new AddressWatch({
    ...{ transport, clock: watchClock, logger: logs.of("network"), onEvent: options.onEvent },
    neighbours: () => exchange.admitted().filter((peer) => exchange.shares(peer, "checkup")),
    ask: async (peer, addresses, signal) =>
      (await askForCheckup({ transport, clock: watchClock }, { peer, addresses, signal }, CHECKUP_LIMITS)).reached,
  });
  membership?.onChange(() => dialer.review());
  return {
    ...{ transport, membership, exchange, dialer, company, addressWatch },
    account: (privacy) => {
      gate.privacy = privacy;
      exchange.onEarlierLife((earlier) => privacy.follows(earlier));
    },
    cutOff: (peers) => {
      gate.cutOff = new Set(peers);
      const logger = logs.of("network");
      for (const peer of peers) {
        transport.hangUp(peer).catch((error: unknown) => logger.warn("could not hang up", { peer, error }));
      }
    },
  };
}

/** libp2p, with a record of everything that leaves. */
async function openTransport(
  { manifest, listen, reach }: NetworkPeerOptions,
  { seed, ledger, logs, loop }: PeerFiles,
  { admits, mayGossip, standingOf, epsilon }: Gate,
): Promise<Transport> {
  // Loaded here: a program that runs no peer has no use for it.
  const logger = logs.of("network");
  const { createLibp2pTransport } = await import("../system/network/libp2p.ts");
  const transport = await createLibp2pTransport(
    { logger, loop, admits, mayGossip, standingOf },
    {
      seed,
      listen,
      ...CONNECTION_LIMITS,
      gossipBytesMax: hasRoster(manifest) ? LIMITS.rosterNoteBytesMax : LIMITS.announcementBytesMax,
      ...(reach !== undefined && { reach }),
    },
  );
  return createRecordedTransport({ transport, ledger, logger, epsilon, createSha256: createNativeSha256 });
}

/** Have the parts tell each other, and the surroundings, who comes and goes; the membership begins to answer. */
export async function connectParts(
  { transport, membership, exchange, dialer, company, addressWatch }: PeerNetwork,
  onEvent: (event: PeerEvent) => void,
): Promise<void> {
  if (membership !== undefined) {
    exchange.onAdmitted((peer) => membership.welcome(peer));
    membership.onEvent(onEvent);
    await membership.start();
  }
  const tellNeighbours = (): void => onEvent({ type: "neighbours", connected: exchange.admitted().length });
  exchange.onAdmitted(tellNeighbours);
  exchange.onLeft(tellNeighbours);
  exchange.onAdmitted((peer) => company.join(peer));
  exchange.onLeft((peer) => company.leave(peer));
  exchange.onAdmitted((peer) => dialer.meet(peer));
  exchange.onAdmitted(() => addressWatch.meet());
  exchange.onAddresses((addresses, from) => dialer.hear(addresses, from));
  transport.onDiscovered((addresses) => dialer.hear(addresses, "discovery"));
}
