/**
 * One value that a person may set, described once: its bounds, a sentence and its source. Its type, the manifest's schema,
 * the text that the command line reads and prints, the help and the pages of docs/ are derived from that description.
 */

/** What every field says of itself. */
export interface Described {
  /** What the value is, in words that help and pages print: a phrase without a full stop. */
  readonly text: string;
  /** What the value or its bounds are taken from: a paper, a specification, a file, or a reason. */
  readonly source: string;
  /** What there is to know about single values; it follows the list of them. */
  readonly note?: string;
  /** What holds where nothing is said, for people. */
  readonly otherwise?: string;
  /** What stands for the value in help, such as `count`. */
  readonly placeholder?: string;
}

/** A whole number; both bounds are allowed. */
export interface IntegerBounds {
  readonly type: "integer";
  readonly min: number;
  readonly max: number;
}

/** A finite number; both bounds are allowed but for those that `without` names. */
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

/** Said, or not said. */
export interface SwitchBounds {
  readonly type: "switch";
}

/** Which values there are. */
export type Bounds = IntegerBounds | NumberBounds | ChoiceBounds | SwitchBounds;

/** The descriptor of one value. */
export type Field = Bounds & Described;

/** The values within bounds. */
export type FieldValue<F extends Bounds> = F extends { readonly type: "choice"; readonly values: readonly (infer W)[] }
  ? W
  : F extends { readonly type: "switch" }
    ? boolean
    : number;

/** Values by the names of their fields; what is not said is absent. */
export type FieldValues<Fields extends Readonly<Record<string, Field>>> = {
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
  }
}

/** What a field takes, in the words of a refusal: `an integer from 1 to 4096`. */
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
  }
}

/** The value that a text stands for; undefined where the field does not take it. */
export function parseField<F extends Bounds>(field: F, text: string): FieldValue<F> | undefined {
  const value = valueOfText(field, text);
  return fitsField(field, value) ? (value as FieldValue<F>) : undefined;
}

function valueOfText(field: Bounds, text: string): unknown {
  switch (field.type) {
    case "integer":
      return /^\d+$/.test(text) ? Number(text) : undefined;
    case "number":
      return text.trim() === "" ? undefined : Number(text);
    case "choice":
      return text;
    case "switch":
      return { true: true, false: false }[text];
  }
}

/** The text for a value; `parseField` of it gives it back. */
export function printField(_field: Bounds, value: FieldValue<Bounds>): string {
  return String(value);
}
