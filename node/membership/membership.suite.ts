/** Peers of a network with a roster, with the exchange that asks it: the fixture of this folder's tests. */
import { encodeCanonical } from "../../protocol/canonical-message.ts";
import type { Signer } from "../../protocol/envelope.ts";
import { createAdmissionRequest } from "../../protocol/membership/admission.ts";
import {
  createEntry,
  type Entry,
  type EntryId,
  encodeEntry,
  type Statement,
  signEntry,
} from "../../protocol/membership/entry.ts";
import { createGenesis, type Genesis, signGenesis } from "../../protocol/membership/genesis.ts";
import { createInvite, type Invite, inviteSigner } from "../../protocol/membership/invite.ts";
import { AdmissionRequestBodySchema, AdmissionRequestSchema } from "../../protocol/membership/membership_pb.ts";
import type { Role } from "../../protocol/membership/roles.ts";
import { isMember } from "../../protocol/membership/roster-state.ts";
import { type MembershipSettings, POLICY_DEFAULTS } from "../../protocol/membership/settings.ts";
import { signStatement } from "../../protocol/membership/signatures.ts";
import { networkId } from "../../protocol/network-manifest.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { MANIFEST, secretKeyOf, signerOf } from "../exchange/exchange.suite.ts";
import { createExchange, type Exchange, type ExchangeOptions } from "../exchange/exchange.ts";
import type { Logger } from "../interface/logger.ts";
import type { RosterEvent } from "../interface/roster-event.ts";
import type { Store } from "../interface/store.ts";
import type { Transport } from "../interface/transport.ts";
import { createMemoryStore } from "../system/files/memory-store.ts";
import { createMemoryHub, type MemoryHub } from "../system/network/memory-transport.ts";
import { patient, until } from "../system/network/transport.suite.ts";
import { createNativeSigner, createNativeVerifier } from "../system/platform/ed25519.ts";
import { createVirtualClock, type VirtualClock } from "../system/platform/virtual-clock.ts";
import { createMembership, type MembershipOptions, type RosterMembership } from "./membership.ts";
import { actOnRoster, type RosterAction, type RosterAnswer, type RosterDeskDependencies } from "./roster-desk.ts";

/** Seconds since 1970 at which the tests begin. */
export const NOW = 1_800_000_000;
export const DAY = 86_400;

/** Founders: 1, 2 and 3 are admins, 4 is a trainer. Signers of seeds 5 and up are nobody at first. */
export const ADMINS: readonly Signer[] = [1, 2, 3].map(signerOf);

export function genesisWith(policy: Partial<typeof POLICY_DEFAULTS> = {}, threshold = 2): Genesis {
  const membership: MembershipSettings = {
    kind: "roster",
    founders: [
      ...ADMINS.map(({ peer }) => ({ peer, role: "admin" as const })),
      { peer: signerOf(4).peer, role: "trainer" as const },
    ].sort((a, b) => (a.peer < b.peer ? -1 : 1)),
    threshold,
    policy: { ...POLICY_DEFAULTS, ...policy },
  };
  return ADMINS.reduce(signGenesis, createGenesis({ ...MANIFEST, membership }));
}

/** A whole entry by two admins; `sequence` is 1000 and up, so that it meets none that peers write themselves. */
export function entryOf(
  genesis: Genesis,
  statement: Statement,
  drawn: { parents?: readonly EntryId[]; by?: readonly Signer[]; sequence?: number; issuedAt?: number } = {},
): Entry {
  const { parents = [], by = ADMINS.slice(0, 2), issuedAt = NOW, sequence = 1000 + counter++ } = drawn;
  const signers = by.map(({ peer }) => peer);
  const fields = { networkId: networkId(genesis.manifest), parents, author: signers[0]!, signers, sequence, issuedAt };
  return by.reduce(signEntry, createEntry({ ...fields, statement }));
}
let counter = 0;

export const admit = (peer: PeerId, role: Role = "trainer", notAfter = NOW + 30 * DAY): Statement => ({
  kind: "admit",
  subject: peer,
  role,
  notBefore: NOW,
  notAfter,
});
export const revoke = (subject: PeerId): Statement => ({ kind: "revoke", subject, reason: "misconduct" });

export interface Member {
  readonly signer: Signer;
  readonly transport: Transport;
  readonly exchange: Exchange;
  readonly membership: RosterMembership;
  readonly store: Store;
  readonly events: RosterEvent[];
  readonly said: string[];
  stop(): Promise<void>;
}

export interface Consortium {
  readonly clock: VirtualClock;
  readonly hub: MemoryHub;
  readonly genesis: Genesis;
  up(options: MemberOptions): Promise<Member>;
  stop(): Promise<void>;
}

export interface MemberOptions {
  readonly seed: number;
  readonly store?: Store;
  readonly membership?: Partial<MembershipOptions>;
  readonly exchange?: Partial<ExchangeOptions>;
  /** Whether the connection is gated; the layers above have to do without when not. */
  readonly isGated?: boolean;
  /** Whether its files may be older than what its key has signed. */
  readonly mayBeOld?: boolean;
  /** Whether the exchange knows of the roster. */
  readonly isGoverned?: boolean;
  readonly transport?: (
    seed: Uint8Array,
    logger: Logger,
    membership: () => RosterMembership | undefined,
  ) => Promise<Transport>;
}

export const BOUNDS = { streamsPerProtocolMax: 16, gossipBytesMax: 20_000 };

export function createConsortium(genesis: Genesis = genesisWith()): Consortium {
  const clock = createVirtualClock(NOW * 1000);
  const hub = createMemoryHub();
  const members: Member[] = [];
  return {
    clock,
    hub,
    genesis,
    async up(options) {
      const member = await createMember({ clock, hub, genesis }, options);
      members.push(member);
      return member;
    },
    async stop() {
      await Promise.all(members.splice(0).map((member) => member.stop()));
    },
  };
}

export async function createMember(
  {
    clock,
    hub,
    genesis,
  }: Pick<Consortium, "hub" | "genesis"> & { readonly clock: Pick<VirtualClock, "now" | "after"> },
  { seed, store = createMemoryStore(), isGated = true, isGoverned = true, mayBeOld = false, ...options }: MemberOptions,
): Promise<Member> {
  const said: string[] = [];
  const say = (text: string, fields: Readonly<Record<string, unknown>> = {}): void =>
    void said.push("reason" in fields ? `${text}: ${fields.reason}` : text);
  const logger: Logger = { debug() {}, info: say, warn: say, error: say };
  let made: RosterMembership | undefined;
  const admits = (peer: PeerId): boolean => !isGated || made?.admits(peer) !== false;
  const signer = createNativeSigner(secretKeyOf(seed));
  const transport =
    (await options.transport?.(secretKeyOf(seed), logger, () => made)) ??
    hub.create({ logger }, { peer: signer.peer, ...BOUNDS, admits });
  const dependencies = { transport, store, clock, logger, signer, verify: createNativeVerifier() };
  const membership = await createMembership({ ...dependencies, mayBeOld }, { genesis, ...options.membership });
  made = membership;
  const exchange = createExchange(dependencies, {
    manifest: genesis.manifest,
    ...(isGoverned && { membership }),
    ...options.exchange,
  });
  exchange.onAdmitted((peer) => membership.welcome(peer));
  const events: RosterEvent[] = [];
  membership.onEvent((event) => events.push(event));
  await membership.start();
  await exchange.start();
  exchange.setRound(0);
  return {
    signer,
    transport,
    exchange,
    membership,
    store,
    events,
    said,
    async stop() {
      await membership.stop();
      await exchange.stop();
    },
  };
}

export const dial = (from: Member, to: Member): Promise<string> =>
  from.transport.dial(to.transport.addresses()[0]!, patient());

export const areNeighbours = (a: Member, b: Member): boolean =>
  a.exchange.admitted().includes(b.signer.peer) && b.exchange.admitted().includes(a.signer.peer);

export async function connect(a: Member, b: Member): Promise<void> {
  await dial(a, b);
  await until(() => areNeighbours(a, b));
}

export const digestOf = ({ membership }: Member): string => membership.roster.log.state().digest;

/** Put a whole entry into a peer's roster, as if it had been told of it before. */
export function know(member: Member, ...entries: readonly Entry[]): void {
  for (const entry of entries) {
    const result = member.membership.roster.add(encodeEntry(entry));
    if (result.outcome !== "added") throw new Error(`not added: ${JSON.stringify(result)}`);
  }
}

export function inviteBy(
  genesis: Genesis,
  issuer: Signer,
  terms: { role?: Role; uses?: number; notAfter?: number; secret?: number } = {},
): Invite {
  const { role = "trainer", uses = 1, notAfter = NOW + DAY, secret = 7 } = terms;
  return createInvite(
    {
      networkId: networkId(genesis.manifest),
      role,
      uses,
      notAfter,
      secret: new Uint8Array(16).fill(secret),
      addresses: [],
    },
    issuer,
  );
}

/** What a person of a member does; the file of a key is the number of its seed. */
export function actAt(
  { clock }: Consortium,
  { membership, signer, transport }: Member,
  action: RosterAction,
  others: Partial<RosterDeskDependencies> = {},
): Promise<RosterAnswer> {
  return actOnRoster(
    {
      ...{ membership, clock, self: signer.peer },
      connected: () => transport.connected(),
      signerOf: async (file) => signerOf(Number(file)),
      ...others,
    },
    action,
  );
}

/** What waits at a member. */
export const pendingOf = ({ membership }: Member) => membership.proposals.pending();

/** Whether the peer of a seed is a member now, as a member has it. */
export const hasMember = ({ clock }: Consortium, { membership }: Member, seed: number): boolean =>
  isMember(membership.roster.log.state(), signerOf(seed).peer, Math.floor(clock.now() / 1000));

/** The request of a program of somebody's own, with a label that this program would not sign. */
export function requestLabelled(label: string, invite: Invite, candidate: Signer, issuedAt = NOW): Uint8Array {
  const fields = { ticket: invite.ticket.bytes, candidate: candidate.publicKey, issuedAt, label };
  const body = encodeCanonical(AdmissionRequestBodySchema, fields);
  const { signature } = signStatement("admission-request", body, candidate);
  const { signature: proof } = signStatement("admission-proof", body, inviteSigner(invite.secret));
  return encodeCanonical(AdmissionRequestSchema, { body, signature, proof });
}

export const requestBy = (invite: Invite, candidate: Signer, issuedAt = NOW): Uint8Array =>
  createAdmissionRequest(invite, { label: "somebody", issuedAt }, candidate);
