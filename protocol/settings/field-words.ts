/** Fields as words of a command line: the same names wherever a program is started with them. */
import type { Field, FieldValues } from "./field.ts";
import { textOfValue } from "./field.ts";

/** `length-buckets`, as words of a command line and keys of a configuration have it, for `lengthBuckets`. */
export function kebabCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** What an option of a command line may be given. */
export type OptionValue = string | number | boolean | readonly string[] | undefined;

/**
 * The arguments of a process that say these options, in their order; a list says its option once for each value. What is absent,
 * and what is switched off, is not said.
 */
export function optionArguments(options: Readonly<Record<string, OptionValue>>): readonly string[] {
  return Object.entries(options).flatMap(([name, value]) => {
    const flag = `--${kebabCase(name)}`;
    if (value === undefined || value === false) return [];
    if (value === true) return [flag];
    return [value].flat().flatMap((one) => [flag, String(one)]);
  });
}

/** The arguments of a process that say these values; absent values, and switches that are off, are left out. */
export function fieldArguments<Fields extends Readonly<Record<string, Field>>>(
  fields: Fields,
  values: FieldValues<Fields>,
): readonly string[] {
  return Object.entries(fields).flatMap(([name, field]) => {
    const value = values[name];
    if (value === undefined || value === false) return [];
    const flag = `--${kebabCase(name)}`;
    return field.type === "switch" ? [flag] : [flag, textOfValue(field, value)];
  });
}
