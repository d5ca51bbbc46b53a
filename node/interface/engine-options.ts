/**
 * What one peer decides about its training engine alone: no other peer needs to know it, and no adapter comes out
 * differently by more than rounding but for `lengthBuckets` and `precision`. This table is all that there is to such an
 * option: the type, the flags, the help, the arguments of a testnet's peers and docs/CLI.md follow from it.
 */
import { BASE_FORMS } from "../../protocol/settings/base-forms.ts";
import type { Field, FieldValues } from "../../protocol/settings/field.ts";
import { DEVICES } from "./runtime.ts";

/** Arithmetic of products with frozen matrices: f32, integers of 8 bits or numbers of 16 bits. */
export const PRECISIONS = ["fp32", "int8", "fp16"] as const;
/** One of these arithmetics. */
export type Precision = (typeof PRECISIONS)[number];

/** Every option of the engine, in the order of the help. */
export const ENGINE_OPTIONS = {
  threads: {
    type: "integer",
    min: 1,
    max: 1024,
    text: "processor threads for training",
    source: "intraOpNumThreads of onnxruntime; more than a machine has only slows it down",
  },
  device: {
    type: "choice",
    values: DEVICES,
    text: "what to compute on",
    otherwise: "cpu",
    source: "the execution providers that onnxruntime-node is built with",
  },
  lengthBuckets: {
    type: "integer",
    min: 1,
    max: 64,
    text: "batch examples of like length together, in at most so many lengths: less padding, less mixing",
    otherwise: "1, all are mixed",
    source: "node/data/bucket.ts; each length is a graph and a session with memory of its own",
  },
  pack: {
    type: "switch",
    text: "let short examples share the rows of a batch: the same losses from less padding; in place of length buckets",
    source: "node/data/pack.ts; for language models only",
  },
  precision: {
    type: "choice",
    values: PRECISIONS,
    text: "arithmetic of products with frozen matrices in training and its evaluations",
    note: "int8 on the cpu only; docs/PERFORMANCE.md has what they are worth",
    otherwise: "fp32",
    source: "node/training/precision; features that peers compare, and evaluations outside a training, stay in f32",
  },
  base: {
    type: "choice",
    values: BASE_FORMS,
    text: "form in which the frozen base is kept: less memory, and a base that is rounded to it",
    note: "docs/LARGE-MODELS.md has what they are worth",
    otherwise: "f32, or what the network agreed on",
    source: "node/model/base; gradients are exact for the rounded base",
  },
  lowMemory: {
    type: "switch",
    text: "compute activations again instead of keeping them: about a third slower, in a fraction of the memory",
    source: "node/training/checkpointing.ts; Chen et al. 2016, arXiv:1604.06174",
  },
  streamBlocks: {
    type: "switch",
    text: "keep the weights of one layer in memory at a time and read them anew in every step: for bases larger than memory",
    note: "docs/LARGE-MODELS.md has what it costs",
    source: "node/training/streamed-session.ts; the gradient is that of lowMemory",
  },
} as const satisfies Readonly<Record<string, Field>>;

/** How a peer's engine computes; what is absent is as `ENGINE_OPTIONS` says. */
export type EngineOptions = FieldValues<typeof ENGINE_OPTIONS>;
