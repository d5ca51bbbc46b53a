/** What admins can still do on a branch from before the threshold was raised, and how the others see it. */
import { afterEach, describe, expect, it } from "vitest";
import type { Signer } from "../../protocol/envelope.ts";
import { type Entry, encodeEntry, type Statement } from "../../protocol/membership/entry.ts";
import { RosterLog } from "../../protocol/membership/roster-log.ts";
import { POLICY_DEFAULTS } from "../../protocol/membership/settings.ts";
import { signerOf } from "../exchange/exchange.suite.ts";
import { until } from "../system/network/transport.suite.ts";
import {
  ADMINS,
  actAt,
  admit,
  type Consortium,
  createConsortium,
  DAY,
  entryOf,
  genesisWith,
  hasMember,
  know,
  NOW,
  revoke,
} from "./membership.suite.ts";

const [first, second, third] = ADMINS as [Signer, Signer, Signer];
const genesis = genesisWith({}, 1);
const threshold = (count: number): Statement => ({ kind: "policy", policy: { ...POLICY_DEFAULTS, threshold: count } });
const outsider = signerOf(7).peer;
const raised = entryOf(genesis, threshold(2), { by: [first] });
/** By one admin, on a branch on which one was enough. */
const alone = entryOf(genesis, admit(outsider, "admin"), { by: [second] });

function logOf(...entries: readonly Entry[]): RosterLog {
  const log = new RosterLog(genesis);
  for (const entry of entries) expect(log.add(encodeEntry(entry), NOW).outcome).toBe("added");
  return log;
}

describe("an entry of a branch that does not follow a higher threshold", () => {
  it("counts where it has as many signers as were asked for there, is listed, and falls with the removal of a signer", () => {
    const log = logOf(raised, alone);
    expect(log.state().members.get(outsider)?.role).toBe("admin");
    expect([...log.signedByFewer()]).toEqual([[alone.id, 2]]);
    const removed = logOf(
      raised,
      alone,
      entryOf(genesis, revoke(second.peer), { by: [first, third], parents: [raised.id] }),
    );
    expect(removed.state().members.get(outsider)).toBeUndefined();
    expect([...removed.signedByFewer()]).toEqual([]);
  });

  it("is not listed where enough have signed it, where the policy follows it or it the policy, or where that does not count", () => {
    const byTwo = entryOf(genesis, admit(outsider), { by: [second, third] });
    const after = entryOf(genesis, threshold(3), { by: [second], parents: [alone.id] });
    const lower = entryOf(genesis, threshold(1), { by: [first, second], parents: [raised.id] });
    const then = entryOf(genesis, admit(outsider), { by: [second], parents: [lower.id] });
    const fallen = entryOf(genesis, revoke(first.peer), { by: [second] });
    for (const entries of [[raised, byTwo], [alone, after], [raised, lower, then], [alone], [raised]]) {
      expect([...logOf(...entries).signedByFewer()], `${entries.length}`).toEqual([]);
    }
    // The removal of its signer ends the policy; nothing asks for more then.
    expect([...logOf(raised, alone, fallen).signedByFewer()]).toEqual([]);
  });

  it("is listed as a removal, too, which stands, and by the highest of several policies", () => {
    const removal = entryOf(genesis, revoke(third.peer), { by: [second] });
    const higher = entryOf(genesis, threshold(3), { by: [first, second], parents: [raised.id] });
    const listed = logOf(raised, higher, removal).signedByFewer();
    expect([...listed]).toEqual([[removal.id, 3]]);
  });
});

describe("an act that waits for one signature", () => {
  let net: Consortium;
  afterEach(() => net.stop());

  it.each([
    ["two weeks and a day before", 15, true],
    ["less than two weeks before, which is as usual", 13, false],
  ])(
    "is seen to have been held back where it was drawn up beside what others have signed since, %s",
    async (_, days, isLate) => {
      net = createConsortium(genesisWith());
      const [here, there] = [await net.up({ seed: 1 }), await net.up({ seed: 3 })];
      const late = entryOf(net.genesis, revoke(signerOf(4).peer), { by: [first, second] });
      net.clock.advance(days * DAY * 1000);
      const since = entryOf(net.genesis, admit(outsider), { by: [first, third], issuedAt: NOW + days * DAY });
      know(here, since, late);
      // Who hears of it first has nothing to compare it with.
      know(there, late, since);
      const warned = [here, there].map(({ said }) => said.some((text) => text.includes("held it back")));
      expect(warned).toEqual([isLate, false]);
      // It enters all the same: peers that heard of it in time have it.
      expect(hasMember(net, here, 4)).toBe(false);
    },
  );
});

describe("a peer that hears of one", () => {
  let net: Consortium;
  afterEach(() => net.stop());

  it("says so once, whichever came first, and has it in its log", async () => {
    net = createConsortium(genesis);
    for (const [seed, order] of [
      [1, [raised, alone]],
      [3, [alone, raised]],
    ] as const) {
      const member = await net.up({ seed });
      const warnings = () => member.said.filter((text) => text.includes("fewer admins have signed"));
      for (const entry of order) know(member, entry);
      await until(() => warnings().length > 0);
      know(member, entryOf(genesis, admit(signerOf(8).peer), { by: [first, third], parents: [raised.id, alone.id] }));
      await new Promise((resolve) => setImmediate(resolve));
      expect(warnings()).toHaveLength(1);
      const answer = await actAt(net, member, { kind: "log" });
      const told = answer.kind === "log" ? answer.entries.map(({ id, fewerThan }) => [id, fewerThan]) : [];
      expect(told).toEqual(
        expect.arrayContaining([
          [raised.id, undefined],
          [alone.id, 2],
        ]),
      );
    }
  });
});
