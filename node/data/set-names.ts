/** What sets are called in files, folders and lists of rows. */

/** A set of examples. */
export type NamedSet = "train" | "validation" | "test";

const SETS: Readonly<Record<string, NamedSet>> = {
  train: "train",
  training: "train",
  validation: "validation",
  valid: "validation",
  val: "validation",
  dev: "validation",
  eval: "validation",
  test: "test",
  testing: "test",
};

/**
 * The set of a list, a folder or a file by its name, such as `train`, `Dev`, `test-00000-of-00001.parquet` or
 * `squad-validation.arrow`: by its first word, else by the only set among its words.
 */
export function setOfName(name: string): NamedSet | undefined {
  const words = name.toLowerCase().split(/[-_. ]/u);
  const sets = words.flatMap((word) => (Object.hasOwn(SETS, word) ? [SETS[word]!] : []));
  if (Object.hasOwn(SETS, words[0]!)) return sets[0];
  return new Set(sets).size === 1 ? sets[0] : undefined;
}
