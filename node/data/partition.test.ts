import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { partition } from "./partition.ts";
import type { DataRecord } from "./record.ts";
import { parseSplit, type SplitRule } from "./split-rule.ts";

const record = (index: number, fields: Record<string, string>): DataRecord => ({
  prompt: `p${index}`,
  response: `r${index}`,
  fields,
  overflow: "cut",
});
/** `counts` records of each speaker. */
const spoken = (counts: Record<string, number>): DataRecord[] =>
  Object.entries(counts).flatMap(([speaker, count]) =>
    Array.from({ length: count }, (_, i) => ({ ...record(i, { speaker }), prompt: `${speaker}${i}` })),
  );
const prompts = (records: readonly DataRecord[]): string[] => records.map(({ prompt }) => prompt).sort();

describe("split rules", () => {
  const good: [string, SplitRule][] = [
    ["speaker", { kind: "field", field: "speaker" }],
    ["field:domain", { kind: "field", field: "domain" }],
    ["field:a:b", { kind: "field", field: "a:b" }],
    ["iid", { kind: "iid" }],
    ["dirichlet:0.3", { kind: "dirichlet", alpha: 0.3 }],
    ["dirichlet:10:kind", { kind: "dirichlet", alpha: 10, field: "kind" }],
  ];
  test.each(good)("%s", (text, rule) => expect(parseSplit(text)).toEqual(rule));

  const bad: [string, RegExp][] = [
    ["speakers", /split "speakers" is unknown; did you mean speaker\?/],
    ["iidd", /did you mean iid\?/],
    ["dirichelt:0.3", /did you mean dirichlet:ALPHA\[:FIELD\]\?/],
    ["feild:x", /did you mean field:NAME\?/],
    ["something", /choose from speaker, field:NAME, iid, dirichlet/],
    ["", /choose from/],
    ["field", /names no field; write field:NAME/],
    ["field:", /names no field/],
    ["iid:3", /is unknown/],
    ["dirichlet", /needs a positive number; write dirichlet:0\.3/],
    ["dirichlet:0", /needs a positive number/],
    ["dirichlet:-1", /needs a positive number/],
    ["dirichlet:x", /needs a positive number/],
    ["dirichlet:1:", /names no field after the second colon/],
  ];
  test.each(bad)("%s is refused with what to write", (text, message) => {
    expect(() => parseSplit(text)).toThrow(
      expect.objectContaining({ code: "CONFIG_INVALID", message: expect.stringMatching(message) }),
    );
  });
});

describe("partition", () => {
  const anyRule = fc.constantFrom("iid", "speaker", "dirichlet:0.5", "dirichlet:5:speaker").map(parseSplit);

  test("every record goes to exactly one peer, every peer has some, the seed decides all", () => {
    fc.assert(
      fc.property(
        anyRule,
        fc.integer({ min: 1, max: 5 }),
        fc.nat(),
        fc.array(fc.integer({ min: 3, max: 12 }), { minLength: 5, maxLength: 12 }),
        (rule, peers, seed, sizes) => {
          const records = spoken(Object.fromEntries(sizes.map((size, i) => [`s${i}`, size])));
          const parts = partition(records, { rule, peers, seed });
          expect(parts).toHaveLength(peers);
          expect(parts.every((own) => own.length > 0)).toBe(true);
          expect(prompts(parts.flat())).toEqual(prompts(records));
          expect(partition(records, { rule, peers, seed })).toEqual(parts);
        },
      ),
    );
  });

  test("a group may have more records than a call has arguments", () => {
    const records = spoken({ ann: 130_000, bob: 1 });
    const sizes = (rule: string): readonly number[] =>
      partition(records, { rule: parseSplit(rule), peers: 2, seed: 1 }).map(({ length }) => length);
    expect(sizes("speaker").toSorted((a, b) => a - b)).toEqual([1, 130_000]);
  });

  test("by field: a group stays whole, and the largest do not meet", () => {
    const records = spoken({ a: 10, b: 9, c: 2, d: 2, e: 2, f: 2 });
    const parts = partition(records, { rule: parseSplit("speaker"), peers: 3, seed: 1 });
    const speakers = parts.map((own) => [...new Set(own.map(({ fields }) => fields.speaker))].sort().join(""));
    expect(speakers.sort()).toEqual(["a", "b", "cdef"]);
  });

  test("iid: shares differ by one record at most, and another seed deals otherwise", () => {
    const records = spoken({ a: 30, b: 41 });
    const parts = partition(records, { rule: parseSplit("iid"), peers: 4, seed: 1 });
    expect(parts.map((own) => own.length).sort()).toEqual([17, 18, 18, 18]);
    expect(partition(records, { rule: parseSplit("iid"), peers: 4, seed: 2 })).not.toEqual(parts);
  });

  test("dirichlet: a small alpha skews the values, a large one does not", () => {
    const records = spoken({ a: 200, b: 200, c: 200 });
    const largestShare = (alpha: number): number => {
      const parts = partition(records, { rule: { kind: "dirichlet", alpha, field: "speaker" }, peers: 4, seed: 3 });
      return Math.max(...parts.map((own) => own.filter(({ fields }) => fields.speaker === "a").length)) / 200;
    };
    expect(largestShare(0.1)).toBeGreaterThan(0.6);
    expect(largestShare(1000)).toBeLessThan(0.35);
  });

  test("dirichlet without a field takes the only one there is, or skews how much each peer has", () => {
    const rule = parseSplit("dirichlet:0.3");
    const byKind = partition(spoken({ a: 50, b: 50 }), { rule, peers: 2, seed: 4 });
    expect(byKind).toEqual(
      partition(spoken({ a: 50, b: 50 }), { rule: parseSplit("dirichlet:0.3:speaker"), peers: 2, seed: 4 }),
    );
    const bare = Array.from({ length: 100 }, (_, i) => record(i, {}));
    expect(partition(bare, { rule, peers: 2, seed: 4 }).flat()).toHaveLength(100);
    const two = [record(1, { a: "x", b: "y" }), record(2, { a: "x", b: "y" })];
    expect(() => partition(two, { rule, peers: 2, seed: 4 })).toThrow(
      /fields a, b; say which one, as in dirichlet:0\.3:a/,
    );
  });

  const rows: [title: string, records: DataRecord[], split: string, peers: number, code: string, text: RegExp][] = [
    ["fewer records than peers", spoken({ a: 2 }), "iid", 3, "DATA_TOO_SMALL", /2 records are too few for 3 peers/],
    ["fewer values than peers", spoken({ a: 9, b: 9 }), "speaker", 3, "DATA_TOO_SMALL", /has 2 values, too few for 3/],
    [
      "no such field",
      spoken({ a: 9 }),
      "field:speker",
      2,
      "CONFIG_INVALID",
      /no record has a field "speker"; did you mean "speaker"/,
    ],
    ["no fields at all", [record(1, {}), record(2, {})], "speaker", 2, "CONFIG_INVALID", /they have none, split iid/],
    ["far from any field", spoken({ a: 9 }), "field:xyz", 2, "CONFIG_INVALID", /they have speaker/],
    [
      "some without the field",
      [...spoken({ a: 3 }), record(1, {})],
      "speaker",
      1,
      "DATA_FORMAT",
      /1 of 4 records have no field/,
    ],
    [
      "too strong a skew",
      spoken({ a: 8 }),
      "dirichlet:0.001",
      8,
      "DATA_TOO_SMALL",
      /dirichlet\(0\.001\) leaves one of 8 peers/,
    ],
    ["no peers", spoken({ a: 3 }), "iid", 0, "CONFIG_INVALID", /0 is not a number of peers/],
  ];
  test.each(rows)("%s is one clear line", (_, records, split, peers, code, text) => {
    expect(() => partition(records, { rule: parseSplit(split), peers, seed: 1 })).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(text) }),
    );
  });
});
