/** The manifest's schema of settings of several kinds. */
import { z } from "zod";
import type { FieldTable } from "./field.ts";
import { object, oneOf, recordShape } from "./field-schema.ts";
import { kindsOf, type SettingsOf, type Variants } from "./variant.ts";

/** An object of one of the kinds: a field of another kind is refused by its name. */
export function variantSchema<All extends Variants>(all: All): z.ZodType<SettingsOf<All>> {
  return oneOfObjects<SettingsOf<All>>(all.tag, kindsOf(all), variantObjects(all));
}

/** An object of one of several kinds, of which some may be no variants. */
export function oneOfObjects<T>(tag: string, kinds: readonly string[], objects: readonly z.ZodObject[]): z.ZodType<T> {
  const [first, ...others] = objects;
  if (first === undefined) throw new TypeError(`no kind to tell apart by ${tag}`);
  return z.discriminatedUnion(tag, [first, ...others], oneOf(kinds)) as z.ZodType as z.ZodType<T>;
}

/** The schema of each kind. */
export function variantObjects({ tag, kinds }: Variants): readonly z.ZodObject[] {
  return Object.entries(kinds).map(([kind, { fields }]) => object({ [tag]: z.literal(kind), ...recordShape(fields) }));
}

/** The fields of all kinds by name, each with the kinds that have it. A field means the same in all of them. */
export function fieldsOfKinds({
  kinds,
}: Variants): Readonly<
  Record<string, { readonly field: FieldTable[string]; readonly of: readonly string[]; readonly isOptional: boolean }>
> {
  const found: Record<string, { field: FieldTable[string]; of: string[]; isOptional: boolean }> = {};
  for (const [kind, { fields }] of Object.entries(kinds)) {
    for (const [name, field] of Object.entries(fields)) {
      found[name] ??= { field, of: [], isOptional: field.optional === true };
      found[name].of.push(kind);
    }
  }
  return found;
}
