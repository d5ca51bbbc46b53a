/** A row of the evaluation: an adapter, how peers exchange it, and how they aggregate. */

import { createNetwork } from "../../node/manifest/create-network.ts";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import type { UpdateEncoding } from "../../protocol/encoding/update-encoding.ts";
import type {
  AggregationSettings,
  NetworkManifest,
  ReferenceSettings,
  TrainingSpec,
} from "../../protocol/network-manifest.ts";
import { MANIFEST_DEFAULTS } from "../../protocol/network-manifest.ts";

/**
 * none: every peer trains alone. others: All-But-Me with the method's aggregation. all: every peer takes the mean over
 * all, itself included, as a server would. pooled: one trainer with everybody's data, the ceiling.
 */
export type ExchangeKind = "none" | "others" | "all" | "pooled";

/** Whether peers send to each other. */
export const hearsOthers = ({ exchange }: { readonly exchange: ExchangeKind }): boolean =>
  exchange === "others" || exchange === "all";

/** One way in which peers can work together, or alone. */
export interface Method {
  /** The name of the row, and of the files of its cells. */
  readonly name: string;
  readonly exchange: ExchangeKind;
  readonly adapter: AdapterSettings;
  /** Over the defaults of a manifest; `all` has its own rule and lambda. */
  readonly aggregation?: Partial<AggregationSettings>;
  /** None when absent. */
  readonly reference?: ReferenceSettings;
  /**
   * The encoding; the product's own choice when absent, and with `all` float32, so that all peers end with the same
   * bits.
   */
  readonly encoding?: UpdateEncoding;
  /** Over the defaults of a manifest and the table's. */
  readonly training?: Partial<TrainingSpec>;
}

/** The settings that a suite fixes for all of its methods. */
export interface SwarmSettings {
  readonly rounds: number;
  readonly localSteps: number;
  readonly training: Partial<TrainingSpec>;
}

/**
 * The manifest under which `peers` peers would run the method.
 * `all` is the mean over the others taken up by (n - 1) / n: (1/n) own + ((n-1)/n) mean of the others = mean of all.
 * Throws: MANIFEST_INVALID, and whatever the model or the adapter settings are refused with.
 */
export function manifestOf(
  method: Method,
  options: {
    readonly modelDirectory: string;
    readonly peers: number;
    readonly seed: number;
    readonly settings: SwarmSettings;
  },
): NetworkManifest {
  const { modelDirectory, peers, seed, settings } = options;
  const pooled = method.exchange === "pooled";
  const lambda = { mode: "fixed", value: (peers - 1) / peers } as const;
  return createNetwork({
    name: method.name,
    modelDirectory,
    seed,
    adapter: method.adapter,
    training: { ...settings.training, ...method.training },
    // As many steps in all as the peers take together.
    rounds: { count: settings.rounds, localSteps: settings.localSteps * (pooled ? peers : 1) },
    aggregation: {
      ...MANIFEST_DEFAULTS.aggregation,
      ...method.aggregation,
      ...(method.exchange === "all" ? { rule: "mean", lambda } : {}),
    },
    reference: method.reference ?? { kind: "none" },
    ...encodingOf(method),
  });
}

function encodingOf({ encoding, exchange }: Method): { readonly encoding?: UpdateEncoding } {
  if (encoding !== undefined) return { encoding };
  return exchange === "all" ? { encoding: { values: "float32" } } : {};
}
