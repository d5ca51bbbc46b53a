import { afterEach, describe, expect, it } from "vitest";
import { contentIdOf } from "../../protocol/content-id.ts";
import { encodeFrame } from "../../protocol/frame.ts";
import { createAdmissionRequest, signAdmissionReply } from "../../protocol/membership/admission.ts";
import { encodeEntry } from "../../protocol/membership/entry.ts";
import type { Invite } from "../../protocol/membership/invite.ts";
import { networkId } from "../../protocol/network-manifest.ts";
import { STREAM_PROTOCOLS } from "../../protocol/stream-protocols.ts";
import { signerOf } from "../exchange/exchange.suite.ts";
import { collect } from "../exchange/impostor.suite.ts";
import type { Transport } from "../interface/transport.ts";
import { patient, until } from "../system/network/transport.suite.ts";
import { createNativeVerifier } from "../system/platform/ed25519.ts";
import { findNetwork, requireGrant, type Waiting, waitForAdmission } from "./candidate.ts";
import {
  admit,
  BOUNDS,
  type Consortium,
  connect,
  createConsortium,
  DAY,
  digestOf,
  entryOf,
  genesisWith,
  inviteBy,
  know,
  type Member,
  NOW,
  revoke,
} from "./membership.suite.ts";

const verify = createNativeVerifier();
const LOGGER = { debug() {}, info() {}, warn() {}, error() {} };
const dave = signerOf(5);

let net: Consortium;
const transports: Transport[] = [];
afterEach(async () => {
  await Promise.all(transports.splice(0).map((transport) => transport.stop()));
  await net.stop();
});

const ADMIN = signerOf(1);
const invite = (terms: Parameters<typeof inviteBy>[2] = {}): Invite => inviteBy(net.genesis, ADMIN, terms);

/** A newcomer with an invite, asking these members. */
async function candidate(ofInvite: Invite, members: readonly Member[], by = dave) {
  const transport = net.hub.create({ logger: LOGGER }, { peer: by.peer, ...BOUNDS });
  transports.push(transport);
  await transport.start();
  const waited: Waiting[] = [];
  const options = {
    invite: ofInvite,
    request: createAdmissionRequest(ofInvite, { label: "dave's", issuedAt: NOW }, by),
    addresses: members.map((member) => member.transport.addresses()[0]!),
    signal: patient(),
  };
  const dependencies = { transport, clock: net.clock, verify };
  return {
    waited,
    findNetwork: () => findNetwork(dependencies, options),
    admission: () =>
      waitForAdmission(dependencies, { ...options, genesis: net.genesis, onWaiting: (one) => waited.push(one) }),
  };
}

/** Time goes on until the promise has come to something: pauses between visits, and waits of who answers. */
async function meanwhile<T>(promise: Promise<T>): Promise<T> {
  let isDone = false;
  const watched = promise.finally(() => {
    isDone = true;
  });
  watched.catch(() => undefined);
  while (!isDone) {
    net.clock.advance(20);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return await watched;
}

describe("a newcomer with an invite", () => {
  it("gets the genesis, waits until enough people have agreed, and shows a certificate that holds", async () => {
    net = createConsortium();
    const [a, b] = [await net.up({ seed: 1 }), await net.up({ seed: 2 })];
    await connect(a, b);
    const asking = await candidate(invite(), [a]);
    expect(networkId((await meanwhile(asking.findNetwork())).genesis.manifest)).toBe(networkId(net.genesis.manifest));
    const admission = asking.admission();
    admission.catch(() => undefined);
    await meanwhile(until(() => asking.waited.length > 0 && b.membership.proposals.pending().length === 1));
    expect(asking.waited[0]).toEqual({ kind: "pending", member: a.signer.peer });
    const [motion] = b.membership.proposals.pending();
    expect(motion).toMatchObject({ request: { candidate: dave.peer, label: "dave's" }, threshold: 2 });
    await meanwhile(b.membership.proposals.approve(motion!.id));
    expect(a.membership.statusOf(dave.peer)).toBe("stranger");
    await meanwhile(a.membership.proposals.approve(motion!.id));
    const { entry, member } = await meanwhile(admission);
    expect(member).toBe(a.signer.peer);
    expect(requireGrant(entry, { genesis: net.genesis, peer: dave.peer, verify })).toMatchObject({
      kind: "admit",
      role: "trainer",
      subject: dave.peer,
    });
    await meanwhile(until(() => digestOf(a) === digestOf(b)));
    expect(b.membership.roleOf(dave.peer)).toBe("trainer");
  });

  it("is let in by an invite alone where the policy says so", async () => {
    net = createConsortium(genesisWith({ approval: "invite" }));
    const [a, b] = [await net.up({ seed: 1 }), await net.up({ seed: 2 })];
    await connect(a, b);
    const asking = await candidate(invite({ role: "observer" }), [a]);
    const { entry } = await meanwhile(asking.admission());
    expect(requireGrant(entry, { genesis: net.genesis, peer: dave.peer, verify }).role).toBe("observer");
  });

  it("is told that it was declined", async () => {
    net = createConsortium();
    const [a, b] = [await net.up({ seed: 1 }), await net.up({ seed: 2 })];
    await connect(a, b);
    const asking = await candidate(invite(), [a]);
    const admission = asking.admission();
    admission.catch(() => undefined);
    await meanwhile(
      until(() => a.membership.proposals.pending().length === 1 && b.membership.proposals.pending().length === 1),
    );
    const { id } = a.membership.proposals.pending()[0]!;
    // With three admins and a threshold of two, two who say no are enough.
    await meanwhile(a.membership.proposals.deny(id));
    await meanwhile(b.membership.proposals.deny(id));
    await expect(meanwhile(admission)).rejects.toMatchObject({ code: "NOT_ALLOWED", facts: { reason: "DECLINED" } });
  });

  it.each<[string, string, () => Invite, (a: Member) => void]>([
    ["an expired invite", "INVITE_EXPIRED", () => invite({ notAfter: NOW - DAY }), () => undefined],
    [
      "an invite that was used",
      "INVITE_USED",
      () => invite(),
      (a) => {
        const { key } = invite().ticket;
        know(a, entryOf(net.genesis, { ...admit(signerOf(8).peer), invite: { key, uses: 1 } } as never));
      },
    ],
    [
      "an invite of who is no admin any more",
      "ISSUER_NOT_ADMIN",
      () => invite(),
      (a) => know(a, entryOf(net.genesis, revoke(ADMIN.peer), { by: [signerOf(2), signerOf(3)] })),
    ],
    [
      "a key that was removed",
      "REMOVED",
      () => invite(),
      (a) => {
        const entry = entryOf(net.genesis, admit(dave.peer));
        know(a, entry, entryOf(net.genesis, revoke(dave.peer), { parents: [entry.id] }));
      },
    ],
  ])("is told why %s is not taken, by whoever it asks first", async (_, reason, make, prepare) => {
    net = createConsortium();
    const a = await net.up({ seed: 4 });
    prepare(a);
    // Who was removed does not even get a connection.
    const error = reason === "REMOVED" ? { code: "DIAL_FAILED" } : { code: "NOT_ALLOWED", facts: { reason } };
    await expect(meanwhile((await candidate(make(), [a])).findNetwork())).rejects.toMatchObject(error);
  });

  it("asks the next member where one does not answer, and says that nobody does", async () => {
    net = createConsortium();
    const [gone, a] = [await net.up({ seed: 2 }), await net.up({ seed: 1 })];
    const both = await candidate(invite(), [gone, a]);
    const none = await candidate(invite(), [gone], signerOf(6));
    await gone.stop();
    expect((await meanwhile(both.findNetwork())).genesis.schema).toBe("weft-genesis/1");
    await expect(meanwhile(none.findNetwork())).rejects.toMatchObject({ code: "DIAL_FAILED" });
    const nowhere = await candidate(invite(), [], signerOf(7));
    await expect(meanwhile(nowhere.findNetwork())).rejects.toMatchObject({
      message: expect.stringContaining("the invite names no address"),
      facts: { problem: "invite-without-address" },
    });
  });

  it("asks the next member where one lies, sends something else, or only says that it waits", async () => {
    net = createConsortium(genesisWith({ approval: "invite" }));
    const [a, b] = [await net.up({ seed: 1 }), await net.up({ seed: 2 })];
    await connect(a, b);
    /** A member's place, from which a program of somebody's own answers. */
    const liar = async (seed: number, answer: (request: Uint8Array) => Uint8Array): Promise<Transport> => {
      const transport = net.hub.create({ logger: LOGGER }, { peer: signerOf(seed).peer, ...BOUNDS });
      transports.push(transport);
      for (const protocol of [STREAM_PROTOCOLS.genesis, STREAM_PROTOCOLS.successors, STREAM_PROTOCOLS.admission]) {
        await transport.handle(protocol, async (stream) => {
          const request = await collect(stream.source);
          await stream.sink([encodeFrame(answer(request.subarray(4)))]);
        });
      }
      await transport.start();
      return transport;
    };
    const noise = await liar(20, () => new Uint8Array(100).fill(7));
    const refuser = await liar(21, (request) => {
      const where = { networkId: networkId(net.genesis.manifest), request: contentIdOf(request) };
      return request.length < 100
        ? new Uint8Array()
        : signAdmissionReply({ code: "denied", reason: "BARRED" }, where, signerOf(21));
    });
    const waiter = await liar(22, (request) =>
      signAdmissionReply(
        { code: "pending" },
        { networkId: networkId(net.genesis.manifest), request: contentIdOf(request) },
        signerOf(22),
      ),
    );
    const asking = await candidate(invite(), [
      ...[noise, refuser, waiter].map((transport) => ({ transport }) as Member),
      a,
    ]);
    const found = await meanwhile(asking.findNetwork());
    expect(networkId(found.genesis.manifest)).toBe(networkId(net.genesis.manifest));
    const { entry } = await meanwhile(asking.admission());
    expect(requireGrant(entry, { genesis: net.genesis, peer: dave.peer, verify }).role).toBe("trainer");
    // Where nobody says better, what was said first is what the newcomer is told.
    const alone = await candidate(invite({ secret: 8 }), [{ transport: noise } as Member], signerOf(6));
    await expect(meanwhile(alone.findNetwork())).rejects.toMatchObject({
      ...{ code: "NOT_ADMITTED", cause: { name: "ProtocolError" } },
    });
  });

  it("takes no certificate that is for another, grants nothing, or is signed by too few", () => {
    net = createConsortium();
    const judge = (entry: Uint8Array) => () => requireGrant(entry, { genesis: net.genesis, peer: dave.peer, verify });
    expect(judge(encodeEntry(entryOf(net.genesis, admit(dave.peer))))).not.toThrow();
    expect(judge(encodeEntry(entryOf(net.genesis, admit(signerOf(6).peer))))).toThrow(/it is for/);
    expect(judge(encodeEntry(entryOf(net.genesis, revoke(dave.peer))))).toThrow(/grants nothing/);
    expect(judge(encodeEntry(entryOf(net.genesis, admit(dave.peer), { by: [ADMIN] })))).toThrow(/2 are needed/);
    const strangers = [signerOf(8), signerOf(9)];
    expect(judge(encodeEntry(entryOf(net.genesis, admit(dave.peer), { by: strangers })))).toThrow(/was no admin/);
    const bytes = encodeEntry(entryOf(net.genesis, admit(dave.peer)));
    expect(judge(bytes.with(bytes.length - 1, bytes.at(-1)! ^ 1))).toThrow(/certificate that came admits nobody/);
    expect(judge(Uint8Array.of(1, 2, 3))).toThrow(/certificate that came admits nobody/);
  });
});
