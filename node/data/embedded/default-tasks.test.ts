import { describe, expect, test } from "vitest";
import { defaultTasks, setOfPrompt, taskSamples } from "./default-tasks.ts";
import { TUNED_KINDS } from "./tuned-kinds.ts";

const kindShares = (records: readonly { kind: string }[]): [string, number][] => {
  const counts = new Map<string, number>();
  for (const { kind } of records) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]);
};

describe("default tasks", () => {
  const sets = defaultTasks({ seed: 1, peers: 4 });

  test("every peer gets 64 training, 40 validation and 120 test records", () => {
    expect(sets.map(({ train, validation, test }) => [train.length, validation.length, test.length])).toEqual(
      Array(4).fill([64, 40, 120]),
    );
  });

  test("half of a peer's records are of one kind, a quarter of a second, and no two peers have the same two", () => {
    const mains = sets.map(({ train }) => kindShares(train).slice(0, 2));
    for (const [first, second] of mains) {
      expect(first![1]).toBe(32);
      expect(second![1]).toBe(16);
    }
    expect(new Set(mains.map((pair) => pair.map(([kind]) => kind).join())).size).toBe(4);
  });

  test("every set of a peer has the same shares of kinds", () => {
    for (const { train, test } of sets) {
      const trained = Object.fromEntries(kindShares(train));
      for (const [kind, count] of kindShares(test)) expect(count / 120, kind).toBeCloseTo(trained[kind]! / 64, 1);
    }
  });

  test("no prompt stands in a training set of one peer and in a held-out set of any other", () => {
    const trained = new Set(sets.flatMap(({ train }) => train.map(({ prompt }) => prompt)));
    const heldOut = sets.flatMap(({ validation, test }) => [...validation, ...test]);
    expect(heldOut.filter(({ prompt }) => trained.has(prompt))).toEqual([]);
    for (const { train, validation, test } of sets) {
      const all = [...train, ...validation, ...test].map(({ prompt }) => prompt);
      expect(new Set(all).size).toBe(all.length);
    }
  });

  test("the same seed gives the same records, another seed others", () => {
    expect(defaultTasks({ seed: 1, peers: 4 })).toEqual(sets);
    expect(defaultTasks({ seed: 2, peers: 4 })).not.toEqual(sets);
  });

  test("a peer's records do not depend on how many peers share the same kinds", () => {
    const kinds = ["second", "who", "sort"];
    const [three, nine] = [3, 9].map((peers) => defaultTasks({ seed: 5, peers, kinds }));
    expect(nine!.slice(0, 3)).toEqual(three);
  });

  test("kinds can be named; an unknown one is refused with the list of known ones", () => {
    const [only] = defaultTasks({ seed: 1, peers: 1, kinds: ["who"] });
    expect(kindShares(only!.train)).toEqual([["who", 64]]);
    expect(() => defaultTasks({ seed: 1, peers: 1, kinds: [] })).toThrow(/no kind of task is named/);
    expect(() => defaultTasks({ seed: 1, peers: 1, kinds: ["whom"] })).toThrow(/"whom"; choose from second, .*who/);
  });

  test("asking for more records than a kind has different prompts is an error, not a repetition", () => {
    expect(() =>
      defaultTasks({ seed: 1, peers: 1, kinds: ["sort"], sizes: { train: 600, validation: 1, test: 1 } }),
    ).toThrow(expect.objectContaining({ code: "DATA_TOO_SMALL" }));
  });

  test("about half of all prompts may be trained on, a quarter each validate and test", () => {
    const names = Array.from({ length: 4000 }, (_, i) => setOfPrompt(`prompt ${i}`));
    const share = (name: string): number => names.filter((other) => other === name).length / names.length;
    expect(share("train")).toBeCloseTo(0.5, 1);
    expect(share("validation")).toBeCloseTo(0.25, 1);
  });

  test("samples hold so many records of every kind of a group", () => {
    const samples = taskSamples({ seed: 3, group: "tuned", count: 5 });
    expect(kindShares(samples)).toEqual(TUNED_KINDS.map(({ name }) => [name, 5]));
  });
});
