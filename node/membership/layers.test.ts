/** Each layer refuses by itself: the attacker here has got past the others, or the victim does without them. */
import { afterEach, describe, expect, it } from "vitest";
import { signAnnouncement } from "../../protocol/announcement.ts";
import { encodeBlobRequest } from "../../protocol/blob.ts";
import { encodeFrame } from "../../protocol/frame.ts";
import { announcementTopic, rosterTopic } from "../../protocol/gossip-topics.ts";
import { encodeHello } from "../../protocol/handshake.ts";
import { encodeHeads } from "../../protocol/heads.ts";
import { encodeEntry } from "../../protocol/membership/entry.ts";
import { encodeInventory } from "../../protocol/membership/roster-exchange.ts";
import { encodeRosterMessage } from "../../protocol/membership/roster-message.ts";
import { networkId } from "../../protocol/network-manifest.ts";
import { STREAM_PROTOCOLS, type StreamProtocol } from "../../protocol/stream-protocols.ts";
import { signUpdate } from "../../protocol/update.ts";
import { ENCODING_FLOAT32, float32Payload } from "../../protocol/vectors/example-network.ts";
import { signerOf, thetaOf } from "../exchange/exchange.suite.ts";
import { collect } from "../exchange/impostor.suite.ts";
import type { Transport } from "../interface/transport.ts";
import { patient, silentLogger, until } from "../system/network/transport.suite.ts";
import {
  admit,
  BOUNDS,
  type Consortium,
  connect,
  createConsortium,
  entryOf,
  genesisWith,
  know,
  type Member,
  revoke,
} from "./membership.suite.ts";

let net: Consortium;
const transports: Transport[] = [];
afterEach(async () => {
  await Promise.all(transports.splice(0).map((transport) => transport.stop()));
  await net.stop();
});
const found = (genesis = genesisWith()): Consortium => {
  net = createConsortium(genesis);
  return net;
};
/** A peer that does nothing of what the protocol asks for; it is connected to a victim whose gate is out of order. */
async function intruder(seed: number, victim: Member): Promise<Transport> {
  const transport = net.hub.create({ logger: silentLogger }, { peer: signerOf(seed).peer, ...BOUNDS });
  transports.push(transport);
  for (const topic of [
    announcementTopic(networkId(net.genesis.manifest)),
    rosterTopic(networkId(net.genesis.manifest)),
  ]) {
    transport.subscribe(topic, { validate: () => ({ verdict: "accept", message: undefined }), deliver: () => {} });
  }
  await transport.start();
  await transport.dial(victim.transport.addresses()[0]!, patient());
  return transport;
}
async function ask(
  from: Transport,
  victim: Member,
  protocol: StreamProtocol,
  message: Uint8Array,
): Promise<Uint8Array | string> {
  try {
    const stream = await from.open(victim.signer.peer, protocol, patient());
    const [answer] = await Promise.all([collect(stream.source), stream.sink([encodeFrame(message)])]);
    return answer;
  } catch (error) {
    return (error as { code: string }).code;
  }
}
const publish = (member: Member, seed: number, round: number) =>
  member.exchange.publish({ round, theta: thetaOf(seed, round), localSteps: 3, sampleCount: 40 });
function announcementBy(seed: number): { readonly envelope: Uint8Array; readonly announcement: Uint8Array } {
  const update = {
    networkId: networkId(net.genesis.manifest),
    round: 0,
    sequence: 0,
    previous: undefined,
    localSteps: 1,
    sampleCount: 1,
    encoding: ENCODING_FLOAT32,
    payload: float32Payload(thetaOf(seed, 0)),
  };
  const { bytes: envelope, contentId } = signUpdate(update, signerOf(seed));
  const fields = { ...update, contentId, bytesLength: envelope.byteLength };
  return { envelope, announcement: signAnnouncement(fields, signerOf(seed)) };
}

describe("a peer whose connection gate lets everybody in", () => {
  it.each([
    ["a stranger", 9],
    ["a removed member", 4],
  ])("has %s refused by handshake, gossip, heads, bytes and roster", async (_, seed) => {
    found();
    const victim = await net.up({ seed: 1, isGated: false });
    const other = await net.up({ seed: 2, isGated: false });
    await connect(victim, other);
    know(victim, entryOf(net.genesis, revoke(signerOf(4).peer)));
    await publish(other, 2, 0);
    await until(() => victim.exchange.latest().length === 1);
    const update = victim.exchange.latest()[0]!;
    // What a removed one is hung up on for at once, its handshake layer does without.
    const from = await intruder(seed, victim);
    const { manifest } = net.genesis;
    const answers = await Promise.all([
      ask(from, victim, STREAM_PROTOCOLS.handshake, encodeHello(manifest)),
      ask(from, victim, STREAM_PROTOCOLS.heads, encodeHeads([])),
      ask(from, victim, STREAM_PROTOCOLS.blob, encodeBlobRequest("0".repeat(64) as never)),
      ask(from, victim, STREAM_PROTOCOLS.roster, encodeInventory(victim.membership.roster.log)),
    ]);
    for (const answer of answers.slice(1)) expect(["NOT_ADMITTED", "STREAM_FAILED"]).toContain(answer);
    expect(victim.exchange.admitted()).toEqual([other.signer.peer]);
    await from.publish(announcementTopic(networkId(manifest)), announcementBy(seed).announcement);
    const entry = entryOf(net.genesis, admit(signerOf(6).peer));
    await from.publish(
      rosterTopic(networkId(manifest)),
      encodeRosterMessage({ kind: "entry", body: encodeEntry(entry) }),
    );
    await until(() => true);
    expect(victim.exchange.latest()).toEqual([update]);
    expect(victim.membership.roleOf(signerOf(6).peer)).toBeUndefined();
  });
});

describe("the gossip validator", () => {
  it("ignores updates of observers, relays and strangers that a member passes on, and blames nobody", async () => {
    found();
    const entries = [
      entryOf(net.genesis, admit(signerOf(6).peer, "observer")),
      entryOf(net.genesis, admit(signerOf(7).peer, "relay")),
    ];
    const [victim, fool] = [await net.up({ seed: 1 }), await net.up({ seed: 2 })];
    for (const member of [victim, fool]) know(member, ...entries);
    await connect(victim, fool);
    const topic = announcementTopic(networkId(net.genesis.manifest));
    for (const seed of [6, 7, 9]) await fool.transport.publish(topic, announcementBy(seed).announcement);
    await until(() => victim.exchange.counts().ignored === 3);
    expect(victim.exchange.counts()).toMatchObject({ rejected: 0, codes: { ROLE_FORBIDS: 2, NOT_A_MEMBER: 1 } });
  });

  it("rejects forged entries and drafts, and looks at so many of a neighbour's notes only", async () => {
    found();
    const [victim, liar] = [
      await net.up({ seed: 1, membership: { messagesBurst: 3, messagesPerSecond: 0 } }),
      await net.up({ seed: 2 }),
    ];
    await connect(victim, liar);
    const topic = rosterTopic(networkId(net.genesis.manifest));
    const forged = entryOf(net.genesis, admit(signerOf(6).peer));
    const body = encodeEntry({ ...forged, signatures: forged.signatures.map((one) => one.toReversed()) });
    await liar.transport.publish(topic, encodeRosterMessage({ kind: "entry", body }));
    await liar.transport.publish(topic, encodeRosterMessage({ kind: "draft", body }));
    await liar.transport.publish(topic, encodeRosterMessage({ kind: "proof", body }));
    await liar.transport.publish(topic, encodeRosterMessage({ kind: "entry", body: encodeEntry(forged) }));
    await until(() => Object.keys(victim.membership.codes()).length >= 2);
    await until(() => true);
    const { codes } = { codes: victim.membership.codes() };
    expect(Object.values(codes).reduce((sum, count) => sum + count, 0)).toBe(3);
    expect(codes.SIGNATURE_INVALID).toBe(2);
    expect(victim.membership.roleOf(signerOf(6).peer)).toBeUndefined();
  });
});

describe("the blob server and the inbox", () => {
  it("serve nothing to relays, and nothing about who was removed", async () => {
    found();
    const relay = entryOf(net.genesis, admit(signerOf(7).peer, "relay"));
    const [victim, author] = [await net.up({ seed: 1 }), await net.up({ seed: 4 })];
    know(victim, relay);
    await connect(victim, author);
    await publish(author, 4, 0);
    await until(() => victim.exchange.latest().length === 1);
    const asker = await net.up({ seed: 2 });
    await connect(asker, victim);
    await until(() => asker.exchange.latest().length === 1);
    // The intruder is the relay itself, past its handshake, asking for what its role does not get.
    const r = await net.up({ seed: 7 });
    know(r, relay);
    await connect(r, victim);
    const request = encodeBlobRequest("0".repeat(64) as never);
    expect(await ask(r.transport, victim, STREAM_PROTOCOLS.blob, request)).toBe("NOT_ADMITTED");
    expect(await ask(asker.transport, victim, STREAM_PROTOCOLS.blob, request)).toBeInstanceOf(Uint8Array);
    know(victim, entryOf(net.genesis, revoke(author.signer.peer)));
    await until(() => !victim.exchange.admitted().includes(author.signer.peer));
    expect(victim.exchange.latest()).toEqual([]);
    const late = await net.up({ seed: 3 });
    know(late, relay);
    await connect(late, victim);
    await until(() => late.membership.statusOf(author.signer.peer) === "removed");
    expect(late.exchange.latest()).toEqual([]);
  });
});

describe("two different updates of one author under one sequence", () => {
  it("are proven to everybody, and the author is barred", async () => {
    found();
    const [a, b, c] = [await net.up({ seed: 1 }), await net.up({ seed: 2 }), await net.up({ seed: 3 })];
    await connect(a, b);
    await connect(b, c);
    const topic = announcementTopic(networkId(net.genesis.manifest));
    const liar = await net.up({ seed: 4 });
    await connect(liar, a);
    await publish(liar, 4, 0);
    await until(() => a.exchange.latest().length === 1);
    await liar.transport.publish(topic, announcementBy(4).announcement);
    const isOut = (member: Member): boolean => member.membership.statusOf(signerOf(4).peer) === "removed";
    await until(() => [a, b, c].every(isOut));
    expect(a.exchange.latest()).toEqual([]);
    expect(a.transport.connected()).not.toContain(signerOf(4).peer);
    const again = await net.up({ seed: 9, isGated: false });
    expect(isOut(again)).toBe(false);
    await c.stop();
    const restarted = await net.up({ seed: 3, store: c.store });
    expect(isOut(restarted)).toBe(true);
  });
});
