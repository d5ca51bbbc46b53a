/**
 * The genesis manifest: everything that the peers of one network must agree on before the first byte is exchanged.
 * Its canonical bytes (RFC 8785) hash to the network id.
 */
import type { AdapterSettings, AdapterTensor } from "./adapter-spec.ts";

/** SHA-256 digests, lower-case hexadecimal, of the base model that every peer keeps frozen. */
export interface ModelDigest {
  /** Over the tensors: sorted names, dtypes, shapes and raw values, so that sharding does not matter. */
  readonly weights: string;
  /** Over config.json in canonical form (RFC 8785). */
  readonly config: string;
  /** Over the bytes of tokenizer.json. */
  readonly tokenizer: string;
}

export interface TrainingSpec {
  readonly optimizer: "adamw";
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly gradientClip: number;
  readonly batchSize: number;
  readonly maxTokens: number;
}

export interface RoundSchedule {
  readonly count: number;
  readonly localSteps: number;
  /** A round's exchange waits at least and at most so long; between them the deadline follows the observed pace. */
  readonly deadlineMs: { readonly min: number; readonly max: number };
}

export type LambdaRule =
  | { readonly mode: "fixed"; readonly value: number }
  | { readonly mode: "search" }
  | { readonly mode: "tanh"; readonly max: number; readonly kappa: number };

export interface AggregationSettings {
  readonly rule: "mean" | "geometric-median";
  /** Aggregate tensor by tensor, or the whole flat vector as one point. */
  readonly scope: "tensor" | "global";
  readonly lambda: LambdaRule;
  /** An update that is `age` rounds old weighs (age + 1)^-stalenessExponent. */
  readonly stalenessExponent: number;
  /** Updates older than this many rounds are left out. */
  readonly ageMax: number;
}

export type ReferenceSettings =
  | { readonly kind: "none" }
  | {
      readonly kind: "window";
      readonly size: number;
      readonly weights: "uniform" | "linear";
      readonly l1: number;
      readonly l2: number;
    }
  | { readonly kind: "ema"; readonly decay: number; readonly l1: number; readonly l2: number };

export interface NetworkManifest {
  readonly schema: "weft-network/1";
  /** For people; 1 to 64 characters of printable ASCII. */
  readonly name: string;
  /** Seed of everything that all peers derive alike. */
  readonly seed: number;
  readonly model: { readonly family: string; readonly digest: ModelDigest };
  readonly adapter: AdapterSettings;
  /** The order of the flat vector, so that an update can be checked without the model. */
  readonly tensors: readonly AdapterTensor[];
  readonly training: TrainingSpec;
  readonly rounds: RoundSchedule;
  readonly aggregation: AggregationSettings;
  readonly reference: ReferenceSettings;
  /** Multiaddrs that a new peer may dial first. */
  readonly bootstrap: readonly string[];
}
