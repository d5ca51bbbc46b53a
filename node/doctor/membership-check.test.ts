/** A check of a network with a roster, whose neighbours have not heard of who checks. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createSigner } from "../../protocol/envelope.ts";
import { type Entry, encodeEntry, type Statement } from "../../protocol/membership/entry.ts";
import { networkId } from "../../protocol/network-manifest.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { signerOf } from "../exchange/exchange.suite.ts";
import type { Logger } from "../interface/logger.ts";
import { CERTIFICATE_KEY } from "../membership/certificates.ts";
import {
  admit,
  BOUNDS,
  createMember,
  DAY,
  entryOf,
  genesisWith,
  know,
  type Member,
  revoke,
} from "../membership/membership.suite.ts";
import type { RosterMembership } from "../membership/membership.ts";
import { readOrCreateKey } from "../system/files/key-file.ts";
import { openStore } from "../system/files/store.ts";
import { createLibp2pTransport } from "../system/network/libp2p.ts";
import { createMemoryHub } from "../system/network/memory-transport.ts";
import type { Finding } from "../system/platform/health.ts";
import { createSystemClock } from "../system/platform/system-clock.ts";
import { checkNetwork, type NetworkCheckOptions } from "./network-check.ts";

const genesis = genesisWith();
const clock = createSystemClock();
const now = Math.floor(clock.now() / 1000);
let folder: string;
let self: PeerId;
const members: Member[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "weft-membership-check-"));
  self = createSigner((await readOrCreateKey(join(folder, "key"))).seed).peer;
});
afterEach(async () => {
  await Promise.all(members.splice(0).map((member) => member.stop()));
  await rm(folder, { recursive: true });
});

/** A gated member, by the genesis. */
async function up(seed: number): Promise<Member> {
  const transport = (secret: Uint8Array, logger: Logger, membership: () => RosterMembership | undefined) =>
    createLibp2pTransport(
      {
        logger,
        admits: (peer) => membership()?.admits(peer) !== false,
        mayGossip: (peer) => membership()?.mayGossip(peer) !== false,
      },
      { seed: secret, listen: ["/ip4/127.0.0.1/tcp/0"], connectionsMax: 16, ...BOUNDS },
    );
  const member = await createMember({ clock, hub: createMemoryHub(), genesis }, { seed, transport });
  members.push(member);
  return member;
}

const certificate = (seconds: number, ago = DAY): Entry =>
  entryOf(genesis, { ...admit(self, "trainer", now + seconds), notBefore: now - ago } as Statement, {
    issuedAt: now - ago,
  });

/** What the peer that checks has on its disk. */
async function hold(...entries: readonly Entry[]): Promise<void> {
  const store = await openStore(join(folder, "store"));
  for (const [i, entry] of entries.entries()) {
    await store.batch([{ put: `roster/entry/0000000${i}`, value: encodeEntry(entry) }]);
  }
  await store.close();
}
async function stored(): Promise<readonly string[]> {
  const store = await openStore(join(folder, "store"));
  const found: string[] = [];
  for await (const [key] of store.entries("")) found.push(key);
  await store.close();
  return found;
}

const check = (options: Partial<NetworkCheckOptions> = {}): Promise<readonly Finding[]> =>
  checkNetwork({
    dataDirectory: folder,
    manifest: genesis.manifest,
    genesis,
    listen: ["/ip4/127.0.0.1/tcp/0"],
    reach: { network: networkId(genesis.manifest) },
    bootstrap: [],
    signal: new AbortController().signal,
    ...options,
  });
const states = (findings: readonly Finding[]) => findings.map(({ name, state }) => `${name} ${state}`);

describe("a check of a network with a roster", () => {
  it("shows neighbours what made this peer a member, and writes nothing", async () => {
    const first = certificate(-DAY, 3 * DAY);
    const renewed = entryOf(genesis, { ...admit(self, "trainer", now + 20 * DAY), notBefore: now - DAY } as Statement, {
      issuedAt: now - DAY,
      parents: [first.id],
    });
    await hold(first, renewed);
    const [a, b] = [await up(1), await up(4)];
    // This one's roster is ahead of what the directory holds.
    const newcomer = { ...admit(signerOf(9).peer, "trainer", now + DAY), notBefore: now - DAY } as Statement;
    know(b, entryOf(genesis, newcomer, { issuedAt: now - DAY }));
    const bootstrap = [...a.transport.addresses(), ...b.transport.addresses()];
    const findings = await check({ bootstrap });
    expect(states(findings)).toEqual(["membership ok", "port ok", "neighbours ok", "reachable ok", "clock ok"]);
    expect(findings[0]!.text).toMatch(
      /^trainer until \d{4}-\d\d-\d\d \d\d:\d\d UTC, in a roster of 5 members and 2 ent/,
    );
    expect(findings[2]!.text).toBe("2 of 2 known addresses led to a neighbour");
    expect(await stored()).toEqual(["roster/entry/00000000", "roster/entry/00000001"]);
  });

  it("counts a certificate that the roster does not have yet, and warns before it ends", async () => {
    const store = await openStore(join(folder, "store"));
    await store.batch([{ put: CERTIFICATE_KEY, value: encodeEntry(certificate(2 * DAY + 60)) }]);
    await store.close();
    const [membership] = await check();
    expect(membership).toMatchObject({
      state: "warning",
      text: expect.stringMatching(/^trainer .*; 2 days are left: ask/),
    });
  });

  it("says what is wrong with the membership, and neighbours refuse it", async () => {
    await hold(certificate(-301));
    const a = await up(1);
    const [ended, , refused] = await check({ bootstrap: a.transport.addresses() });
    expect(ended).toMatchObject({ state: "problem", text: expect.stringContaining("is over; ask an admin") });
    expect(refused).toMatchObject({ name: "neighbours", state: "problem", text: expect.stringContaining("is over") });
    const held = certificate(DAY);
    await hold(held, entryOf(genesis, revoke(self), { issuedAt: now, parents: [held.id] }));
    expect((await check())[0]).toMatchObject({ state: "problem", text: expect.stringContaining("was removed") });
  });

  it("says that this peer is no member, and that the genesis is missing", async () => {
    expect((await check())[0]).toMatchObject({
      state: "problem",
      problem: "stranger",
      text: expect.stringContaining("is no member"),
    });
    const findings = await checkNetwork({
      ...{ dataDirectory: folder, manifest: genesis.manifest, listen: [], bootstrap: [] },
      reach: { network: networkId(genesis.manifest) },
      signal: new AbortController().signal,
    });
    expect(findings).toEqual([
      {
        name: "membership",
        state: "problem",
        text: expect.stringContaining("lacks the genesis"),
        problem: "genesis-missing",
      },
    ]);
  });
});
