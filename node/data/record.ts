/** One row of private data as text, before it becomes tokens: what to answer, the answer, and what else is known of it. */
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
