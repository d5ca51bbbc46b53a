/**
 * One value that a person may set, described once: its bounds, a sentence and its source. Its type, the manifest's schema,
 * the text that the command line reads and prints, the help and the pages of docs/ are derived from that description.
 */
import type { z } from "zod";

/** The description that every field has. */
export interface Described {
  /** The meaning of the value, in words that help and pages print: a phrase without a full stop. */
  readonly text: string;
  /** The source of the value or its bounds: a paper, a specification, a file, or a reason. */
  readonly source: string;
  /** A remark about single values; it follows the list of them. */
  readonly note?: string;
  /** The value that holds where nothing is said, in words for people. */
  readonly otherwise?: string;
  /** The stand-in for the value in help, such as `count`. */
  readonly placeholder?: string;
}

/** A whole number; both bounds are allowed. */
export interface IntegerBounds {
  readonly type: "integer";
  readonly min: number;
  readonly max: number;
}

/** A finite number; both bounds are allowed but for the one that `without` names. */
export interface NumberBounds {
  readonly type: "number";
  readonly min: number;
  readonly max: number;
  readonly without?: "min" | "max";
}

/** One of a few words. */
export interface ChoiceBounds {
  readonly type: "choice";
  readonly values: readonly string[];
}

/** true or false. */
export interface SwitchBounds {
  readonly type: "switch";
}

/** true, or left out. */
export interface MarkBounds {
  readonly type: "mark";
}

/** Several values, each by its name. */
export interface RecordBounds {
  readonly type: "record";
  readonly fields: FieldTable;
}

/** A value with a form of its own, in a manifest as in a word. */
export interface FormBounds {
  readonly type: "form";
  /** The values that it takes, for refusals. */
  readonly bounds: string;
  readonly schema: z.ZodType;
  /** undefined where the text has another form; a form with bounds of its own says by `schema` what is wrong. */
  readonly parse: (text: string) => unknown;
  readonly print: (value: never) => string;
}

/** Which values there are. */
export type Bounds =
  | IntegerBounds
  | NumberBounds
  | ChoiceBounds
  | SwitchBounds
  | MarkBounds
  | RecordBounds
  | FormBounds;

/** The descriptor of one value. */
export type Field = Bounds & Described;

/** A field of a record: one without `optional` is always there. */
export type RecordField = Field & { readonly optional?: true };

/** Fields by their names, in the order in which they stand in a manifest. */
export type FieldTable = Readonly<Record<string, RecordField>>;

/** The values within bounds. */
export type FieldValue<F extends Bounds> = F extends { readonly type: "choice"; readonly values: readonly (infer W)[] }
  ? W
  : F extends { readonly type: "switch" }
    ? boolean
    : F extends { readonly type: "mark" }
      ? true
      : F extends { readonly type: "record"; readonly fields: infer Fields extends FieldTable }
        ? RecordOf<Fields>
        : F extends { readonly type: "form"; readonly parse: (text: string) => infer T }
          ? Exclude<T, undefined>
          : number;

/** The record that a table of fields describes. */
export type RecordOf<Fields extends FieldTable> = Flat<
  {
    readonly [Name in keyof Fields as Fields[Name] extends { readonly optional: true } ? never : Name]: FieldValue<
      Fields[Name]
    >;
  } & {
    readonly [Name in keyof Fields as Fields[Name] extends { readonly optional: true } ? Name : never]?: FieldValue<
      Fields[Name]
    >;
  }
>;

/** The same type, as one object. */
export type Flat<T> = { readonly [Name in keyof T]: T[Name] };

/** Values by the names of their fields; unsaid values are absent. */
export type FieldValues<Fields extends Readonly<Record<string, Bounds>>> = {
  readonly [Name in keyof Fields]?: FieldValue<Fields[Name]>;
};

/** Whether a value of unknown origin is one that the field takes. */
export function fitsField(field: Bounds, value: unknown): boolean {
  switch (field.type) {
    case "integer":
      return typeof value === "number" && Number.isSafeInteger(value) && value >= field.min && value <= field.max;
    case "number": {
      if (typeof value !== "number" || !(value >= field.min && value <= field.max)) return false;
      return !(field.without && value === field[field.without]);
    }
    case "choice":
      return typeof value === "string" && field.values.includes(value);
    case "switch":
      return typeof value === "boolean";
    case "mark":
      return value === true;
    case "record":
      return typeof value === "object" && value !== null && fitsTable(field.fields, value);
    case "form":
      return field.schema.safeParse(value).success;
  }
}

function fitsTable(fields: FieldTable, values: object): boolean {
  if (Object.keys(values).some((name) => !Object.hasOwn(fields, name))) return false;
  return Object.entries(fields).every(([name, field]) =>
    Object.hasOwn(values, name) ? fitsField(field, values[name as keyof typeof values]) : field.optional === true,
  );
}

/** The values that a field takes, in the words of a refusal: `an integer from 1 to 4096`. */
export function fieldBounds(field: Bounds): string {
  switch (field.type) {
    case "integer":
      return field.max === Number.MAX_SAFE_INTEGER
        ? `an integer of ${field.min} or more`
        : `an integer from ${field.min} to ${field.max}`;
    case "number":
      if (field.without === "min") return `a number above ${field.min} and at most ${field.max}`;
      if (field.without === "max") return `a number from ${field.min} to below ${field.max}`;
      return `a number from ${field.min} to ${field.max}`;
    case "choice":
      return field.values.join(", ");
    case "switch":
      return "true or false";
    case "mark":
      return "true, or left out";
    case "record":
      return Object.keys(field.fields).join(" and ");
    case "form":
      return field.bounds;
  }
}

/** The value that a text stands for; undefined where the field does not take it. */
export function valueOfText<const F extends Bounds>(field: F, text: string): FieldValue<F> | undefined {
  const value = readText(field, text);
  return fitsField(field, value) ? (value as FieldValue<F>) : undefined;
}

function readText(field: Bounds, text: string): unknown {
  switch (field.type) {
    case "integer":
      return /^\d+$/.test(text) ? Number(text) : undefined;
    case "number":
      return text.trim() === "" ? undefined : Number(text);
    case "choice":
      return text;
    case "switch":
    case "mark":
      return { true: true, false: false }[text];
    case "record":
      return recordOfText(field.fields, text);
    case "form":
      return field.parse(text);
  }
}

/** The values of a record one after another, a colon between them; all of them are needed. */
function recordOfText(fields: FieldTable, text: string): unknown {
  const [names, texts] = [Object.keys(fields), text.split(":")];
  if (texts.length !== names.length) return undefined;
  return Object.fromEntries(names.map((name, i) => [name, readText(fields[name]!, texts[i]!)]));
}

/** The text for a value; `valueOfText` of it gives it back. */
export function textOfValue(field: Bounds, value: unknown): string {
  switch (field.type) {
    case "record":
      return Object.entries(field.fields)
        .map(([name, one]) => textOfValue(one, (value as Readonly<Record<string, unknown>>)[name]))
        .join(":");
    case "form":
      // The caller's value is one that the field takes, and only the field's own type tells which that is.
      return field.print(value as never);
    default:
      return String(value);
  }
}
