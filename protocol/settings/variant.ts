/**
 * Settings of several kinds, such as the adapters or the aggregation rules: of each kind its fields, and the form in
 * which one word says them, such as `lora:r8:q_proj,v_proj:alpha16`. Types, schema, words and pages follow from it.
 */
import type { Field, FieldTable, Flat, RecordField, RecordOf } from "./field.ts";

/** How a field stands in the word; one without a form is left to its initial value. */
export type WordForm =
  /** The next part, such as `r8` with the prefix `r`; it may be missing at the end where the field has an initial value. */
  | { readonly place: "needed" | "optional"; readonly prefix?: string }
  /** A part that begins with a name, such as `alpha16` or `layers=0,2`. */
  | { readonly name: string }
  /** Parts of which each stands for a value, such as `frozen` for a rotation that is frozen. */
  | { readonly words: Readonly<Record<string, string | boolean>> }
  /** A word behind a plus sign; with `value` it is there or not, else its value follows a colon. */
  | { readonly plus: string; readonly value?: number };

/** A part of the word that marks a value which another part has given, such as `tied` of positions. */
export interface Mark<T> {
  readonly word: string;
  /** Whether the value can be marked, and whether it is. */
  readonly state: (value: T) => "marked" | "plain" | "none";
  readonly set: (value: T) => T;
}

/** A field of one kind. */
export type VariantField = RecordField & {
  readonly word?: WordForm;
  /** The value in the settings where the word says nothing; absent where the field is then left out. */
  readonly initial?: unknown;
  /** The same, where it depends on the rest of the word. */
  readonly initialOf?: (settings: Readonly<Record<string, never>>) => unknown;
  // biome-ignore lint/suspicious/noExplicitAny: a mark is of the value of its own field, which only that field's type tells
  readonly mark?: Mark<any>;
  /** A value as help shows it. */
  readonly example?: string;
};

/** One kind. */
export interface Variant extends Pick<Field, "text" | "source"> {
  readonly fields: Readonly<Record<string, VariantField>>;
  /** The fields in the order of the word, where that is not their order in the manifest. */
  readonly order?: readonly string[];
}

/** All kinds, by their names. */
export type VariantTable = Readonly<Record<string, Variant>>;

/** Settings of several kinds, which the field `tag` tells apart. */
export interface VariantsOf<Tag extends string, Table extends VariantTable> {
  readonly tag: Tag;
  /** The name of the settings, for refusals: `adapter "lora": …`. */
  readonly what: string;
  readonly kinds: Table;
  /** The kind that a word stands for which begins with a digit: `0.5` for `fixed:0.5`. */
  readonly bare?: keyof Table & string;
}

/** Any such settings. */
export type Variants = VariantsOf<string, VariantTable>;

/** The settings of one kind. */
export type VariantSettings<Tag extends string, Table extends VariantTable, Kind extends keyof Table> = Flat<
  { readonly [T in Tag]: Kind } & (Table[Kind]["fields"] extends infer Fields extends FieldTable
    ? RecordOf<Fields>
    : never)
>;

/** The settings of any of the kinds: a discriminated union. */
export type SettingsOf<All extends Variants> =
  All extends VariantsOf<infer Tag, infer Table>
    ? { readonly [Kind in keyof Table]: VariantSettings<Tag, Table, Kind> }[keyof Table]
    : never;

/** The names of the kinds. */
export type KindOf<All extends Variants> = keyof All["kinds"] & string;

/** The names of the kinds, in their order. */
export function kindsOf<All extends Variants>({ kinds }: All): readonly KindOf<All>[] {
  return Object.keys(kinds) as KindOf<All>[];
}

/** The fields of a kind in the order of its word. */
export function wordFields({
  fields,
  order = Object.keys(fields),
}: Variant): readonly (readonly [string, VariantField])[] {
  return order.map((name) => [name, fields[name]!]);
}
