/**
 * A consortium of seven real peers, and what tries to get into it. Three founders are admins, any two of whom decide. After
 * every step all peers that run are asked what they hold, through their own commands. The cases build on one another.
 */
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { weft } from "../cli/command.suite.ts";
import { readSigner } from "../node/data-directory/key.ts";
import { dataDirectoryLayout } from "../node/data-directory/layout.ts";
import { oneFrame } from "../node/exchange/byte-pipeline.ts";
import { withStream } from "../node/exchange/deadline.ts";
import { CERTIFICATE_KEY } from "../node/membership/certificates.ts";
import type { LogAnswer } from "../node/membership/roster-desk.ts";
import { embeddedModelDirectory } from "../node/system/files/embedded-model.ts";
import { readOrCreateKey } from "../node/system/files/key-file.ts";
import { openStore } from "../node/system/files/store.ts";
import { createLibp2pTransport } from "../node/system/network/libp2p.ts";
import { createSystemClock } from "../node/system/platform/system-clock.ts";
import { encodeCanonical } from "../protocol/canonical-message.ts";
import { createSigner } from "../protocol/envelope.ts";
import { encodeFrame } from "../protocol/frame.ts";
import { decodeReply, encodeHello, type HandshakeCode } from "../protocol/handshake.ts";
import { LIMITS } from "../protocol/limits.ts";
import { createAdmissionRequest, readAdmissionReply } from "../protocol/membership/admission.ts";
import { createEntry, encodeEntry, signEntry } from "../protocol/membership/entry.ts";
import { parseGenesis } from "../protocol/membership/genesis.ts";
import {
  createInvite,
  type Invite,
  type InviteTicket,
  inviteText,
  parseInvite,
  readTicket,
} from "../protocol/membership/invite.ts";
import { InviteTicketSchema } from "../protocol/membership/membership_pb.ts";
import type { NetworkId } from "../protocol/network-id.ts";
import { type NetworkManifest, networkId } from "../protocol/network-manifest.ts";
import { publicKeyOfPeerId } from "../protocol/peer-id.ts";
import { STREAM_PROTOCOLS, type StreamProtocol } from "../protocol/stream-protocols.ts";
import { type Consortium, createConsortium, type Running, WAITING } from "./consortium.suite.ts";

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };
const FOUNDERS = { alice: "admin", bob: "admin", carol: "admin", dan: "trainer" } as const;

let net: Consortium;
let manifest: NetworkManifest;
let network: NetworkId;
/** Those that run, by name. */
let up: Record<string, Running>;
let reusable: string;
/** What mallory was admitted with. */
let oldCertificate: Uint8Array;

beforeAll(async () => {
  net = await createConsortium({ parts: 8 });
  for (const name of [...Object.keys(FOUNDERS), "eve", "olga", "mallory", "frank", "oscar", "grace"])
    await net.init(name);
  await net.found({
    founders: Object.entries(FOUNDERS).map(([name, role]) => `${name} ${role}`),
    signers: ["alice", "bob"],
    flags: ["--rounds", "1000000", "--threshold", "2"],
  });
  ({ manifest } = parseGenesis(await readFile(net.at("network.json"), "utf8")));
  network = networkId(manifest);
  up = {};
}, 120_000);
afterAll(() => net.stop());

const start = (...names: readonly string[]): Promise<void> => startWith([], ...names);
async function startWith(flags: readonly string[], ...names: readonly string[]): Promise<void> {
  for (const name of names) {
    const others = Object.values(up).flatMap((peer) => ["--bootstrap", peer.address()]);
    const peer = net.start(name, ...flags, ...others);
    await expect.poll(() => peer.of("started").length, WAITING).toBe(1);
    up[name] = peer;
  }
}
async function stop(...names: readonly string[]): Promise<void> {
  await Promise.all(names.map((name) => up[name]!.stop()));
  for (const name of names) delete up[name];
}
/** Join by an invite and two approvals, and run. */
async function join_(name: string, admins: readonly string[], ...flags: readonly string[]): Promise<string> {
  const invite = await net.invite(admins[0]!, Object.values(up), ...flags);
  const peer = net.startWith(name, ["join", invite, "--label", name]);
  await net.approve(name, ...admins);
  await expect.poll(() => peer.of("started").length, WAITING).toBe(1);
  up[name] = peer;
  return invite;
}
const pendingOf = async (name: string) =>
  (await net.json<{ motions: readonly unknown[] }>(name, "members", "pending")).motions;
const others = (name: string): readonly Running[] => Object.values(up).filter((peer) => peer.name !== name);
/** A ticket with another issuer's name on it. */
function withIssuer({ bytes }: InviteTicket, issuer: string): InviteTicket {
  const fields = fromBinary(InviteTicketSchema, bytes);
  return readTicket(encodeCanonical(InviteTicketSchema, { ...fields, issuer: publicKeyOfPeerId(issuer) }));
}
/** Wait until everybody else has taken an update of somebody; what they said of them otherwise. */
async function othersTake(author: string): Promise<void> {
  for (const peer of others(author)) {
    const said = () => peer.of("update").filter(({ from }) => from === net.idOf(author));
    const view = () => ({
      ...{ peer: peer.name, neighbours: peer.neighbours(), round: peer.of("round").at(-1)?.summary.round },
      last: said().slice(-3),
      isTaken: peer.acceptedFrom(author).length > 0,
    });
    await expect.poll(view, WAITING).toMatchObject({ isTaken: true });
  }
}
/** Rounds of somebody's updates that others take from now on: none, until everybody else has made progress. */
async function nobodyTakes(author: string): Promise<void> {
  const before = others(author).map((peer) => peer.acceptedFrom(author).length);
  const rounds = others(author).map((peer) => peer.of("round").length);
  await expect
    .poll(() => others(author).every((peer, i) => peer.of("round").length > rounds[i]! + 1), WAITING)
    .toBe(true);
  expect(others(author).map((peer) => peer.acceptedFrom(author).length)).toEqual(before);
}
/** A stranger visits a member once a minute, and asks several members: an answer may take as long. */
const refusedJoin = (invite: string, ...flags: readonly string[]) =>
  weft(["join", invite, "--data-dir", net.at("frank"), "--join-only", "--wait", "150s", ...flags]);

type Ask = (protocol: StreamProtocol, message: Uint8Array) => Promise<Uint8Array>;
const randomSeed = () => crypto.getRandomValues(new Uint8Array(32));
const seedOf = async (name: string) => (await readOrCreateKey(dataDirectoryLayout(net.at(name)).key)).seed;

/** Visit a peer by this key, over a connection of its own; undefined when it does not even take the connection. */
async function visit<T>(host: Running, seed: Uint8Array, use: (ask: Ask) => Promise<T>): Promise<T | undefined> {
  const clock = createSystemClock();
  const options = { seed, listen: [], connectionsMax: 4, streamsPerProtocolMax: 4, gossipBytesMax: 1_000 };
  const transport = await createLibp2pTransport({ logger: SILENT }, options);
  await transport.start();
  try {
    const signal = AbortSignal.timeout(60_000);
    const peer = await transport.dial(host.address(), signal);
    return await use(async (protocol, message) => {
      const call = { peer, protocol, timeoutMs: 30_000, signal };
      return await withStream({ transport, clock }, call, async ({ source, sink }) => {
        await sink([encodeFrame(message)]);
        return await oneFrame(LIMITS.handshakeBytesMax)(source);
      });
    });
  } catch (error) {
    if (["DIAL_FAILED", "STREAM_FAILED"].includes(String((error as { code?: string }).code))) return undefined;
    throw error;
  } finally {
    await transport.stop();
  }
}

/** What alice answers to a hello, with a certificate and then, where she asks for them, the entries it rests on. */
const hello = (seed: Uint8Array, certificate: Uint8Array, of = manifest): Promise<HandshakeCode | undefined> =>
  visit(up.alice!, seed, async (ask) => {
    const say = async (entries: readonly Uint8Array[]): Promise<HandshakeCode> => {
      const greeting = encodeHello(of, { heads: [], certificate, entries });
      return decodeReply(await ask(STREAM_PROTOCOLS.handshake, greeting)).code;
    };
    const code = await say([]);
    return code === "ROSTER" ? await say([certificate]) : code;
  });

/** What a member says to a request by an invite, and whether it shows the genesis for it. */
const request = (host: Running, invite: Invite, seed = randomSeed()) =>
  visit(host, seed, async (ask) => {
    const asked = { label: "somebody", issuedAt: Math.floor(Date.now() / 1000) };
    const bytes = createAdmissionRequest(invite, asked, createSigner(seed));
    const reply = readAdmissionReply(await ask(STREAM_PROTOCOLS.admission, bytes));
    const genesis = await ask(STREAM_PROTOCOLS.genesis, bytes);
    return { said: reply.code === "denied" ? reply.reason : reply.code, showsGenesis: genesis.length > 0 };
  });

/** An invite as nobody's command would write it. */
async function crafted(
  by: string,
  terms: { readonly notAfter?: number; readonly network?: NetworkId } = {},
): Promise<Invite> {
  const { notAfter = Math.floor(Date.now() / 1000) + 3600, network: networkId = network } = terms;
  const secret = crypto.getRandomValues(new Uint8Array(16));
  const fields = { networkId, role: "trainer", uses: 1, notAfter, secret, addresses: [up.bob!.address()] } as const;
  return createInvite(fields, await readSigner(net.at(by)));
}
const longAgo = () => ({ notAfter: Math.floor(Date.now() / 1000) - LIMITS.clockSkewSeconds - 60 });
const ELSEWHERE = () => ({ ...manifest, name: "elsewhere" });

describe("a consortium of seven", () => {
  it("runs its founders", async () => {
    await start("alice", "bob", "carol", "dan");
    for (const peer of Object.values(up)) await expect.poll(() => peer.neighbours(), WAITING).toBe(3);
    await net.everybodyHolds({ members: FOUNDERS, removed: {} });
  });

  it("takes a trainer, an observer and another trainer by invite and approval", async () => {
    reusable = await join_("eve", ["alice", "bob"]);
    await join_("olga", ["bob", "carol"], "--role", "observer");
    await join_("mallory", ["carol", "alice"]);
    const members = { ...FOUNDERS, eve: "trainer", olga: "observer", mallory: "trainer" };
    await net.everybodyHolds({ members, removed: {} });
    await othersTake("mallory");
  });

  it("hears nothing of an observer, which hears everybody", async () => {
    await expect.poll(() => up.olga!.acceptedFrom("eve").length, WAITING).toBeGreaterThanOrEqual(1);
    await expect.poll(() => up.olga!.of("round").length, WAITING).toBeGreaterThanOrEqual(1);
    await nobodyTakes("olga");
    expect(up.olga!.of("published")).toEqual([]);
  });

  it("does nothing for an admin below the threshold", async () => {
    const proposed = await net.weft("carol", "members", "revoke", net.idOf("dan"));
    expect(proposed).toMatchObject({ code: 0, err: expect.stringContaining("1 of 2 admins agree") });
    for (const name of ["alice", "bob"]) await expect.poll(async () => (await pendingOf(name)).length, WAITING).toBe(1);
    const { members } = await net.everybodyHolds({ removed: {} });
    expect(members.dan).toBe("trainer");
    expect((await net.weft("carol", "members", "deny", net.idOf("dan"))).code).toBe(0);
  });

  it("revokes a peer in the middle of its training", async () => {
    expect((await net.weft("alice", "members", "revoke", net.idOf("mallory"), "--reason", "misconduct")).code).toBe(0);
    await net.approve("mallory", "bob");
    await expect.poll(() => up.mallory!.neighbours(), WAITING).toBe(0);
    await stop("mallory");
    await net.everybodyHolds({
      members: { ...FOUNDERS, eve: "trainer", olga: "observer" },
      removed: { mallory: "misconduct" },
    });
    await nobodyTakes("mallory");
    const store = await openStore(dataDirectoryLayout(net.at("mallory")).store);
    oldCertificate = (await store.get(CERTIFICATE_KEY))!;
    await store.close();
  });

  it("refuses an invite that is used, expired, of another network, or by who is no admin", async () => {
    const before = await net.everybodyHolds({});
    expect(await refusedJoin(reusable)).toMatchObject({
      code: 4,
      err: expect.stringContaining("the invite is used up; ask for a new one"),
    });
    const expired = inviteText(await crafted("alice", longAgo()));
    expect(await refusedJoin(expired)).toMatchObject({ code: 4, err: expect.stringContaining("has expired") });
    // The visits of strangers are a minute apart, so each of these asks somebody else, or waits for its turn.
    const ofAnother = inviteText(await crafted("alice", { network: networkId(ELSEWHERE()) }));
    expect(await refusedJoin(ofAnother, "--bootstrap", up.carol!.address())).toMatchObject({
      code: 4,
      err: expect.stringContaining("of another network than the invite is for"),
    });
    expect(await refusedJoin(inviteText(await crafted("dan")), "--bootstrap", up.dan!.address())).toMatchObject({
      code: 4,
      err: expect.stringContaining("is no admin any more"),
    });
    expect(await net.everybodyHolds({})).toEqual(before);
  });

  it("every member refuses such an invite by itself, whoever asks by it with a program of its own", async () => {
    const before = await net.everybodyHolds({});
    const good = await crafted("alice");
    const oscars = await crafted("oscar");
    const invites = {
      INVITE_EXPIRED: await crafted("alice", longAgo()),
      INVITE_USED: parseInvite(reusable),
      NETWORK_MISMATCH: await crafted("alice", { network: networkId(ELSEWHERE()) }),
      ISSUER_NOT_ADMIN: oscars,
      // Alice's name over what oscar signed, and her ticket without the secret.
      TICKET_INVALID: { ...oscars, ticket: withIssuer(oscars.ticket, net.idOf("alice")) },
      PROOF_INVALID: { ...good, secret: oscars.secret },
    };
    for (const host of Object.values(up)) {
      for (const [reason, invite] of Object.entries(invites)) {
        const answer = await request(host, invite);
        expect(answer, `${host.name}: ${reason}`).toEqual({ said: reason, showsGenesis: false });
      }
    }
    for (const { name } of Object.values(up)) {
      expect(JSON.stringify(await pendingOf(name)), name).not.toContain('"admit"');
    }
    expect(await net.everybodyHolds({})).toEqual(before);
  });

  it("asks nobody for anything where the model is another one, or files of it are missing", async () => {
    const invite = await net.invite("alice", [up.eve!]);
    await mkdir(net.at("model"));
    await cp(join(embeddedModelDirectory(), "config.json"), net.at("model/config.json"));
    const missing = await refusedJoin(invite, "--model", net.at("model"));
    expect(missing).toMatchObject({ code: 2, err: expect.stringContaining(manifest.model.digest.weights) });
    expect(missing.err).toContain("has no tokenizer.json");
    await cp(embeddedModelDirectory(), net.at("model"), { recursive: true });
    await writeFile(net.at("model/tokenizer.json"), `${await readFile(net.at("model/tokenizer.json"), "utf8")} `);
    const other = await refusedJoin(invite, "--model", net.at("model"), "--bootstrap", up.olga!.address());
    expect(other).toMatchObject({ code: 2, err: expect.stringContaining("model.digest.tokenizer differs") });
    for (const { name } of Object.values(up)) {
      expect(JSON.stringify(await pendingOf(name)), name).not.toContain(net.idOf("frank"));
    }
  });

  it("refuses a tampered genesis", async () => {
    const text = await readFile(net.at("network.json"), "utf8");
    for (const [from, to] of [
      ['"threshold": 2', '"threshold": 1'],
      [net.idOf("dan"), net.idOf("oscar")],
      ['"role": "trainer"', '"role": "admin"'],
    ] as const) {
      expect(text, from).toContain(from);
      await writeFile(net.at("tampered.json"), text.replaceAll(from, to));
      const refused = await weft(["run", "--data-dir", net.at("oscar"), "--network", net.at("tampered.json")]);
      expect(refused, from).toMatchObject({ code: 2, err: expect.stringContaining("is not over this manifest") });
    }
    const words = ["run", "--data-dir", net.at("oscar"), "--network", net.at("network.json"), "--data", "embedded"];
    const stranger = await weft(words);
    expect(stranger).toMatchObject({ code: 4, err: expect.stringContaining("is no member of the network") });
  });

  it("refuses a forged certificate, one of another peer, and an old one", async () => {
    const before = await net.everybodyHolds({});
    const oscar = await readSigner(net.at("oscar"));
    const issuedAt = Math.floor(Date.now() / 1000);
    const terms = { role: "trainer", notBefore: issuedAt, notAfter: issuedAt + 3600 } as const;
    const accomplices = [oscar, createSigner(crypto.getRandomValues(new Uint8Array(32)))];
    const forged = accomplices.reduce(
      signEntry,
      createEntry({
        networkId: network,
        parents: [],
        author: oscar.peer,
        signers: accomplices.map(({ peer }) => peer),
        sequence: 0,
        issuedAt,
        statement: { kind: "admit", subject: oscar.peer, ...terms },
      }),
    );
    expect(await hello(await seedOf("oscar"), encodeEntry(forged))).toBe("NOT_A_MEMBER");
    // A second visit within a minute is not taken.
    expect(await hello(await seedOf("oscar"), oldCertificate)).toBeUndefined();
    expect(await hello(await seedOf("mallory"), oldCertificate)).toBeUndefined();
    expect(await hello(randomSeed(), oldCertificate)).toBe("NOT_A_MEMBER");
    expect(await hello(randomSeed(), oldCertificate, ELSEWHERE())).toBe("NETWORK");
    expect(await net.everybodyHolds({})).toEqual(before);
    expect(before.members).not.toHaveProperty("mallory");
  });

  it("heals a fork of the roster, which two sides that are cut off make at the same time", async () => {
    // A fourth admin, so that two can decide on either side.
    const promote = ["members", "promote", net.idOf("dan"), "--role", "admin"];
    expect((await net.weft("alice", ...promote)).code).toBe(0);
    await net.approve("dan", "carol");
    await net.everybodyHolds({ members: { ...FOUNDERS, dan: "admin", eve: "trainer", olga: "observer" } });
    await stop(...Object.keys(up));
    // Two sides run at the same time, and each of them dials within its own range of addresses only.
    const side = (range: string) => [
      ...["--listen", `/ip4/${range}.1/tcp/0`, "--net-restrict", `${range}.0/24`],
      // Where every connection on this machine comes from.
      ...["--net-restrict", "127.0.0.1/32"],
    ];
    await startWith(side("127.0.1"), "alice", "bob");
    await startWith(side("127.0.2"), "carol", "dan");
    const isCut = () => expect(Object.values(up).map((peer) => peer.neighbours())).toEqual([1, 1, 1, 1]);
    for (const peer of Object.values(up)) await expect.poll(() => peer.neighbours(), WAITING).toBe(1);
    await Promise.all([
      net.json("alice", "members", "promote", net.idOf("eve"), "--role", "admin"),
      net.json("carol", "members", "revoke", net.idOf("eve"), "--reason", "key-stolen"),
    ]);
    await Promise.all([net.approve("eve", "bob"), net.approve("eve", "dan")]);
    const left = { members: { ...FOUNDERS, dan: "admin", eve: "admin", olga: "observer" } };
    const right = { members: { ...FOUNDERS, dan: "admin", olga: "observer" } };
    for (const name of ["alice", "bob"]) await expect.poll(() => net.held(name), WAITING).toMatchObject(left);
    for (const name of ["carol", "dan"]) {
      await expect.poll(async () => (await net.held(name)).members, WAITING).toEqual(right.members);
    }
    for (const name of ["alice", "bob"]) expect(await net.held(name), name).toMatchObject(left);
    isCut();
    const sides = [await net.held("alice"), await net.held("carol")];
    // It heals by one peer that reaches both sides, which still do not reach each other.
    await start("olga");
    await expect.poll(() => up.olga!.neighbours(), WAITING).toBe(4);
    const healed = await net.everybodyHolds({
      ...right,
      removed: { mallory: "misconduct", eve: "key-stolen" },
    });
    for (const name of ["alice", "bob", "carol", "dan"]) expect(up[name]!.neighbours(), name).toBe(2);
    expect(sides.map(({ digest }) => digest)).not.toContain(healed.digest);
    expect(healed.heads).toEqual(sides.flatMap(({ heads }) => heads).sort());
    for (const name of Object.keys(up)) {
      const { entries } = await net.json<LogAnswer>(name, "members", "log");
      const lost = entries.filter((entry) => entry.lost !== undefined);
      expect(lost, name).toMatchObject([{ kind: "promote", lost: "REMOVAL_WINS" }]);
      expect(lost[0]!.signers.map(net.nameOf).sort(), name).toEqual(["alice", "bob"]);
      const { out } = await net.weft(name, "members", "log");
      expect(out, name).toContain("DOES NOT COUNT: a removal on another branch overrides it");
    }
    const cut = ["alice", "bob", "carol", "dan"];
    await stop(...cut);
    await start(...cut);
  });

  it("goes on admitting and revoking when a founder is killed for good", async () => {
    up.alice!.process.kill();
    await up.alice!.process.ended;
    delete up.alice;
    await join_("grace", ["bob", "dan"]);
    const members = { ...FOUNDERS, dan: "admin", olga: "observer", grace: "trainer" };
    await net.everybodyHolds({ members });
    expect((await net.weft("carol", "members", "revoke", net.idOf("alice"), "--reason", "key-lost")).code).toBe(0);
    await net.approve("alice", "bob");
    const { alice: _, ...left } = members;
    await net.everybodyHolds({
      members: left,
      removed: { mallory: "misconduct", eve: "key-stolen", alice: "key-lost" },
    });
    await othersTake("grace");
    // What everybody holds follows from the genesis alone.
    const names = Object.keys(up);
    await stop(...names);
    for (const name of names) {
      const log = await net.weft(name, "members", "log", "--verify");
      expect(log, name).toMatchObject({ code: 0, out: expect.stringContaining("rebuilt from the genesis alone") });
    }
  });
});
