/**
 * One row of private data as text, before it becomes tokens: the prompt, the answer, and the other fields of the row.
 */
export interface DataRecord {
  readonly prompt: string;
  readonly response: string;
  /** Named text values that records may be split among peers by, such as `speaker` or `kind`. */
  readonly fields: Readonly<Record<string, string>>;
  /**
   * What becomes of a record that is longer than an example may be: `cut` drops what does not fit, `continue` makes
   * further examples of the rest, as suits running text.
   */
  readonly overflow: "cut" | "continue";
}

/** Fields that name a record's task, the first that is there. */
const TASK_FIELDS = ["task", "kind"] as const;

/** The task that a record belongs to, by its field `task` or else `kind`; empty without either, for its examples. */
export function taskOf({ fields }: DataRecord): { readonly task?: string } {
  const name = TASK_FIELDS.find((field) => Object.hasOwn(fields, field));
  return name === undefined ? {} : { task: fields[name]! };
}
