/** Flags of a peer's own privacy: agreed with nobody, kept in its own configuration. */
import { InvalidArgumentError } from "commander";
import { NodeError, PRIVACY_MODES, type PrivacyMode, type PrivacySettings } from "../node/index.ts";
import type { NetworkManifest } from "../protocol/network-manifest.ts";
import type { OptionRow } from "./command-row.ts";
import { choice, integer, positive } from "./option-value.ts";

/** Values of the flags below. */
export type PrivacyOptions = {
  readonly dp?: PrivacyMode | "none";
  readonly dpClip?: number;
  readonly dpNoise?: number;
  readonly epsilon?: number;
  readonly delta?: number;
  readonly dpEarlier?: number;
  readonly sketchNoise?: number;
};

/** A norm of 1 and noise as large as it are where published runs begin; epsilon 8 is a weak but common promise. */
export const PRIVACY_DEFAULTS = { clip: 1, noise: 1, epsilon: 8, delta: 1e-5 } as const;

/** The flags; without --dp none of them adds noise to an update. */
export const PRIVACY_OPTIONS: readonly OptionRow[] = [
  {
    flags: "--dp <mode>",
    text: "add noise to each update, within a privacy budget: update hides the peer's data as a whole, example hides each example; see docs/PRIVACY.md",
    parse: choice([...PRIVACY_MODES, "none"]),
    otherwise: "none",
  },
  {
    flags: "--dp-clip <norm>",
    text: "largest norm of a round's change (update) or of an example's gradient (example)",
    parse: positive,
    otherwise: String(PRIVACY_DEFAULTS.clip),
  },
  {
    flags: "--dp-noise <multiple>",
    text: "standard deviation of the noise as a multiple of the norm",
    parse: positive,
    otherwise: String(PRIVACY_DEFAULTS.noise),
  },
  {
    flags: "--epsilon <value>",
    text: "the privacy budget; a peer that has spent it sends nothing more",
    parse: positive,
    otherwise: String(PRIVACY_DEFAULTS.epsilon),
  },
  {
    flags: "--delta <value>",
    text: "probability that the budget does not hold; choose it far below 1 / examples",
    parse: probability,
    otherwise: String(PRIVACY_DEFAULTS.delta),
  },
  {
    flags: "--sketch-noise <multiple>",
    text: "noise on the sketch of the data, as a multiple of the most that one example changes; for networks that weigh neighbours by data sets",
    parse: positive,
    otherwise: "the sketch is sent without noise; with --dp no sketch is sent",
  },
];

/** The flag of a peer whose key came from a backup without the rest of its files. */
export const EARLIER_OPTION: OptionRow = {
  flags: "--dp-earlier <count>",
  text: "for a key that was restored alone: local steps (example) or updates (update) that it took with these settings on this data before; they count as spent",
  parse: integer(0),
  otherwise: "a restored key does not start with --dp",
};

/** The settings that the flags stand for; undefined without --dp.  Throws: CONFIG_INVALID for its flags without it. */
export function privacySettings(options: PrivacyOptions): PrivacySettings | undefined {
  const { dp, dpClip, dpNoise, epsilon, delta, dpEarlier: earlier } = options;
  if (dp !== undefined && dp !== "none") {
    const { clip, noise, ...budget } = PRIVACY_DEFAULTS;
    return {
      mode: dp,
      clip: dpClip ?? clip,
      noise: dpNoise ?? noise,
      epsilon: epsilon ?? budget.epsilon,
      delta: delta ?? budget.delta,
      ...(earlier !== undefined && { earlier }),
    };
  }
  const flags = { "dp-clip": dpClip, "dp-noise": dpNoise, epsilon, delta, "dp-earlier": earlier };
  const given = Object.entries(flags).find(([, value]) => value !== undefined);
  if (given === undefined) return undefined;
  throw new NodeError("CONFIG_INVALID", `--${given[0]} does nothing without --dp; add --dp update or --dp example`);
}

/**
 * Throws: CONFIG_INVALID for --sketch-noise where no sketch is sent, or none that such noise would protect.
 */
export function refuseIdleSketchNoise(
  { dp, sketchNoise }: PrivacyOptions,
  { aggregation: { weights } }: Pick<NetworkManifest, "aggregation">,
): void {
  if (sketchNoise === undefined) return;
  if (weights?.kind !== "similarity" || weights.data === undefined) {
    const text = "--sketch-noise does nothing in this network: it does not weigh by data sets; leave it out";
    throw new NodeError("CONFIG_INVALID", text);
  }
  if (dp === "update") {
    const text =
      "a peer with --dp update sends no sketch, because --sketch-noise hides one example and not all of them; leave it out";
    throw new NodeError("CONFIG_INVALID", text);
  }
}

function probability(text: string): number {
  const value = positive(text);
  if (value >= 1) throw new InvalidArgumentError("expected a number above 0 and below 1");
  return value;
}
