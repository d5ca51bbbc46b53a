import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ExampleSets } from "../interface/trainer.ts";
import { checkSameExamples, exampleDigests } from "./example-digests.ts";

const example = (...tokens: number[]) => ({ tokens, promptLength: 1 });
const sets: ExampleSets = {
  train: [example(1, 2, 3), example(4, 5)],
  validation: [example(6, 7)],
  test: [example(8, 9)],
};

describe("digests of examples", () => {
  it("are of the numbers as they are written down", () => {
    // sha256 of 02000000 01000000 08000000 09000000
    const bytes = Uint8Array.from([2, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 9, 0, 0, 0]);
    return crypto.subtle.digest("SHA-256", bytes).then((digest) => {
      expect(exampleDigests(sets).test).toBe(Buffer.from(digest).toString("hex"));
    });
  });

  it("are equal for equal sets and no others", () => {
    const tokens = fc.array(fc.nat({ max: 3 }), { minLength: 1, maxLength: 3 });
    const set = fc.array(fc.record({ tokens, promptLength: fc.nat({ max: 1 }) }), { maxLength: 3 });
    fc.assert(
      fc.property(set, set, (a, b) => {
        const [x, y] = [a, b].map((train) => exampleDigests({ ...sets, train }).train);
        expect(x === y).toBe(JSON.stringify(a) === JSON.stringify(b));
      }),
      { examples: [[[{ tokens: [1, 2], promptLength: 1 }], [{ tokens: [1, 2], promptLength: 1 }]]] },
    );
  });

  it.each([
    { name: "one token of one example", given: { ...sets, test: [example(8, 8)] }, differing: "test" },
    { name: "the order", given: { ...sets, train: sets.train.toReversed() }, differing: "train" },
    {
      name: "another division",
      given: { ...sets, train: sets.validation, validation: sets.train },
      differing: "train, validation",
    },
  ])("that differ in $name are named in one line", ({ given, differing }) => {
    expect(() => checkSameExamples(exampleDigests(sets), exampleDigests(given))).toThrow(
      expect.objectContaining({
        code: "DATA_MISMATCH",
        message: `the checkpoint was trained with other data (different: ${differing} examples)`,
        facts: expect.objectContaining({ problem: "another-data" }),
      }),
    );
  });

  it("pass when they are the same, or when nothing was kept", () => {
    checkSameExamples(exampleDigests(sets), exampleDigests(structuredClone(sets)));
    checkSameExamples(undefined, exampleDigests(sets));
  });
});
