/**
 * Joining a network with a roster: a peer's identity and store, a transport that only dials, and the invite. The private
 * key is made here and stays here; what is kept afterwards is the certificate that the peer shows from then on.
 */
import { LIMITS } from "../../protocol/limits.ts";
import { createAdmissionRequest, fingerprintOf } from "../../protocol/membership/admission.ts";
import type { Grant } from "../../protocol/membership/entry.ts";
import { canonicalGenesisBytes } from "../../protocol/membership/genesis.ts";
import type { Invite } from "../../protocol/membership/invite.ts";
import { type NetworkManifest, networkId } from "../../protocol/network-manifest.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { openPeerDirectory } from "../data-directory/open.ts";
import { NodeError } from "../errors.ts";
import type { Logger } from "../interface/logger.ts";
import type { Store } from "../interface/store.ts";
import {
  type FoundNetwork,
  findNetwork,
  requireGrant,
  type Waiting,
  waitForAdmission,
} from "../membership/candidate.ts";
import { CERTIFICATE_KEY } from "../membership/certificates.ts";
import { createMembership, type MembershipDependencies } from "../membership/membership.ts";
import { REQUEST_SECONDS_MAX } from "../membership/pending-messages.ts";
import { Shutdown } from "../shutdown.ts";
import { writeFileAtomic } from "../system/files/atomic-file.ts";
import type { ReachOptions } from "../system/network/reach.ts";
import { createNativeVerifier } from "../system/platform/ed25519.ts";
import { createSystemClock } from "../system/platform/system-clock.ts";

/** Who asks to be admitted, by which invite, and how it reaches the members. */
export interface JoinOptions {
  readonly dataDirectory: string;
  readonly invite: Invite;
  /** What the peer calls itself; at most LIMITS.labelLengthMax characters of printable ASCII. */
  readonly label: string;
  /** Members to ask beside those that the invite names. */
  readonly bootstrap: readonly string[];
  readonly reach: ReachOptions;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** A newcomer that can ask the members of a network. */
export interface Joining {
  readonly peer: PeerId;
  /** Twenty digits to compare with an admin by phone. */
  readonly fingerprint: string;
  /** onUnreachable: told of each visit that reached nobody.  Throws: as findNetwork. */
  network(onUnreachable?: (reason: string) => void): Promise<FoundNetwork>;
  /** The multiaddrs of members that are asked, in this order. */
  readonly addresses: readonly string[];
  /**
   * Ask until the admins have decided, and keep the certificate.
   * Throws: as waitForAdmission; NOT_ADMITTED where the roster does not say what was told of it; STORE_FAILED, DISK_FULL.
   */
  admission(found: FoundNetwork, onWaiting: (waiting: Waiting) => void): Promise<Admitted>;
  /** Idempotent. */
  close(): Promise<void>;
}

/** What came of a request that was granted. */
export interface Admitted {
  readonly grant: Grant;
  /** What is trained under now, as the member says and the roster agrees. */
  readonly manifest: NetworkManifest;
}

/** The requests of this peer, by invite and time, so that a second attempt asks the same question. */
const REQUEST_PREFIX = "roster/request/";
const CONNECTIONS_MAX = 16;
const STREAMS_PER_PROTOCOL_MAX = 4;

/** Throws: NodeError DATA_LOCKED (a peer runs there), KEY_FILE, NOT_ALLOWED (the invite is over), DATA_DIRECTORY. */
export async function openJoining(options: JoinOptions): Promise<Joining> {
  const { invite, logger, signal } = options;
  const clock = createSystemClock();
  const nowSeconds = Math.floor(clock.now() / 1000);
  if (nowSeconds > invite.ticket.notAfter + LIMITS.clockSkewSeconds) {
    throw new NodeError("NOT_ALLOWED", "the invite has expired; ask for a new one", {
      notAfter: invite.ticket.notAfter,
    });
  }
  const { seed, signer, directory } = await openPeerDirectory(options.dataDirectory, { key: "make" });
  const shutdown = new Shutdown();
  shutdown.add(() => directory.close());
  try {
    const store = await directory.store();
    const { createLibp2pTransport } = await import("../system/network/libp2p.ts");
    const transport = await createLibp2pTransport(
      { logger, mayGossip: () => false },
      {
        seed,
        listen: [],
        connectionsMax: CONNECTIONS_MAX,
        streamsPerProtocolMax: STREAMS_PER_PROTOCOL_MAX,
        gossipBytesMax: LIMITS.rosterNoteBytesMax,
        reach: options.reach,
      },
    );
    await transport.start();
    shutdown.add(() => transport.stop());
    const verify = createNativeVerifier();
    const dependencies = { transport, clock, verify };
    const request = await requestOf(store, { invite, nowSeconds }, () =>
      createAdmissionRequest(invite, { label: options.label, issuedAt: nowSeconds }, signer),
    );
    const addresses = [...new Set([...options.bootstrap, ...invite.addresses])];
    const about = { invite, request, addresses, signal };
    return {
      peer: signer.peer,
      fingerprint: fingerprintOf(invite.ticket.networkId, signer.peer),
      addresses,
      network: (onUnreachable) => findNetwork(dependencies, { ...about, ...(onUnreachable && { onUnreachable }) }),
      async admission({ genesis, story }, onWaiting) {
        const { entry, member } = await waitForAdmission(dependencies, { ...about, genesis, onWaiting });
        const grant = requireGrant(entry, { genesis, peer: signer.peer, verify });
        await store.batch([{ put: CERTIFICATE_KEY, value: entry }]);
        const keeper = { transport, store, clock, logger, signer, verify };
        let manifest: NetworkManifest;
        try {
          manifest = await bringRoster(keeper, { genesis, story, member, signal });
        } catch (error) {
          // It proves nothing without the entries that it rests on.
          await store.batch([{ delete: CERTIFICATE_KEY }]);
          throw error;
        }
        await writeFileAtomic(directory.layout.genesis, canonicalGenesisBytes(genesis));
        return { grant, manifest };
      },
      close: () => shutdown.run(),
    };
  } catch (error) {
    await shutdown.run();
    throw error;
  }
}

/**
 * The entries that the certificate rests on, from who sent it: by the genesis alone nobody may know its signers. With them
 * the manifests that the members have agreed to go on under; the one that the story says they are in is returned.
 * Throws: NodeError NOT_ADMITTED when they do not make this peer a member, or do not bear out the story.
 */
async function bringRoster(
  dependencies: MembershipDependencies,
  {
    genesis,
    story,
    member,
    signal,
  }: FoundNetwork & {
    readonly member: PeerId;
    readonly signal: AbortSignal;
  },
): Promise<NetworkManifest> {
  const membership = await createMembership(dependencies, { genesis });
  const { peer } = dependencies.signer;
  try {
    await membership.pull(member);
    if (membership.roleOf(peer) === undefined) {
      const text = `${member} says that this peer is admitted, and its roster does not say so; ask another member`;
      throw new NodeError("NOT_ADMITTED", text, { member, peer });
    }
    await membership.migration.fetch([member], signal);
    const told = story.manifests[story.current] ?? genesis.manifest;
    const agreed = membership.migration.chain().find((one) => networkId(one) === networkId(told));
    if (agreed !== undefined) return agreed;
    const text = `the network was said to be in ${networkId(told)}, and its roster has not agreed to that; ask another member`;
    throw new NodeError("NOT_ADMITTED", text, { member, network: networkId(told) });
  } finally {
    await membership.stop();
  }
}

/** The request that was made before by this invite, while members remember it; else a new one. */
async function requestOf(
  store: Store,
  { invite, nowSeconds }: { readonly invite: Invite; readonly nowSeconds: number },
  create: () => Uint8Array,
): Promise<Uint8Array> {
  const ofInvite = `${REQUEST_PREFIX}${invite.ticket.key}/`;
  const outdated: string[] = [];
  for await (const [key, request] of store.entries(REQUEST_PREFIX)) {
    const issuedAt = Number(key.slice(key.lastIndexOf("/") + 1));
    if (key.startsWith(ofInvite) && Math.abs(nowSeconds - issuedAt) < REQUEST_SECONDS_MAX) return request;
    outdated.push(key);
  }
  const request = create();
  await store.batch([
    ...outdated.map((key) => ({ delete: key })),
    { put: `${ofInvite}${String(nowSeconds).padStart(10, "0")}`, value: request },
  ]);
  return request;
}
