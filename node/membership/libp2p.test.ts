/** The gate over real connections, and what its steps cost. */
import { afterEach, expect, it } from "vitest";
import { encodeEntry } from "../../protocol/membership/entry.ts";
import { STREAM_PROTOCOLS } from "../../protocol/stream-protocols.ts";
import { signerOf, thetaOf } from "../exchange/exchange.suite.ts";
import type { Logger } from "../interface/logger.ts";
import { createLibp2pTransport } from "../system/network/libp2p.ts";
import { createMemoryHub } from "../system/network/memory-transport.ts";
import { until } from "../system/network/transport.suite.ts";
import { createSystemClock } from "../system/platform/system-clock.ts";
import {
  admit,
  areNeighbours,
  BOUNDS,
  connect,
  createMember,
  DAY,
  dial,
  digestOf,
  entryOf,
  genesisWith,
  know,
  type Member,
  revoke,
} from "./membership.suite.ts";
import type { RosterMembership } from "./membership.ts";

const members: Member[] = [];
afterEach(async () => {
  await Promise.all(members.splice(0).map((member) => member.stop()));
});
const genesis = genesisWith();
const clock = createSystemClock();
const seconds = Math.floor(clock.now() / 1000);
const opened = new Map<string, number>();

async function up(seed: number): Promise<Member> {
  const transport = async (secret: Uint8Array, logger: Logger, membership: () => RosterMembership | undefined) => {
    const made = await createLibp2pTransport(
      {
        logger,
        admits: (peer) => membership()?.admits(peer) !== false,
        mayGossip: (peer) => membership()?.mayGossip(peer) !== false,
      },
      { seed: secret, listen: ["/ip4/127.0.0.1/tcp/0"], connectionsMax: 16, ...BOUNDS },
    );
    const { open } = made;
    made.open = (peer, protocol, signal) => {
      const key = `${seed} ${protocol.name}`;
      opened.set(key, (opened.get(key) ?? 0) + 1);
      return open.call(made, peer, protocol, signal);
    };
    return made;
  };
  const member = await createMember({ clock, hub: createMemoryHub(), genesis }, { seed, transport });
  members.push(member);
  return member;
}
const terms = (seed: number) => ({ ...admit(signerOf(seed).peer), notBefore: seconds - DAY, notAfter: seconds + DAY });

it("admits members, gossips the roster, cuts a revoked one off and lets it in no more", async () => {
  const [a, b, c] = [await up(1), await up(2), await up(4)];
  await connect(a, b);
  await connect(a, c);
  await connect(b, c);
  await c.exchange.publish({ round: 0, theta: thetaOf(4, 0), localSteps: 1, sampleCount: 1 });
  while (b.exchange.latest().length === 0) {
    await b.exchange.announceAgain();
    await until(() => true);
  }
  const out = entryOf(genesis, revoke(c.signer.peer), { issuedAt: seconds });
  a.membership.takeMessage({ kind: "entry", body: encodeEntry(out) });
  await until(() => digestOf(a) === digestOf(b) && !areNeighbours(a, c) && !areNeighbours(b, c));
  await until(() => c.transport.connected().length === 0);
  expect(b.exchange.latest()).toEqual([]);
  // It does not know better yet: both of these were its friends.
  await Promise.all([a, b].map((member) => dial(c, member).catch(() => undefined)));
  await until(() => c.transport.connected().length === 0);
  expect([...a.exchange.admitted(), ...b.exchange.admitted()].sort()).toEqual([a.signer.peer, b.signer.peer].sort());
});

it("shows a stranger out, and takes a newcomer by what it shows in two round trips", async () => {
  const [frank, old, fresh, stranger] = [signerOf(7), await up(4), await up(5), await up(9)];
  await dial(stranger, old);
  await until(() => stranger.said.some((line) => line.startsWith("peer refused")));
  await until(() => old.transport.connected().length === 0);
  await dial(stranger, old).catch(() => undefined);
  await until(() => old.transport.connected().length === 0);
  const first = entryOf(genesis, { ...terms(7), kind: "admit", role: "admin" } as never, { issuedAt: seconds });
  const by = [frank, signerOf(1)];
  const second = entryOf(genesis, terms(5) as never, { parents: [first.id], by, issuedAt: seconds });
  know(fresh, first, second);
  opened.clear();
  await connect(fresh, old);
  expect(opened.get(`5 ${STREAM_PROTOCOLS.handshake.name}`)).toBe(2);
  expect(opened.get(`4 ${STREAM_PROTOCOLS.handshake.name}`)).toBe(1);
  await until(() => digestOf(old) === digestOf(fresh));
});
