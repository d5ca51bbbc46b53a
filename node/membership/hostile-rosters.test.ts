/** What a stranger's greeting, a member's roster and an invite's holder may have this peer do: no more than honest ones need. */
import { afterEach, describe, expect, it } from "vitest";
import { encodeCanonical } from "../../protocol/canonical-message.ts";
import { encodeFrame } from "../../protocol/frame.ts";
import { rosterTopic } from "../../protocol/gossip-topics.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { createEntry, type Entry, type EntryId, encodeEntry } from "../../protocol/membership/entry.ts";
import { RosterEntriesSchema } from "../../protocol/membership/membership_pb.ts";
import { encodeRosterMessage, encodeRosterMessages } from "../../protocol/membership/roster-message.ts";
import { networkId } from "../../protocol/network-manifest.ts";
import { STREAM_PROTOCOLS, type StreamProtocol } from "../../protocol/stream-protocols.ts";
import { signerOf } from "../exchange/exchange.suite.ts";
import { collect } from "../exchange/impostor.suite.ts";
import type { Transport } from "../interface/transport.ts";
import { patient, silentLogger } from "../system/network/transport.suite.ts";
import {
  ADMINS,
  admit,
  BOUNDS,
  type Consortium,
  createConsortium,
  entryOf,
  genesisWith,
  inviteBy,
  NOW,
  requestBy,
} from "./membership.suite.ts";
import { MEMBERSHIP_DEFAULTS } from "./membership-limits.ts";

let net: Consortium;
const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(ends.splice(0).map((end) => end()));
  await net.stop();
});

/** Entries by a founder's name, over others that nobody has: each would cost a signature to look at. */
function unheardOf(count: number): readonly Entry[] {
  const [author] = ADMINS;
  if (author === undefined) throw new Error("no admin");
  return Array.from({ length: count }, (_, i) => {
    const parents = [i.toString(16).padStart(64, "0") as EntryId];
    const signers = [author.peer];
    const fields = { networkId: networkId(net.genesis.manifest), parents, author: author.peer, signers, sequence: i };
    return createEntry({ ...fields, issuedAt: NOW, statement: admit(signerOf(9).peer) });
  });
}

async function visitor(seed: number): Promise<Transport> {
  const transport = net.hub.create({ logger: silentLogger }, { peer: signerOf(seed).peer, ...BOUNDS });
  ends.push(() => transport.stop());
  await transport.start();
  return transport;
}

async function ask(from: Transport, protocol: StreamProtocol, message: Uint8Array): Promise<Uint8Array | Error> {
  try {
    const stream = await from.open(signerOf(1).peer, protocol, patient());
    const [answer] = await Promise.all([collect(stream.source), stream.sink([encodeFrame(message)])]);
    return answer;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

describe("a stranger's greeting", () => {
  it("with entries that rest on others which it does not send is read to the first of them", async () => {
    net = createConsortium(genesisWith());
    const a = await net.up({ seed: 1 });
    const entries = unheardOf(50);
    const certificate = encodeEntry(entryOf(net.genesis, admit(signerOf(9).peer), { parents: [entries[0]!.id] }));
    a.membership.judgeShown(signerOf(9).peer, { heads: [], certificate, entries: entries.map(encodeEntry) });
    const { log } = a.membership.roster;
    expect(entries.filter(({ id }) => log.isWaiting(id))).toHaveLength(1);
  });
});

describe("a member's roster", () => {
  it("is taken a few entries at a time, and no further once too many of them wait for others", async () => {
    net = createConsortium(genesisWith());
    const a = await net.up({ seed: 1 });
    const member = await visitor(4);
    const { waitingEntriesMax, entriesPerTurnMax, pullsPerWindowMax } = MEMBERSHIP_DEFAULTS;
    const entries = unheardOf(2 * waitingEntriesMax);
    const message = encodeCanonical(RosterEntriesSchema, { entries: entries.map(encodeEntry) });
    let asked = 0;
    await member.handle(STREAM_PROTOCOLS.roster, async (stream) => {
      asked++;
      for await (const _ of stream.source);
      await stream.sink([encodeRosterMessages([]), message].map(encodeFrame));
    });
    await member.dial(a.transport.addresses()[0]!, patient());
    let turns = 0;
    let isOver = false;
    const count = (): void => {
      turns++;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    await a.membership.pull(member.peer);
    isOver = true;
    const waiting = entries.filter(({ id }) => a.membership.roster.log.isWaiting(id)).length;
    expect(waiting).toBe(waitingEntriesMax + 1);
    expect(turns).toBeGreaterThan(waitingEntriesMax / entriesPerTurnMax / 2);
    const topic = rosterTopic(networkId(net.genesis.manifest));
    member.subscribe(topic, { validate: () => ({ verdict: "ignore" }), deliver: () => {} });
    const more = unheardOf(600).slice(-3 * pullsPerWindowMax);
    // It says again and again that it holds more, and is asked so often and no more.
    for (let n = 0; n < 3 * pullsPerWindowMax; n++) {
      await member.publish(topic, encodeRosterMessage({ kind: "entry", body: encodeEntry(more[n]!) }));
      for (let turn = 0; turn < 40; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(asked).toBeLessThanOrEqual(1 + pullsPerWindowMax);
  });
});

describe("what waits at a member", () => {
  it("is taken a few at a time: each is a signature to verify, of whoever it is", async () => {
    net = createConsortium(genesisWith());
    const a = await net.up({ seed: 1 });
    const member = await visitor(4);
    const stranger = signerOf(9);
    // Drafts that give a membership away which nobody has.
    const drafts = Array.from({ length: LIMITS.rosterNoteCountMax }, (_, i) => {
      const terms = { subject: stranger.peer, role: "trainer", notBefore: NOW, notAfter: NOW + 1 + i } as const;
      const statement = { kind: "rotate", ...terms, replaces: member.peer } as const;
      return encodeEntry(entryOf(net.genesis, statement, { by: [signerOf(4), stranger] }));
    });
    const messages = drafts.map((body) => encodeRosterMessage({ kind: "draft", body }));
    await member.handle(STREAM_PROTOCOLS.roster, async (stream) => {
      for await (const _ of stream.source);
      await stream.sink([encodeFrame(encodeRosterMessages(messages))]);
    });
    await member.dial(a.transport.addresses()[0]!, patient());
    const taken: number[] = [];
    let isOver = false;
    const look = (): void => {
      taken.push(Object.values(a.membership.codes()).reduce((sum, count) => sum + count, 0));
      if (!isOver) setImmediate(look);
    };
    setImmediate(look);
    await a.membership.pull(member.peer);
    isOver = true;
    look();
    const steps = taken.map((count, i) => count - (taken[i - 1] ?? 0));
    expect([taken.at(-1), Math.max(...steps)]).toEqual([drafts.length, MEMBERSHIP_DEFAULTS.entriesPerTurnMax]);
  });
});

describe("the holder of an invite", () => {
  it("asks for admission and for the genesis so often, and no more until time has passed", async () => {
    net = createConsortium(genesisWith());
    const a = await net.up({ seed: 1 });
    const newcomer = await visitor(9);
    await newcomer.dial(a.transport.addresses()[0]!, patient());
    const { requestsPerWindowMax, pullWindowMs } = MEMBERSHIP_DEFAULTS;
    const old = requestBy(inviteBy(net.genesis, a.signer, { notAfter: NOW - 1000 }), signerOf(9));
    for (const protocol of [STREAM_PROTOCOLS.admission, STREAM_PROTOCOLS.genesis]) {
      for (let n = 0; n < requestsPerWindowMax; n++) {
        expect(await ask(newcomer, protocol, old)).toBeInstanceOf(Uint8Array);
      }
      expect(await ask(newcomer, protocol, old)).toBeInstanceOf(Error);
    }
    net.clock.advance(pullWindowMs / requestsPerWindowMax);
    expect(await ask(newcomer, STREAM_PROTOCOLS.admission, old)).toBeInstanceOf(Uint8Array);
  });
});
