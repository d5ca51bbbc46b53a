/** Fields of a manifest that a flag of the command line sets by itself, without another step between the two. */
import type { FieldValue, RecordField } from "./field.ts";

/** A field that may have a flag: `flag` is the camel-cased name of the flag, `localSteps` for `local-steps`. */
export type FlaggedField = RecordField & { readonly flag?: string };

/** Fields of one object of a manifest, some of them with flags. */
export type FlaggedTable = Readonly<Record<string, FlaggedField>>;

/** The values that the flags of a table give, by the flags' names. */
export type FlagValues<Table extends FlaggedTable> = {
  readonly [Name in keyof Table as Table[Name] extends { readonly flag: infer Flag extends string }
    ? Flag
    : never]?: FieldValue<Table[Name]>;
};

/** The fields that have flags, in their order. */
export function flaggedFields(
  table: FlaggedTable,
): readonly { readonly name: string; readonly field: FlaggedField; readonly flag: string }[] {
  return Object.entries(table).flatMap(([name, field]) =>
    field.flag === undefined ? [] : [{ name, field, flag: field.flag }],
  );
}

/** The part of the object that flags have set; options: all options of a command, by the flags' names. */
export function valuesOfFlags<Table extends FlaggedTable>(
  table: Table,
  options: FlagValues<Table>,
): Partial<{ readonly [Name in keyof Table]: FieldValue<Table[Name]> }> {
  const said = options as Readonly<Record<string, unknown>>;
  const entries = flaggedFields(table).filter(({ flag }) => said[flag] !== undefined);
  return Object.fromEntries(entries.map(({ name, flag }) => [name, said[flag]])) as ReturnType<
    typeof valuesOfFlags<Table>
  >;
}
