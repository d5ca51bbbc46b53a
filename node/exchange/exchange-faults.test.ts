import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeAddresses } from "../../protocol/addresses.ts";
import { readAnnouncement, signAnnouncement } from "../../protocol/announcement.ts";
import { encodeBlobRequest } from "../../protocol/blob.ts";
import { decodeCheckupReply, encodeCheckupRequest } from "../../protocol/checkup.ts";
import { contentIdOf } from "../../protocol/content-id.ts";
import { encodeFrame } from "../../protocol/frame.ts";
import { encodeHello } from "../../protocol/handshake.ts";
import { encodeHeads } from "../../protocol/heads.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { networkId } from "../../protocol/network-manifest.ts";
import { STREAM_PROTOCOLS } from "../../protocol/stream-protocols.ts";
import { patient, until } from "../system/network/transport.suite.ts";
import { connect, MANIFEST, P, publish, roundsOf, type TestPeer, thetaOf } from "./exchange.suite.ts";
import { createNet, impostor, lied, up } from "./exchange-faults.suite.ts";
import { EXCHANGE_DEFAULTS } from "./exchange-limits.ts";
import { blobReply, forge } from "./impostor.suite.ts";

describe("before the handshake", () => {
  it("a peer gets no heads and no bytes, and its gossip is ignored", async () => {
    const net = createNet();
    const victim = await up(net, { seed: 1 });
    await publish(victim, 1, 0);
    const stranger = await impostor(net, { seed: 9, answers: false });
    await stranger.dial(victim);
    const id = contentIdOf(new Uint8Array());
    expect(await stranger.send(victim, STREAM_PROTOCOLS.blob, [encodeFrame(encodeBlobRequest(id))])).toBeInstanceOf(
      Error,
    );
    expect(await stranger.send(victim, STREAM_PROTOCOLS.heads, [encodeFrame(encodeHeads([]))])).toBeInstanceOf(Error);
    await stranger.gossip(forge(9).announcement);
    // A friend that is let in afterwards shows that the stranger's message has had its turn.
    await connect(await up(net, { seed: 2 }), victim);
    expect(victim.updates).toEqual([]);
    expect(stranger.requests()).toBe(0);
  });

  it("a peer that never answers is hung up on when the time is over", async () => {
    const net = createNet();
    const victim = await up(net, { seed: 1 });
    const silent = await impostor(net, { seed: 9, answers: false });
    await silent.dial(victim);
    await until(() => net.clock.waiting() > 0);
    net.clock.advance(10_000);
    await until(() => victim.transport.connected().length === 0);
    expect(victim.said).toEqual(["peer refused: it did not complete the handshake"]);
    expect(victim.exchange.admitted()).toEqual([]);
  });

  it("the neighbours are full at their limit, and the next one is told so", async () => {
    const net = createNet();
    const full = await up(net, { seed: 1, exchange: { neighboursMax: 1 } });
    await connect(await up(net, { seed: 2 }), full);
    const third = await up(net, { seed: 3 });
    await third.transport.dial(full.transport.addresses()[0]!, patient());
    await until(() => third.said.length > 0 && third.transport.connected().length === 0);
    expect(third.said).toEqual(["peer refused: the peer has no room for another neighbour"]);
    expect(full.exchange.admitted()).toHaveLength(1);
  });

  it("a peer that is not a member is refused", async () => {
    const net = createNet();
    const closed = await up(net, { seed: 1, exchange: { isMember: () => false } });
    const outsider = await up(net, { seed: 2 });
    await outsider.transport.dial(closed.transport.addresses()[0]!, patient());
    await until(() => outsider.said.length > 0 && closed.transport.connected().length === 0);
    expect(closed.said).toEqual(["peer refused: it is not a member of the network"]);
  });
});

describe("bytes that are not what was announced", () => {
  const rows: readonly [what: string, reply: (envelope: Uint8Array) => readonly Uint8Array[]][] = [
    ["another length in the header", (bytes) => blobReply({ status: "found", length: bytes.byteLength + 1 }, bytes)],
    ["fewer bytes", (bytes) => blobReply({ status: "found", length: bytes.byteLength }, bytes.subarray(1))],
    ["more bytes", (bytes) => blobReply({ status: "found", length: bytes.byteLength }, bytes, Uint8Array.of(0))],
    [
      "other bytes",
      (bytes) =>
        blobReply(
          { status: "found", length: bytes.byteLength },
          bytes.map((x) => x ^ 1),
        ),
    ],
    ["no header", () => []],
    ["a header that does not decode", () => [encodeFrame(new Uint8Array(8).fill(255)), new Uint8Array(100)]],
    ["a header without an end", () => [Uint8Array.of(255, 255, 255, 255), new Uint8Array(1000)]],
  ];
  for (const [what, reply] of rows) {
    it(`are refused, and the next provider is asked: ${what}`, async () => {
      const { net, victim, liar } = await lied();
      const honest = await impostor(net, { seed: 8 });
      const { envelope, announcement } = forge(9);
      liar.serve(() => reply(envelope));
      honest.serve(() => blobReply({ status: "found", length: envelope.byteLength }, envelope));
      await honest.enter(victim);
      await liar.sendHeads(victim, [announcement]);
      await until(() => victim.exchange.latest().length === 1);
      expect([liar.requests(), honest.requests()]).toEqual([1, 1]);
      expect(victim.exchange.latest()[0]?.theta).toEqual(thetaOf(9, 0));
    });
  }

  it("make whoever sends them too often refused for a while, and no longer", async () => {
    const net = createNet();
    const victim = await up(net, { seed: 1, exchange: { rejectsMax: 2, refusalMs: 5000 } });
    const liar = await impostor(net, { seed: 9 });
    await liar.enter(victim);
    liar.serve(() => [Uint8Array.of(255, 255, 255, 255), new Uint8Array(1000)]);
    for (const sequence of [0, 1, 2]) {
      await liar.sendHeads(victim, [forge(9, { sequence }).announcement]);
      await until(() => liar.requests() === sequence + 1);
    }
    await until(() => victim.transport.connected().length === 0);
    expect(victim.exchange.refuses(liar.signer.peer)).toBe(true);
    await liar.dial(victim);
    await until(() => victim.transport.connected().length === 0);
    expect(victim.exchange.admitted()).toEqual([]);
    net.clock.advance(5000);
    await liar.enter(victim);
  });
});

describe("blame goes to whoever could have known", () => {
  it("an author that announces a wrong length is convicted by the bytes, and who serves them stays a neighbour", async () => {
    const net = createNet();
    const victim = await up(net, { seed: 1, exchange: { rejectsMax: 2 } });
    const honest = await impostor(net, { seed: 8 });
    const liar = await impostor(net, { seed: 9 });
    await honest.enter(victim);
    await liar.enter(victim);
    for (const sequence of [0, 1, 2]) {
      const right = forge(9, { sequence });
      const said = forge(9, { sequence }, { bytesLength: right.envelope.byteLength + (sequence === 1 ? -1 : 1) });
      liar.serve(undefined);
      honest.serve(() => blobReply({ status: "found", length: right.envelope.byteLength }, right.envelope));
      await liar.sendHeads(victim, [said.announcement]);
      await until(() => victim.updates.length === sequence + 1);
    }
    const mismatch = { from: liar.signer.peer, verdict: "reject", code: "ANNOUNCEMENT_MISMATCH" };
    for (const notice of victim.updates) expect(notice).toMatchObject(mismatch);
    expect(victim.exchange.refuses(liar.signer.peer)).toBe(true);
    expect(victim.exchange.refuses(honest.signer.peer)).toBe(false);
    expect(victim.exchange.admitted()).toContain(honest.signer.peer);
  });

  it("a provider that ends too soon may have been stopped: it is not blamed, and asked last from then on", async () => {
    const net = createNet();
    const victim = await up(net, { seed: 1, exchange: { rejectsMax: 0 } });
    const [cut, honest] = [await impostor(net, { seed: 7 }), await impostor(net, { seed: 8 })];
    for (const one of [cut, honest]) await one.enter(victim);
    for (const [i, author] of [20, 21, 22].entries()) {
      const { envelope, announcement } = forge(author);
      cut.serve(() => blobReply({ status: "found", length: envelope.byteLength }, envelope.subarray(0, 100)));
      honest.serve(() => blobReply({ status: "found", length: envelope.byteLength }, envelope));
      await cut.sendHeads(victim, [announcement]);
      await until(() => victim.updates.length === i + 1);
    }
    expect(victim.updates.map(({ code }) => code)).toEqual(["ACCEPTED", "ACCEPTED", "ACCEPTED"]);
    expect([cut.requests(), honest.requests()]).toEqual([1, 3]);
    expect(victim.exchange.refuses(cut.signer.peer)).toBe(false);
  });

  it("so may one whose stream ends before it has said anything, as where its connection is cut on the way", async () => {
    const net = createNet();
    const victim = await up(net, { seed: 1, exchange: { rejectsMax: 0 } });
    const [cut, honest] = [await impostor(net, { seed: 7 }), await impostor(net, { seed: 8 })];
    for (const one of [cut, honest]) await one.enter(victim);
    for (const [i, author] of [20, 21, 22].entries()) {
      const { envelope, announcement } = forge(author);
      cut.serve(() => []);
      honest.serve(() => blobReply({ status: "found", length: envelope.byteLength }, envelope));
      await cut.sendHeads(victim, [announcement]);
      await until(() => victim.updates.length === i + 1);
    }
    expect(victim.updates.map(({ code }) => code)).toEqual(["ACCEPTED", "ACCEPTED", "ACCEPTED"]);
    expect([cut.requests(), honest.requests()]).toEqual([1, 3]);
    expect(victim.exchange.refuses(cut.signer.peer)).toBe(false);
  });

  it("an author that announces another's update is convicted by its bytes, and neither the other nor who serves them", async () => {
    const net = createNet();
    const victim = await up(net, { seed: 1, exchange: { rejectsMax: 0 } });
    const [other, honest, liar] = [
      await impostor(net, { seed: 7 }),
      await impostor(net, { seed: 8 }),
      await impostor(net, { seed: 9 }),
    ];
    for (const one of [other, honest, liar]) await one.enter(victim);
    const theirs = forge(7);
    const { contentId, bytesLength } = readAnnouncement(theirs.announcement);
    const fields = { networkId: networkId(MANIFEST), round: 0, sequence: 0, contentId, bytesLength };
    honest.serve(() => blobReply({ status: "found", length: theirs.envelope.byteLength }, theirs.envelope));
    await liar.sendHeads(victim, [signAnnouncement(fields, liar.signer)]);
    await until(() => victim.updates.length === 1);
    expect(victim.updates[0]).toMatchObject({ from: liar.signer.peer, code: "ANNOUNCEMENT_MISMATCH" });
    expect([other, honest, liar].map(({ signer }) => victim.exchange.refuses(signer.peer))).toEqual([
      false,
      false,
      true,
    ]);
  });
});

describe("what neighbours have of a peer's time", () => {
  const rejectsMax = 2;
  const known = (peer: TestPeer): number => Object.values(peer.exchange.counts().codes).reduce((sum, n) => sum + n, 0);

  it("is one announcement of each author in a message, and who sends more is to blame", async () => {
    const net = createNet();
    const victim = await up(net, { seed: 1, exchange: { rejectsMax } });
    const flooder = await impostor(net, { seed: 9 });
    await flooder.enter(victim);
    const old = Array.from({ length: 50 }, (_, i) => forge(9, { sequence: i, round: 1, sampleCount: 2 }).announcement);
    await flooder.sendHeads(victim, [forge(9, { sequence: 60, round: 1 }).announcement]);
    for (let message = 0; message <= rejectsMax; message++) {
      expect(victim.exchange.refuses(flooder.signer.peer)).toBe(false);
      await flooder.sendHeads(victim, old).catch(() => {});
    }
    await until(() => victim.exchange.refuses(flooder.signer.peer));
    expect(victim.exchange.counts().codes.OLD).toBe(rejectsMax + 1);
  });

  it("is so many verified signatures, in heads and gossip together, until more time has passed", async () => {
    const net = createNet();
    const victim = await up(net, { seed: 1, exchange: { signatureChecksBurst: 5, signatureChecksPerSecond: 2 } });
    const flooder = await impostor(net, { seed: 9 });
    await flooder.enter(victim);
    const told = (from: number) => Array.from({ length: 30 }, (_, i) => forge(from + i, { round: 99 }).announcement);
    await flooder.sendHeads(victim, told(30));
    expect(victim.exchange.counts().codes).toEqual({ ROUND_AHEAD: 5 });
    await flooder.gossip(forge(80, { round: 99 }).announcement);
    await flooder.sendHeads(victim, told(100));
    expect(known(victim)).toBe(5);
    net.clock.advance(1000);
    await flooder.sendHeads(victim, told(100));
    await until(() => known(victim) === 7);
    // Nobody else waits for it.
    const honest = await impostor(net, { seed: 8 });
    await honest.enter(victim);
    await honest.sendHeads(victim, [forge(8, { round: 99 }).announcement]);
    await until(() => known(victim) === 8);
  });

  it("is so many heads and so many hellos once it is admitted", async () => {
    const net = createNet();
    const victim = await up(net, {
      seed: 1,
      exchange: { headsRates: { burst: 2, perPeriod: 1, periodMs: 1000 }, rejectsMax },
    });
    const flooder = await impostor(net, { seed: 9 });
    await flooder.enter(victim);
    await flooder.sendHeads(victim, []);
    await flooder.sendHeads(victim, []);
    await expect(flooder.sendHeads(victim, [])).rejects.toThrow();
    net.clock.advance(1000);
    await flooder.sendHeads(victim, []);
    const { burst, periodMs } = EXCHANGE_DEFAULTS.hellosOfNeighbours;
    const greet = () => flooder.send(victim, STREAM_PROTOCOLS.handshake, [encodeFrame(encodeHello(MANIFEST))]);
    for (let hello = 0; hello < burst; hello++) expect(await greet()).toBeInstanceOf(Uint8Array);
    expect(await greet()).toBeInstanceOf(Error);
    net.clock.advance(periodMs);
    expect(await greet()).toBeInstanceOf(Uint8Array);
  });

  it("is a hello of an open network that is not much longer than its own", async () => {
    const net = createNet();
    const victim = await up(net, { seed: 1 });
    const stranger = await impostor(net, { seed: 9, answers: false });
    await stranger.dial(victim);
    const long = { ...MANIFEST, bootstrap: Array.from({ length: 64 }, (_, i) => `/dns4/${i}${"n".repeat(250)}/tcp/1`) };
    expect(await stranger.send(victim, STREAM_PROTOCOLS.handshake, [encodeFrame(encodeHello(long))])).toBeInstanceOf(
      Uint8Array,
    );
    const huge = new Uint8Array(1_800_000).fill(0x0a);
    expect(await stranger.send(victim, STREAM_PROTOCOLS.handshake, [encodeFrame(huge)])).toBeInstanceOf(Error);
    expect(victim.exchange.admitted()).toEqual([]);
  });
});

describe("addresses that a neighbour's word is not good for", () => {
  it("are dialled neither as hearsay nor for a checkup", async () => {
    const net = createNet();
    const victim = await up(net, { seed: 1 });
    const liar = await impostor(net, { seed: 9 });
    await liar.enter(victim);
    const at = (host: string) => `/ip4/${host}/tcp/80/ws/p2p/${liar.signer.peer}`;
    const tried: string[] = [];
    victim.transport.believable = (addresses) => addresses.filter((address) => address !== at("127.0.0.1"));
    victim.transport.reaches = async (address) => tried.push(address) > 0;
    const heard: (readonly string[])[] = [];
    victim.exchange.onAddresses((addresses) => heard.push(addresses));
    const both = [at("127.0.0.1"), at("192.0.2.7")];
    await liar.send(victim, STREAM_PROTOCOLS.addresses, [encodeFrame(encodeAddresses(both))]);
    await until(() => heard.length === 1);
    expect(heard[0]).toEqual([at("192.0.2.7")]);
    const asked = encodeFrame(encodeCheckupRequest(both, liar.signer.peer));
    const reply = await liar.send(victim, STREAM_PROTOCOLS.checkup, [asked]);
    if (reply instanceof Error) throw reply;
    expect(decodeCheckupReply(reply.subarray(4), 2).reached).toEqual([false, true]);
    expect(tried).toEqual([at("192.0.2.7")]);
  });
});

describe("what an author must not say", () => {
  it("two updates with one sequence are an equivocation, whoever tells", async () => {
    const { victim, liar } = await lied();
    const first = forge(9, { sampleCount: 1 });
    const second = forge(9, { sampleCount: 2 });
    liar.serve(() => blobReply({ status: "found", length: first.envelope.byteLength }, first.envelope));
    await liar.sendHeads(victim, [first.announcement]);
    await until(() => victim.exchange.latest().length === 1);
    await liar.gossip(second.announcement);
    await until(() => victim.updates.length === 2);
    expect(victim.updates[1]).toEqual({ from: liar.signer.peer, round: 0, verdict: "reject", code: "EQUIVOCATION" });
    expect(victim.exchange.latest()[0]?.sampleCount).toBe(1);
  });

  it("an update that its own announcement contradicts is rejected", async () => {
    const { victim, liar } = await lied();
    const update = forge(9, { payload: new Uint8Array(4 * (P - 1)) });
    liar.serve(() => blobReply({ status: "found", length: update.envelope.byteLength }, update.envelope));
    await liar.sendHeads(victim, [update.announcement]);
    await until(() => victim.updates.length === 1);
    expect(victim.updates[0]).toMatchObject({ from: liar.signer.peer, verdict: "reject", code: "PAYLOAD_LENGTH" });
    expect(victim.exchange.latest()).toEqual([]);
  });

  it("an update longer than P values can be is rejected without a request", async () => {
    const { victim, liar } = await lied();
    const huge = forge(9, {}, { bytesLength: LIMITS.updateBytesMax });
    await liar.sendHeads(victim, [huge.announcement]);
    expect(victim.exchange.counts()).toEqual({ accepted: 0, ignored: 0, rejected: 1, codes: { PAYLOAD_LENGTH: 1 } });
    expect(liar.requests()).toBe(0);
  });

  it("rounds outside the window are ignored, unless the peer is catching up", async () => {
    const { victim, liar } = await lied();
    const ahead = forge(9, { round: LIMITS.roundsAheadMax + 1 });
    liar.serve(() => blobReply({ status: "found", length: ahead.envelope.byteLength }, ahead.envelope));
    await liar.sendHeads(victim, [ahead.announcement]);
    expect(victim.exchange.counts().codes).toEqual({ ROUND_AHEAD: 1 });
    victim.exchange.setRound(0, { catchingUp: true });
    await liar.sendHeads(victim, [ahead.announcement]);
    await until(() => victim.exchange.latest().length === 1);
  });

  it("heads stop being read once their sender is refused", async () => {
    const net = createNet();
    const victim = await up(net, { seed: 1, exchange: { rejectsMax: 2 } });
    const liar = await impostor(net, { seed: 9 });
    await liar.enter(victim);
    const forged = forge(9).announcement.slice();
    forged[forged.byteLength - 1]! ^= 1;
    await liar
      .sendHeads(
        victim,
        Array.from({ length: 100 }, () => forged),
      )
      .catch(() => {});
    await until(() => victim.exchange.refuses(liar.signer.peer));
    expect(victim.exchange.counts().codes).toEqual({ SIGNATURE_INVALID: 3 });
  });
});

describe("a stranger's bytes", () => {
  const protocols = [
    STREAM_PROTOCOLS.handshake,
    STREAM_PROTOCOLS.heads,
    STREAM_PROTOCOLS.blob,
    STREAM_PROTOCOLS.addresses,
  ];
  it("never stop a peer, on any protocol", async () => {
    const net = createNet();
    const victim = await up(net, {
      seed: 1,
      exchange: { rejectsMax: Number.MAX_SAFE_INTEGER, addressesPerWindowMax: 1000 },
    });
    const unhandled: unknown[] = [];
    const note = (error: unknown): void => void unhandled.push(error);
    process.on("unhandledRejection", note);
    const admitted = await impostor(net, { seed: 9 });
    await admitted.enter(victim);
    const valid = [
      encodeFrame(encodeHello(MANIFEST)),
      encodeFrame(encodeHeads([forge(9).announcement])),
      encodeFrame(encodeBlobRequest(contentIdOf(new Uint8Array()))),
      encodeFrame(encodeAddresses([`/memory/9/p2p/${admitted.signer.peer}`])),
    ];
    const bent = fc.tuple(fc.constantFrom(...valid), fc.nat(), fc.nat({ max: 255 })).map(([bytes, at, value]) => {
      const copy = bytes.slice();
      copy[at % copy.byteLength] = value;
      return copy;
    });
    const framed = fc.uint8Array({ maxLength: 300 }).map(encodeFrame);
    const piece = fc.oneof(fc.uint8Array({ maxLength: 300 }), framed, bent);
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...protocols),
        fc.array(piece, { maxLength: 3 }),
        piece,
        async (protocol, pieces, gossip) => {
          if (!victim.exchange.admitted().includes(admitted.signer.peer)) {
            await admitted.transport.hangUp(victim.id);
            await until(() => victim.transport.connected().length === 0);
            await admitted.enter(victim);
          }
          const answer = await admitted.send(victim, protocol, pieces);
          expect(answer instanceof Error || answer instanceof Uint8Array).toBe(true);
          await admitted.gossip(gossip);
        },
      ),
      { numRuns: 150 },
    );
    process.off("unhandledRejection", note);
    expect(unhandled).toEqual([]);
    // It still does its work.
    const friend = await up(net, { seed: 2 });
    await connect(friend, victim);
    await publish(friend, 2, 0);
    await until(() => roundsOf(victim)[friend.id] === 0);
    expect(victim.exchange.latest().map(({ peer }) => peer)).toContain(friend.id);
  });
});
