/** The manifest's schema of a field: the bounds are the field's, and so are the words of a refusal. */
import { z } from "zod";
import { type Bounds, type FieldTable, type FieldValue, fieldBounds, type RecordOf } from "./field.ts";

/** The schema of one field.  Its messages continue the field's name: `must be an integer from 1 to 4096`. */
export function fieldSchema<F extends Bounds>(field: F): z.ZodType<FieldValue<F>> {
  return schemaOf(field) as z.ZodType as z.ZodType<FieldValue<F>>;
}

/** The schema of a record; a field that the table does not have is refused. */
export function recordSchema<Fields extends FieldTable>(fields: Fields): z.ZodType<RecordOf<Fields>> {
  return object(recordShape(fields)) as z.ZodType as z.ZodType<RecordOf<Fields>>;
}

/** The fields of such a schema, for an object that has more of them. */
export function recordShape(fields: FieldTable): Readonly<Record<string, z.ZodType>> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, field]) => {
      const schema = schemaOf(field);
      return [name, field.optional ? schema.exactOptional() : schema];
    }),
  );
}

function schemaOf(field: Bounds): z.ZodType {
  const text = `must be ${fieldBounds(field)}`;
  switch (field.type) {
    case "integer":
      return integer(field.min, field.max);
    case "number": {
      const all = z.number(text).max(field.max, text);
      if (field.without === "max") return all.min(field.min, text).lt(field.max, text);
      return field.without === "min" ? all.gt(field.min, text) : all.min(field.min, text);
    }
    case "choice":
      return choice(...field.values);
    case "switch":
      return z.boolean(text);
    case "mark":
      return z.literal(true, text);
    case "record":
      return recordSchema(field.fields);
    case "form":
      return field.schema;
  }
}

/** A whole number; both bounds are allowed. */
export function integer(min: number, max: number): z.ZodNumber {
  const text = `must be ${fieldBounds({ type: "integer", min, max })}`;
  return z.number(text).int(text).min(min, text).max(max, text);
}

/** Text of a pattern; words: its description. */
export function text(pattern: RegExp, words: string): z.ZodString {
  return z.string(`must be ${words}`).regex(pattern, `must be ${words}`);
}

/** One of a few words. */
export function choice<const T extends string>(...values: readonly T[]): z.ZodEnum<{ [Word in T]: Word }> {
  return z.enum(values, `must be ${values.map((value) => `"${value}"`).join(" or ")}`);
}

/** A list of at least and at most so many elements; what: the elements, in the plural. */
export function list<T extends z.ZodType>(
  element: T,
  { min, max, what }: { readonly min: number; readonly max: number; readonly what: string },
): z.ZodArray<T> {
  const words = `must be a list of ${min} to ${max} ${what}`;
  return z.array(element, words).min(min, words).max(max, words);
}

/** An object of these fields and no others. */
export function object<T extends z.ZodRawShape>(shape: T): z.ZodObject<T, z.core.$strict> {
  return z.strictObject(shape, "must be an object");
}

/** The refusal of an object whose kind is none of those: `must be "open" or "roster"`. */
export function oneOf(kinds: readonly string[]): { readonly error: (issue: { code?: string }) => string } {
  const quoted = kinds.map((kind) => `"${kind}"`);
  const words = quoted.length > 1 ? `${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1)}` : quoted.join("");
  return { error: (issue) => (issue.code === "invalid_union" ? `must be ${words}` : "must be an object") };
}

/** Whether no text stands twice. */
export const distinct = (values: readonly string[]): boolean => new Set(values).size === values.length;
