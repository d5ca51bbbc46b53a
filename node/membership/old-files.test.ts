/** An admin whose files may be older than what its key has signed. */
import { afterEach, expect, it } from "vitest";
import type { Signer } from "../../protocol/envelope.ts";
import { encodeEntry } from "../../protocol/membership/entry.ts";
import { createGenesis, signGenesis } from "../../protocol/membership/genesis.ts";
import { RosterLog } from "../../protocol/membership/roster-log.ts";
import { POLICY_DEFAULTS } from "../../protocol/membership/settings.ts";
import { NodeError } from "../errors.ts";
import { signerOf } from "../exchange/exchange.suite.ts";
import { createMemoryStore } from "../system/files/memory-store.ts";
import { until } from "../system/network/transport.suite.ts";
import { Hearing } from "./hearing.ts";
import {
  actAt,
  admit,
  type Consortium,
  connect,
  createConsortium,
  digestOf,
  entryOf,
  genesisWith,
  hasMember,
  type Member,
  NOW,
  pendingOf,
  revoke,
} from "./membership.suite.ts";
import type { RosterAction } from "./roster-desk.ts";

let net: Consortium;
afterEach(() => net.stop());
const found = (genesis = genesisWith()): Consortium => {
  net = createConsortium(genesis);
  return net;
};
const dave = signerOf(5);
const act = (member: Member, action: RosterAction) => actAt(net, member, action);
const has = (member: Member, seed: number): boolean => hasMember(net, member, seed);
/** Act once a neighbour was heard; what is refused before that is no failure. */
const whenHeard = async (member: Member, action: RosterAction): Promise<void> => {
  const isOld = (error: unknown): boolean => error instanceof NodeError && error.facts.problem === "old-files";
  for (let refused = true; refused; ) {
    refused = await act(member, action).then(
      () => false,
      (error: unknown) => {
        if (isOld(error)) return true;
        throw error;
      },
    );
  }
};

it("signs nothing before a neighbour has said what its key signed, and then nobody is barred", async () => {
  found(genesisWith({}, 1));
  const [friend, store] = [await net.up({ seed: 2 }), createMemoryStore()];
  const original = await net.up({ seed: 1, store });
  await connect(original, friend);
  await act(original, { kind: "propose", statement: admit(signerOf(6).peer) });
  await until(() => has(friend, 6));
  const copy = createMemoryStore();
  for await (const [key, value] of store.entries("")) await copy.batch([{ put: key, value }]);
  await act(original, { kind: "propose", statement: admit(dave.peer) });
  await until(() => has(friend, 5));
  await original.stop();

  const old = await net.up({ seed: 1, store: copy, mayBeOld: true });
  const removal = { kind: "propose", statement: revoke(signerOf(4).peer) } as const;
  await expect(act(old, removal)).rejects.toMatchObject({
    code: "IDENTITY_IN_USE",
    facts: { problem: "old-files" },
  });
  expect(pendingOf(old)).toEqual([]);
  await connect(old, friend);
  await until(() => has(old, 5));
  // The friend holds a number that these files did not use: another process may still go on.
  await expect(act(old, removal)).rejects.toMatchObject({ code: "IDENTITY_IN_USE", facts: { sequence: 1 } });
  for (const member of [old, friend]) {
    expect([...member.membership.roster.log.state().barred]).toEqual([]);
    expect(member.events.filter(({ type }) => type === "equivocation")).toEqual([]);
  }
  expect(digestOf(old)).toBe(digestOf(friend));
});

it.each(["the same numbers", "nothing, because the key was restored alone"])(
  "signs on once a neighbour was heard that knows %s",
  async (which) => {
    found(genesisWith({}, 1));
    const [friend, store] = [await net.up({ seed: 2 }), createMemoryStore()];
    const original = await net.up({ seed: 1, store });
    await connect(original, friend);
    await act(original, { kind: "propose", statement: admit(dave.peer) });
    await until(() => has(friend, 5));
    await original.stop();
    const kept = which === "the same numbers" ? store : createMemoryStore();
    const old = await net.up({ seed: 1, store: kept, mayBeOld: true });
    await connect(old, friend);
    const removal = { kind: "propose", statement: revoke(signerOf(4).peer) } as const;
    await until(() => has(old, 5));
    await whenHeard(old, removal);
    await until(() => friend.membership.statusOf(signerOf(4).peer) === "removed");
    const own = friend.membership.roster.log.entries().filter(({ author }) => author === old.signer.peer);
    expect(own.map(({ sequence }) => sequence)).toEqual([0, 1]);
    expect(friend.events.filter(({ type }) => type === "equivocation")).toEqual([]);
  },
);

it("signs at once where it is the only member, or its person says that it is alone", async () => {
  found(genesisWith({}, 1));
  const old = await net.up({ seed: 1, mayBeOld: true });
  const removal = { kind: "propose", statement: revoke(signerOf(4).peer) } as const;
  await expect(act(old, removal)).rejects.toMatchObject({ facts: { problem: "old-files" } });
  await act(old, { ...removal, isAlone: true });
  expect(old.membership.statusOf(signerOf(4).peer)).toBe("removed");
  await old.stop();
  const founders = [{ peer: signerOf(1).peer, role: "admin" as const }];
  const membership = { kind: "roster", founders, threshold: 1, policy: POLICY_DEFAULTS } as const;
  const alone = createGenesis({ ...net.genesis.manifest, membership });
  const only = createConsortium(signGenesis(alone, signerOf(1)));
  const first = await only.up({ seed: 1, mayBeOld: true });
  await act(first, { kind: "propose", statement: admit(dave.peer) });
  expect(has(first, 5)).toBe(true);
  await only.stop();
});

it("has not heard enough from one member among several that is no admin, which may keep it back", async () => {
  found(genesisWith({}, 1));
  const old = await net.up({ seed: 1, mayBeOld: true });
  const trainer = await net.up({ seed: 4 });
  await connect(old, trainer);
  const removal = { kind: "propose", statement: admit(dave.peer) } as const;
  await old.membership.pullAll();
  await expect(act(old, removal)).rejects.toMatchObject({ facts: { problem: "old-files" } });
  const admin = await net.up({ seed: 2 });
  await connect(old, admin);
  await whenHeard(old, removal);
  expect(has(old, 5)).toBe(true);
});

it("has heard enough from more than half of the others", () => {
  const state = () => new RosterLog(genesisWith()).state();
  for (const [seeds, times] of [
    [[4], 0],
    [[9, 10, 4], 0],
    [[1], 0],
    [[2], 1],
    [[2, 3], 1],
  ] as const) {
    let heard = 0;
    const hearing = new Hearing({ self: signerOf(1).peer, state, nowSeconds: () => NOW, onHeard: () => heard++ });
    for (const seed of seeds) hearing.answered(signerOf(seed).peer);
    expect(heard, `${seeds}`).toBe(times);
    hearing.end();
    hearing.end();
    expect(heard).toBe(1);
  }
  const founders = [1, 2, 3, 4].map(
    (seed) => ({ peer: signerOf(seed).peer, role: seed === 1 ? "admin" : "trainer" }) as const,
  );
  const membership = { kind: "roster", founders, threshold: 1, policy: POLICY_DEFAULTS } as const;
  const one = new RosterLog(signGenesis(createGenesis({ ...genesisWith().manifest, membership }), signerOf(1)));
  let heard = 0;
  const hearing = new Hearing({
    ...{ self: signerOf(1).peer, state: () => one.state(), nowSeconds: () => NOW },
    onHeard: () => heard++,
  });
  hearing.answered(signerOf(2).peer);
  hearing.answered(signerOf(2).peer);
  expect(heard).toBe(0);
  hearing.answered(signerOf(3).peer);
  expect(heard).toBe(1);
});

it("does not tell on itself what another process has signed with its key, and signs the others' drafts all the same", async () => {
  found();
  const a = await net.up({ seed: 1 });
  await act(a, { kind: "propose", statement: admit(dave.peer) });
  const takeDraft = (seed: number, sequence: number, by: readonly Signer[]): void => {
    const whole = entryOf(net.genesis, admit(signerOf(seed).peer), { sequence, by });
    const signatures = whole.signatures.map((one, at) => (whole.signers[at] === by[0]!.peer ? one : new Uint8Array(0)));
    a.membership.takeMessage({ kind: "draft", body: encodeEntry({ ...whole, signatures }) });
  };
  takeDraft(6, 0, [signerOf(1), signerOf(2)]);
  takeDraft(8, 5, [signerOf(1), signerOf(2)]);
  expect(a.membership.statusOf(a.signer.peer)).toBe("member");
  expect(a.events.filter(({ type }) => type === "equivocation")).toEqual([]);
  expect(a.said).toContain("another process signs entries of the roster with this peer's key");
  await expect(act(a, { kind: "propose", statement: admit(signerOf(7).peer) })).rejects.toMatchObject({
    code: "IDENTITY_IN_USE",
    facts: { sequence: 5 },
  });
  takeDraft(9, 0, [signerOf(2), signerOf(1)]);
  const about = signerOf(9).peer;
  const motion = pendingOf(a).find(({ statement }) => "subject" in statement && statement.subject === about);
  await act(a, { kind: "approve", id: motion!.id });
  expect(has(a, 9)).toBe(true);
});
