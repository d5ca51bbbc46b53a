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
  test: "test",
};

/** The set of a list, a folder or a file by its name, such as `train`, `Dev` or `test-00000-of-00001.parquet`. */
export function setOfName(name: string): NamedSet | undefined {
  const [first = ""] = name.toLowerCase().split(/[-_.]/u);
  return Object.hasOwn(SETS, first) ? SETS[first] : undefined;
}
