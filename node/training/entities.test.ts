/** Entities from tags against seqeval; golden/entities.py made the file. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { EntityCounts, entitiesOf, nameEntities } from "./entities.ts";

interface Case {
  readonly scheme: string;
  readonly right: readonly (readonly string[])[];
  readonly found: readonly (readonly string[])[];
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
}

const cases: readonly Case[] = JSON.parse(readFileSync(join(import.meta.dirname, "golden/entities.json"), "utf8"));

describe("named entities", () => {
  it.each(cases.map((one, i) => [`${i}: ${one.scheme}`, one] as const))("are scored as by seqeval, %s", (_, one) => {
    const counts = new EntityCounts();
    for (const [i, right] of one.right.entries()) counts.add(right, one.found[i]!);
    const { precision, recall, f1 } = counts.score();
    expect(precision).toBeCloseTo(one.precision, 12);
    expect(recall).toBeCloseTo(one.recall, 12);
    expect(f1).toBeCloseTo(one.f1, 12);
  });

  it("begin where a kind begins, whatever the mark", () => {
    expect([...entitiesOf(["I-PER", "I-PER", "I-LOC", "O", "B-LOC", "B-LOC"])]).toEqual([
      "PER 0 1",
      "LOC 2 2",
      "LOC 4 4",
      "LOC 5 5",
    ]);
  });

  it("are not looked for in other classes", () => {
    expect(nameEntities(["O", "B-PER"])).toBe(true);
    expect(nameEntities(["NOUN", "VERB", "B"])).toBe(false);
  });
});
