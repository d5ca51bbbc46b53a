/** What holds for every descriptor: it says what it is and where it comes from, and its words and its schema agree. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { z } from "zod";
import { ADAPTERS } from "./adapter-kinds.ts";
import { AGGREGATION, AGGREGATION_FIELDS } from "./aggregation-rules.ts";
import { ENCODING, TOP_K } from "./encoding.ts";
import { type Field, fieldBounds, fitsField, textOfValue, valueOfText } from "./field.ts";
import { fieldSchema } from "./field-schema.ts";
import { LAMBDA_RULES } from "./lambda-rules.ts";
import { NEIGHBOUR_WEIGHTS } from "./neighbour-weights.ts";
import { REFERENCES } from "./reference-kinds.ts";
import { DEADLINE, OPTIMIZERS, ROUNDS, SCHEDULES, TRAINING } from "./training.ts";
import type { SettingsOf, Variant, VariantField, Variants } from "./variant.ts";
import { variantSchema } from "./variant-schema.ts";
import { settingsOfWord, wordForms, wordOfSettings } from "./variant-word.ts";

const VARIANTS: readonly Variants[] = [
  ADAPTERS,
  AGGREGATION,
  LAMBDA_RULES,
  NEIGHBOUR_WEIGHTS,
  OPTIMIZERS,
  REFERENCES,
  SCHEDULES,
];
const TABLES: Readonly<Record<string, Readonly<Record<string, Field>>>> = {
  training: TRAINING,
  rounds: ROUNDS,
  deadline: DEADLINE,
  aggregation: AGGREGATION_FIELDS,
  encoding: ENCODING,
  topK: TOP_K,
};

type Kind = readonly [string, Variants, string, Variant];
const kinds = VARIANTS.flatMap((all) =>
  Object.entries(all.kinds).map(([kind, variant]): Kind => [`${all.what} ${kind}`, all, kind, variant]),
);

/** A field by itself, or one inside of a record. */
const flat = (name: string, field: Field): readonly (readonly [string, Field])[] => [
  [name, field],
  ...(field.type === "record"
    ? Object.entries(field.fields).flatMap(([one, inner]) => flat(`${name}.${one}`, inner))
    : []),
];
const fields = [
  ...Object.entries(TABLES).flatMap(([table, all]) =>
    Object.entries(all).flatMap(([name, field]) => flat(`${table}.${name}`, field)),
  ),
  ...kinds.flatMap(([what, , , variant]) =>
    Object.entries(variant.fields).flatMap(([name, field]) => flat(`${what}.${name}`, field)),
  ),
];
const numbers = fields.filter(([, { type }]) => type === "integer" || type === "number");

const messagesOf = (schema: z.ZodType, value: unknown): readonly string[] => {
  const result = schema.safeParse(value);
  return result.success ? [] : result.error.issues.map(({ message }) => message);
};

describe("every descriptor", () => {
  it.each([...fields, ...kinds.map(([what, , , kind]) => [what, kind] as const)])(
    "%s says what it is and where it comes from",
    (_, { text, source }) => {
      expect(text).toMatch(/^\S.*[^.\s]$/);
      expect(source).toMatch(/^\S.{4,}[^.\s]$/);
    },
  );
});

/** Values at the bounds and beyond them, as far as a number of the field's kind can be. */
function edges(field: Field): { readonly inside: readonly number[]; readonly outside: readonly number[] } {
  if (field.type === "integer") {
    const { min, max } = field;
    return { inside: [min, max], outside: [min - 1, max + 1, min + 0.5] };
  }
  if (field.type !== "number") throw new TypeError(`${field.type} has no bounds`);
  const { min, max, without } = field;
  const step = 1e-9 * Math.max(1, Math.abs(max));
  const inside = [without === "min" ? min + 1e-12 : min, without === "max" ? max - step : max];
  const outside = [without === "min" ? min : min - 1e-12, without === "max" ? max : max + step];
  return { inside, outside };
}

describe("the bounds of every number", () => {
  it.each(numbers)("%s are the same in a manifest and on the command line", (_, field) => {
    const { inside, outside } = edges(field);
    const schema = fieldSchema(field);
    for (const value of inside) {
      expect(messagesOf(schema, value), String(value)).toEqual([]);
      expect(fitsField(field, value)).toBe(true);
      expect(valueOfText(field, textOfValue(field, value))).toBe(value);
    }
    for (const value of [...outside, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(new Set(messagesOf(schema, value)), String(value)).toEqual(new Set([`must be ${fieldBounds(field)}`]));
      expect(fitsField(field, value)).toBe(false);
      expect(valueOfText(field, String(value))).toBeUndefined();
    }
  });
});

/** Any value of a field. */
function valuesOf(field: Field): fc.Arbitrary<unknown> {
  switch (field.type) {
    case "integer":
      return fc.integer({ min: field.min, max: field.max });
    case "number":
      return fc
        .double({ min: field.min, max: field.max, noNaN: true })
        .map((value) => value + 0)
        .filter((value) => fitsField(field, value));
    case "choice":
      return fc.constantFrom(...field.values);
    case "switch":
      return fc.boolean();
    case "mark":
      return fc.constant(true);
    case "record":
      return fc.record(Object.fromEntries(Object.entries(field.fields).map(([name, one]) => [name, valuesOf(one)])));
    case "form":
      return FORMS[field.bounds] ?? expect.unreachable(`no values of ${field.bounds}`);
  }
}

const form = (field: Field): string => fieldBounds(field);
const FORMS: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  [form(ADAPTERS.kinds.loreft.fields.layers)]: fc.oneof(
    fc.constant("all"),
    fc.uniqueArray(fc.nat(99), { minLength: 1, maxLength: 5 }).map((some) => some.sort((a, b) => a - b)),
  ),
  [form(ADAPTERS.kinds.loreft.fields.positions)]: fc.oneof(
    fc.constant("all"),
    fc
      .record({ first: fc.nat(4096), last: fc.nat(4096), tied: fc.boolean() })
      .filter(({ first, last }) => first + last > 0),
  ),
  [form(ADAPTERS.kinds.lora.fields.targets)]: fc.uniqueArray(fc.stringMatching(/^[a-z][a-z_.]{0,9}$/), {
    minLength: 1,
    maxLength: 4,
  }),
};

/** Any settings of a kind that a word can say: what it cannot say is as it is without a word. */
function settingsOf(tag: string, kind: string, { fields: table }: Variant): fc.Arbitrary<object> {
  const sayable = (field: VariantField): fc.Arbitrary<unknown> => {
    const { word, initial } = field;
    if (word === undefined) return fc.constant(initial);
    if ("plus" in word && word.value !== undefined) return fc.constant(word.value);
    if (!("words" in word)) return valuesOf(field).filter((value) => !field.optional || value !== initial);
    return fc.constantFrom(...Object.values(word.words));
  };
  const entries = Object.entries(table);
  return fc
    .record(Object.fromEntries(entries.map(([name, field]) => [name, sayable(field)])), {
      requiredKeys: entries.filter(([, { optional }]) => !optional).map(([name]) => name),
    })
    .map((values) => ({ [tag]: kind, ...values }));
}

describe("the word of every kind", () => {
  it.each(kinds)("%s is read as it is written, and a manifest takes what it says", (_, all, kind, variant) => {
    const schema = variantSchema(all);
    fc.assert(
      fc.property(settingsOf(all.tag, kind, variant), (settings) => {
        const word = wordOfSettings(all, settings as SettingsOf<Variants>);
        expect(settingsOfWord(all, word), word).toEqual({ value: settings });
        expect(messagesOf(schema, settings), word).toEqual([]);
      }),
    );
  });

  it.each(kinds)("%s: its form in help, without what may be left out, is such a word", (_, all, kind) => {
    const bare = wordForms(all, kind).replace(/\[[^\]]*\]/g, "");
    const reading = settingsOfWord(all, bare);
    expect(reading).toMatchObject({ value: { [all.tag]: kind } });
    const whole = wordForms(all, kind).replaceAll(/[[\]]/g, "").replace(":product:aligned", ":product");
    expect(settingsOfWord(all, whole), whole).toMatchObject({ value: { [all.tag]: kind } });
  });
});
