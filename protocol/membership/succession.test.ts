/** The way that a network goes, out of what its roster has agreed to and the manifests at hand. */
import { describe, expect, test } from "vitest";
import { type NetworkManifest, networkId } from "../network-manifest.ts";
import { EXAMPLE_GENESIS, NOW, ROSTER_MANIFEST, signedEntry } from "../vectors/example-roster.ts";
import { type Entry, encodeEntry } from "./entry.ts";
import { RosterLog } from "./roster-log.ts";
import { succeedingManifest, successionStatement, successorChain } from "./succession.ts";

const second = succeedingManifest(ROSTER_MANIFEST, { name: "second" }, 50);
const third = succeedingManifest(second, { name: "third" }, 60);

const agreed = (before: NetworkManifest, next: NetworkManifest, after?: Entry): Entry =>
  signedEntry(successionStatement(before, next), { parents: after ? [after.id] : [] });
const toSecond = agreed(ROSTER_MANIFEST, second);
const toThird = agreed(second, third, toSecond);

const stateOf = (...entries: readonly Entry[]) => {
  const log = new RosterLog(EXAMPLE_GENESIS);
  for (const entry of entries) expect(log.add(encodeEntry(entry), NOW)).toMatchObject({ outcome: "added" });
  return log.state();
};
const holding = (...manifests: readonly NetworkManifest[]) => {
  const byId = new Map(manifests.map((manifest) => [networkId(manifest), manifest]));
  return (network: ReturnType<typeof networkId>) => byId.get(network);
};
const namesOf = ({ manifests }: ReturnType<typeof successorChain>) => manifests.map(({ name }) => name);
const first = ROSTER_MANIFEST;

describe("the chain of successors", () => {
  test("leads from the genesis over every link to the newest", () => {
    expect(stateOf().successions).toEqual([]);
    expect(successorChain(first, stateOf(), holding())).toEqual({ manifests: [first], missing: undefined });
    const state = stateOf(toSecond, toThird);
    expect(state.successions.map(({ network }) => network)).toEqual([second, third].map(networkId));
    expect(state.successions.at(-1)).toEqual(state.succession);
    const whole = successorChain(first, state, holding(third, second));
    expect(whole).toEqual({ manifests: [first, second, third], missing: undefined });
  });

  test("goes as far as the manifests at hand, and names the one to look for", () => {
    const state = stateOf(toSecond, toThird);
    expect(successorChain(first, state, holding())).toEqual({ manifests: [first], missing: networkId(third) });
    // Nobody can tell whether the newest leads here before the one between is known.
    expect(successorChain(first, state, holding(third))).toEqual({ manifests: [first], missing: networkId(second) });
    expect(successorChain(first, state, holding(second))).toEqual({
      manifests: [first, second],
      missing: networkId(third),
    });
  });

  test("passes over what was agreed to and does not follow", () => {
    const unagreed = succeedingManifest(second, { seed: 10 }, 55);
    const after = succeedingManifest(unagreed, { name: "after" }, 70);
    const other = { ...third, membership: { ...first.membership, threshold: 1 } } as NetworkManifest;
    const late = { ...third, succeeds: { ...third.succeeds, round: 61 } } as NetworkManifest;
    const toward = (manifest: NetworkManifest, round: number) =>
      signedEntry({ kind: "succeed", successor: networkId(manifest), round }, { parents: [toSecond.id] });
    for (const [entry, manifest] of [
      // Its predecessor was never agreed to; another membership; another round than the entry's; no successor at all.
      [toward(after, 70), after],
      [toward(other, 60), other],
      [toward(late, 60), late],
      [toward(first, 60), first],
    ] as const) {
      const chain = successorChain(first, stateOf(toSecond, entry), holding(second, unagreed, manifest));
      expect(chain, manifest.name).toEqual({ manifests: [first, second], missing: undefined });
    }
  });

  test("of two branches it is the one that the roster holds to", () => {
    const rival = succeedingManifest(first, { name: "rival" }, 40);
    const toRival = agreed(first, rival);
    for (const entries of [
      [toSecond, toThird, toRival],
      [toRival, toSecond, toThird],
    ]) {
      expect(namesOf(successorChain(first, stateOf(...entries), holding(second, third, rival)))).toEqual([
        first.name,
        "rival",
      ]);
    }
    // Changed before its round has come, knowing of it: the later entry holds.
    const instead = agreed(first, rival, toSecond);
    expect(namesOf(successorChain(first, stateOf(toSecond, instead), holding(second, rival)))).toEqual([
      first.name,
      "rival",
    ]);
  });
});
