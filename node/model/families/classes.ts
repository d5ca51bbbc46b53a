/** How a config says what a classifier's classes are, and whether it gives one to a text or one to each of its tokens. */
import { z } from "zod";
import { NodeError } from "../../errors.ts";
import type { Classifier } from "../base-model.ts";
import { architectureNames, COUNT, unsupported } from "../config.ts";

/** The fields that all classifiers share, as a schema's shape. */
export const CLASS_FIELDS = {
  problem_type: z.literal("single_label_classification").nullish(),
  id2label: z.record(z.string().regex(/^\d+$/), z.string()).optional(),
  num_labels: COUNT.optional(),
};

/** What a config says of its classes. */
export interface ClassFields {
  readonly id2label?: Readonly<Record<string, string>> | undefined;
  readonly num_labels?: number | undefined;
  readonly architectures?: readonly string[] | null | undefined;
}

/** Most classes: far more than any published classifier has, few enough to write their names down. */
const LABELS_MAX = 100_000;

const TEXTS = "ForSequenceClassification";
const TOKENS = "ForTokenClassification";

/** The classes of transformers that a config of `name` may have: both kinds of classifier, and bare encoders. */
export const classifierNames = (name: string, ...others: readonly string[]) =>
  architectureNames(`${name}${TEXTS}`, `${name}${TOKENS}`, `${name}Model`, ...others);

/** Whether a class is given to each token. */
export const labelsTokens = ({ architectures }: ClassFields): boolean =>
  architectures?.some((name) => name.endsWith(TOKENS)) ?? false;

/** The names of the classes, by number, and what they are given to.  Throws: MODEL_CONFIG. */
export function classesOf(fields: ClassFields, name: string): Pick<Classifier, "labels" | "architecture" | "reads"> {
  const ofTokens = labelsTokens(fields);
  return {
    labels: labelNames(fields),
    architecture: `${name}${ofTokens ? TOKENS : TEXTS}`,
    reads: ofTokens ? "each token" : "first token",
  };
}

function labelNames({ id2label, num_labels, architectures }: ClassFields): readonly string[] {
  const isClassifier = architectures?.some((name) => name.endsWith(TEXTS) || name.endsWith(TOKENS));
  // transformers writes neither field for a classifier of two classes, its default.
  const count = num_labels ?? (isClassifier ? 2 : undefined);
  const size = id2label ? Object.keys(id2label).length : count;
  if (size === undefined) {
    throw new NodeError("MODEL_CONFIG", "config.json names no classes; add id2label, or num_labels for a new head", {
      field: "id2label",
    });
  }
  if (id2label && num_labels !== undefined && num_labels !== size) {
    throw unsupported("num_labels", num_labels, `id2label names ${size} classes`);
  }
  if (size < 2 || size > LABELS_MAX) {
    throw unsupported(id2label ? "id2label" : "num_labels", id2label ?? count, "a classifier has 2 or more classes");
  }
  return Array.from({ length: size }, (_, i) => {
    const name = id2label ? id2label[i] : `LABEL_${i}`;
    if (name === undefined) throw unsupported("id2label", id2label, `class ${i} has no name`);
    return name;
  });
}
