import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Field, type FieldValue, fieldBounds, fitsField, textOfValue, valueOfText } from "./field.ts";
import { fieldArguments } from "./field-words.ts";

const ABOUT = { text: "what it is", source: "this test" };
const COUNT = { ...ABOUT, type: "integer", min: 1, max: 4096 } as const;
const SHARE = { ...ABOUT, type: "number", min: 0, max: 1 } as const;
const ABOVE = { ...SHARE, without: "min" } as const;
const BELOW = { ...SHARE, without: "max" } as const;
const WORD = { ...ABOUT, type: "choice", values: ["one", "two"] } as const;
const SWITCH = { ...ABOUT, type: "switch" } as const;

describe("a field", () => {
  it.each<[Field, unknown[], unknown[], string]>([
    [COUNT, [1, 2, 4096], [0, 4097, 1.5, "1", null, undefined, Number.NaN], "an integer from 1 to 4096"],
    [{ ...COUNT, max: Number.MAX_SAFE_INTEGER }, [1, 2 ** 53 - 1], [0, 2 ** 53], "an integer of 1 or more"],
    [SHARE, [0, 0.5, 1], [-1e-9, 1 + 1e-9, Number.NaN, Number.POSITIVE_INFINITY, "0.5"], "a number from 0 to 1"],
    [ABOVE, [1e-300, 1], [0, -0, 1.1], "a number above 0 and at most 1"],
    [BELOW, [0, 0.999], [1, -1], "a number from 0 to below 1"],
    [WORD, ["one", "two"], ["", "three", "One", 1, ["one"]], "one, two"],
    [SWITCH, [true, false], ["true", 1, undefined], "true or false"],
  ])("takes what is within its bounds, and says what they are: %j", (field, inside, outside, words) => {
    for (const value of inside) expect(fitsField(field, value), String(value)).toBe(true);
    for (const value of outside) expect(fitsField(field, value), String(value)).toBe(false);
    expect(fieldBounds(field)).toBe(words);
  });

  it("reads back what it prints", () => {
    const back = (field: Field, value: FieldValue<Field>) => valueOfText(field, textOfValue(field, value));
    fc.assert(fc.property(fc.integer(COUNT), (count) => back(COUNT, count) === count));
    fc.assert(fc.property(fc.double({ min: 1e-300, max: 1, noNaN: true }), (share) => back(ABOVE, share) === share));
    for (const word of WORD.values) expect(back(WORD, word)).toBe(word);
    for (const value of [true, false]) expect(back(SWITCH, value)).toBe(value);
  });

  it.each<[Field, string]>([
    [COUNT, "1.0"],
    [COUNT, "+1"],
    [COUNT, ""],
    [COUNT, " 1"],
    [SHARE, ""],
    [SHARE, " "],
    [SHARE, "half"],
    [WORD, "One"],
    [SWITCH, "yes"],
  ])("does not read %j from %j", (field, text) => {
    expect(valueOfText(field, text)).toBeUndefined();
  });

  it("is an argument where a value is there, a word alone where it is a switch", () => {
    const fields = { batchSize: COUNT, lowMemory: SWITCH, word: WORD };
    expect(fieldArguments(fields, { batchSize: 8, lowMemory: true })).toEqual(["--batch-size", "8", "--low-memory"]);
    expect(fieldArguments(fields, { lowMemory: false, word: "two" })).toEqual(["--word", "two"]);
    expect(fieldArguments(fields, {})).toEqual([]);
  });
});
