/** The flag of a field: the text, the parser and the help follow from the field's descriptor. */
import { InvalidArgumentError } from "commander";
import { type Bounds, type Field, type FieldValue, fieldBounds, valueOfText } from "../protocol/settings/field.ts";
import { kebabCase } from "../protocol/settings/field-words.ts";
import type { OptionRow } from "./command-row.ts";

/** The flag `--length-buckets <count>` of a field that is called lengthBuckets. */
export function fieldFlag(name: string, field: Field): OptionRow {
  const flag = `--${kebabCase(name)}`;
  const { otherwise } = field;
  if (field.type === "switch" || field.type === "mark")
    return { flags: flag, text: field.text, ...(otherwise !== undefined && { otherwise }) };
  const placeholder = field.placeholder ?? PLACEHOLDERS[field.type] ?? "word";
  return {
    flags: `${flag} <${placeholder}>`,
    text: fieldText(field),
    parse: fieldParser(field),
    ...(otherwise !== undefined && { otherwise }),
  };
}

/** The value of the text after a flag.  The parser throws InvalidArgumentError, which names what the field takes. */
export function fieldParser<const F extends Bounds>(
  field: F,
): ((text: string) => FieldValue<F>) & { readonly values?: readonly string[] } {
  const parse = (text: string): FieldValue<F> => {
    const value = valueOfText(field, text);
    if (value === undefined) throw new InvalidArgumentError(`expected ${fieldBounds(field)}`);
    return value;
  };
  return field.type === "choice" ? Object.assign(parse, { values: field.values }) : parse;
}

const PLACEHOLDERS: Readonly<Partial<Record<Field["type"], string>>> = {
  integer: "count",
  number: "number",
  choice: "name",
};

function fieldText(field: Field): string {
  const text = field.type === "choice" ? `${field.text}: ${field.values.join(", ")}` : field.text;
  return field.note === undefined ? text : `${text}; ${field.note}`;
}
