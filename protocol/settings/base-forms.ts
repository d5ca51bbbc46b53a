/** The forms in which a frozen base may be kept: named by flags and by manifests. `node/model/base` computes with them. */

/** f32, numbers of 16 bits, blocks of integers of 8 or 4 bits; with `-e8` the embeddings are in such blocks of 8 bits, too. */
export const BASE_FORMS = ["f32", "f16", "q8", "q8-e8", "q4", "q4-e8"] as const;
/** One of these forms. */
export type BaseForm = (typeof BASE_FORMS)[number];

/** Those that are made from a model's files, and have a digest of their own. */
export const NARROW_FORMS = ["f16", "q8", "q8-e8", "q4", "q4-e8"] as const satisfies readonly BaseForm[];
/** One of these forms. */
export type NarrowForm = (typeof NARROW_FORMS)[number];

/** The base that all peers of a network train on: the model's own weights, or a narrow form and the digest of what it holds. */
export type AgreedBase = { readonly form: "f32" } | { readonly form: NarrowForm; readonly digest: string };
