/** Peers that were away while their network went on, between the networks of one roster; who follows whom, and who is told. */
import { pipe } from "it-pipe";
import { afterEach, beforeEach, expect, it } from "vitest";
import { encodeFrame } from "../../protocol/frame.ts";
import { succeedingManifest, successionStatement } from "../../protocol/membership/succession.ts";
import { networkIdToBytes } from "../../protocol/network-id.ts";
import { type NetworkManifest, networkId } from "../../protocol/network-manifest.ts";
import { STREAM_PROTOCOLS, type StreamProtocol } from "../../protocol/stream-protocols.ts";
import { cut, oneFrame } from "../exchange/byte-pipeline.ts";
import { signerOf } from "../exchange/exchange.suite.ts";
import { createMemoryStore } from "../system/files/memory-store.ts";
import { patient, until } from "../system/network/transport.suite.ts";
import { createNativeVerifier } from "../system/platform/ed25519.ts";
import { askForAdmission } from "./admission.ts";
import { findNetwork } from "./candidate.ts";
import { CERTIFICATE_KEY } from "./certificates.ts";
import {
  admit,
  BOUNDS,
  type Consortium,
  connect,
  createConsortium,
  dial,
  digestOf,
  entryOf,
  genesisWith,
  inviteBy,
  know,
  type Member,
  type MemberOptions,
  requestBy,
} from "./membership.suite.ts";
import { fetchSuccessors } from "./network-exchange.ts";

let net: Consortium;
beforeEach(() => {
  net = createConsortium();
});
afterEach(() => net.stop());

const first = (): NetworkManifest => net.genesis.manifest;
const second = (): NetworkManifest => succeedingManifest(first(), { name: "second" }, 50);
const third = (): NetworkManifest => succeedingManifest(second(), { name: "third" }, 60);
const agreement = () => {
  const one = entryOf(net.genesis, successionStatement(first(), second()));
  return [one, entryOf(net.genesis, successionStatement(second(), third()), { parents: [one.id] })] as const;
};
const namesOf = (member: Member): readonly string[] =>
  member.membership.followed().map(({ manifest }) => manifest.name);

/** A peer under one of them. */
const under = (manifest: NetworkManifest, seed: number, more: Partial<MemberOptions> = {}): Promise<Member> =>
  net.up({ seed, membership: { manifest }, exchange: { manifest }, ...more });
/** One that has gone the whole way, with its manifests. */
async function ahead(seed: number): Promise<Member> {
  // Where it was before is on its disk.
  const before = await under(second(), seed);
  await before.stop();
  const member = await under(third(), seed, { store: before.store });
  know(member, ...agreement());
  return member;
}

it("a latecomer learns the whole way from a member that is ahead, and where the others are", async () => {
  const [one, two] = [await under(second(), 1), await ahead(2)];
  know(one, ...agreement());
  // The one between hands on what it is in, and learns the newest.
  await dial(one, two);
  await until(() => one.membership.migration.chain().length === 3 && two.membership.migration.chain().length === 3);
  expect(namesOf(one)).toEqual(["third"]);
  const late = await under(first(), 3);
  await dial(late, two);
  await until(() => late.membership.migration.chain().length === 3);
  expect(digestOf(late)).toBe(digestOf(two));
  expect(namesOf(late)).toEqual(["second", "third"]);
  // Neither is a neighbour of the other.
  expect([late, two].flatMap(({ exchange }) => exchange.admitted())).toEqual([]);
  // It is the latecomer that hangs up; and what it has learned is on its disk.
  await until(() => late.transport.connected().length === 0);
  await late.stop();
  const again = await under(first(), 3, { store: late.store });
  expect(again.membership.migration.ahead().map(({ round }) => round)).toEqual([50, 60]);
  // That others have gone over it hears anew.
  expect(namesOf(again)).toEqual([]);
});

it("a member that a latecomer has not heard of is followed by what it shows", async () => {
  const fresh = signerOf(5);
  const grant = entryOf(net.genesis, admit(fresh.peer));
  const two = await ahead(2);
  know(two, grant);
  const newcomer = await under(third(), 5);
  know(newcomer, grant, ...agreement());
  await connect(newcomer, two);
  await until(() => newcomer.membership.migration.chain().length === 3);
  const late = await under(first(), 3);
  await dial(late, newcomer);
  await until(() => namesOf(late).length === 2);
});

it("one liar does not draw a peer away from neighbours that are still here", async () => {
  const [a, b, c] = [await under(first(), 1), await under(first(), 2), await under(first(), 3)];
  for (const member of [a, b, c]) {
    await member.membership.migration.prepare(second());
    know(member, agreement()[0]);
  }
  await connect(a, b);
  await connect(a, c);
  // Agreed to, but its round is far away; it says that it is there.
  const liar = await under(second(), 4);
  know(liar, agreement()[0]);
  await dial(liar, a);
  await until(() => liar.membership.migration.chain().length === 2 && liar.transport.connected().length === 0);
  expect(namesOf(a)).toEqual([]);
  await b.stop();
  await until(() => namesOf(a).length === 1);
});

it("nobody follows where the roster has agreed to nothing, nor goes over by hand to be called back", async () => {
  const [a, liar] = [await under(first(), 1), await under(second(), 4)];
  await dial(liar, a);
  await until(() => liar.transport.connected().length === 0);
  expect(a.membership.migration.chain()).toEqual([first()]);
  expect(namesOf(a)).toEqual([]);
  expect(liar.membership.migration.ahead()).toEqual([]);
});

it("who was led astray by a branch that lost goes on where the ways part", async () => {
  const rival = succeedingManifest(first(), { name: "rival" }, 40);
  const peer = await under(second(), 1);
  await peer.membership.migration.prepare(third());
  know(peer, ...agreement(), entryOf(net.genesis, successionStatement(first(), rival)));
  expect(peer.membership.migration.isMissing()).toBe(true);
  // Until it has the rival's manifest, it stays with what it can verify.
  expect(peer.membership.migration.ahead().map(({ manifest }) => manifest.name)).toEqual([]);
  const other = await under(rival, 2);
  know(other, entryOf(net.genesis, successionStatement(first(), rival), { sequence: 1 }));
  await dial(peer, other);
  await until(() => namesOf(peer).join() === "rival");
});

it("an invite of the first network admits to a later one, and the certificate holds under each of them", async () => {
  net = createConsortium(genesisWith({ approval: "invite" }, 1));
  const member = await ahead(1);
  const invite = inviteBy(net.genesis, signerOf(1));
  const asking = net.hub.create({ logger: SILENT }, { peer: signerOf(8).peer, ...BOUNDS });
  await asking.start();
  const signal = patient();
  const peer = await asking.dial(member.transport.addresses()[0]!, signal);
  const question = { request: requestBy(invite, signerOf(8)), verify: createNativeVerifier() };
  const caller = { transport: asking, clock: net.clock };
  const reply = await askForAdmission(caller, { peer, timeoutMs: 10_000, signal }, question);
  if (reply.code !== "admitted") throw new Error(reply.code);
  await asking.stop();
  for (const manifest of [first(), second(), third()]) {
    // A store of its own each time: all it has is its certificate.
    const store = createMemoryStore();
    await store.batch([{ put: CERTIFICATE_KEY, value: reply.entry }]);
    const newcomer = await under(manifest, 8, { store });
    const veteran = await under(manifest, 2);
    await connect(newcomer, veteran);
    expect(veteran.membership.roleOf(signerOf(8).peer)).toBe("trainer");
    await Promise.all([newcomer.stop(), veteran.stop()]);
  }
});

it("strangers get no manifest and no story; who holds an invite gets both, and not too often", async () => {
  const member = await ahead(1);
  const stranger = net.hub.create({ logger: SILENT }, { peer: signerOf(8).peer, ...BOUNDS });
  await stranger.start();
  const signal = patient();
  const invite = inviteBy(net.genesis, signerOf(1));
  const request = requestBy(invite, signerOf(8));
  const peer = await stranger.dial(member.transport.addresses()[0]!, signal);
  const call = { peer, timeoutMs: 10_000, signal };
  const caller = { transport: stranger, clock: net.clock };
  const ask = async (protocol: StreamProtocol, bytes: Uint8Array): Promise<Uint8Array> => {
    const { source, sink } = await stranger.open(peer, protocol, signal);
    await pipe([encodeFrame(bytes)], cut, sink);
    return await pipe(source, oneFrame(1_000_000));
  };
  await expect(ask(STREAM_PROTOCOLS.genesis, networkIdToBytes(networkId(third())))).rejects.toThrow();
  expect(await ask(STREAM_PROTOCOLS.successors, networkIdToBytes(networkId(third())))).toEqual(new Uint8Array());
  const forged = requestBy(inviteBy(net.genesis, signerOf(4)), signerOf(8));
  await expect(fetchSuccessors(caller, call, { request: forged, first: first() })).rejects.toMatchObject({
    code: "NOT_ALLOWED",
  });
  const verify = createNativeVerifier();
  const dependencies = { ...caller, verify };
  const addresses = member.transport.addresses();
  const found = await findNetwork(dependencies, { invite, request, addresses, signal });
  expect(found).toEqual({ genesis: net.genesis, story: { manifests: [first(), second(), third()], current: 2 } });
  await fetchSuccessors(caller, call, { request, first: first() });
  await expect(fetchSuccessors(caller, call, { request, first: first() })).rejects.toThrow();
  await stranger.stop();
});

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };
