/**
 * Features: the parts of the protocol that a peer's program has, by name. The two sides of a handshake tell each other
 * theirs. A peer must have every feature that the network's manifest needs. Of the other features, two peers use those that
 * both have. README.md, 7.12.
 */
import { ProtocolError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import type { NetworkManifest } from "./network-manifest.ts";
import { type StreamProtocol, streamProtocols } from "./stream-protocols.ts";

/** Parts of the protocol that are no conversation, each with its meaning; the others stand in stream-protocols.ts. */
const MESSAGE_WORDS = {
  "encoding-float16": "updates in float16",
  "encoding-int8": "updates in int8",
  "encoding-top-k": "updates of the largest changes",
  "neighbour-counts": "updates that name their author's neighbours",
} as const;

/** The name of a part of the protocol. */
export type Feature = keyof typeof MESSAGE_WORDS | StreamProtocol["feature"]["name"];

/** In words, by name. */
const WORDS: ReadonlyMap<string, string> = new Map([
  ...Object.entries(MESSAGE_WORDS),
  ...streamProtocols().map(({ feature }) => [feature.name, feature.words] as const),
]);

/** All features of this program, rising. */
export const FEATURES = [...WORDS.keys()].sort() as readonly Feature[];

/** The features of a peer that tells none. The list never changes: later features are told by name. */
export const BASELINE_FEATURES: readonly Feature[] = [
  "addresses",
  "checkup",
  "core",
  "encoding-float16",
  "encoding-int8",
  "encoding-top-k",
  "neighbour-counts",
  "roster",
  "sketch",
];

/** Which manifests need a feature of all peers; a feature that is not here is used where both sides have it. */
const NEEDED: Readonly<Partial<Record<Feature, (manifest: NetworkManifest) => boolean>>> = {
  core: () => true,
  "encoding-float16": ({ encoding }) => encoding?.values === "float16",
  "encoding-int8": ({ encoding }) => encoding?.values === "int8",
  "encoding-top-k": ({ encoding }) => encoding?.topK !== undefined,
  "neighbour-counts": ({ aggregation }) => aggregation.weights?.kind === "metropolis",
  roster: ({ membership }) => membership?.kind === "roster",
  sketch: ({ aggregation: { weights } }) => weights?.kind === "similarity" && weights.data !== undefined,
};

/** The features that every peer of a network needs, rising. */
export function requiredFeatures(manifest: NetworkManifest): readonly Feature[] {
  return FEATURES.filter((feature) => NEEDED[feature]?.(manifest) === true);
}

/** The features that the network needs and that are not among these. */
export function missingFeatures(manifest: NetworkManifest, told: readonly string[]): readonly Feature[] {
  return requiredFeatures(manifest).filter((feature) => !told.includes(feature));
}

/** Names in lower-case letters and digits, joined by single hyphens. */
const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;

/**
 * The names as they are told, rising and each once; known or not.
 * Throws: FIELD_INVALID when one is no name of a feature, TOO_LARGE when they are too many.
 */
export function featureNames(names: readonly string[]): string[] {
  const sorted = [...new Set(names)].sort();
  checkNames(sorted);
  return sorted;
}

/**
 * Names that somebody told, known or not; no name stands for the baseline.
 * Throws: TOO_LARGE, FIELD_INVALID (one is no name of a feature), NOT_CANONICAL (they do not rise).
 */
export function readFeatures(names: readonly string[]): readonly string[] {
  checkNames(names);
  if (names.some((name, i) => i > 0 && name <= names[i - 1]!)) {
    throw new ProtocolError("NOT_CANONICAL", "features: their names do not rise");
  }
  return names.length === 0 ? BASELINE_FEATURES : names;
}

/** In words, for a person; a name that is not known here as it stands. */
export function featureWords(names: readonly string[]): string {
  const shown = names.slice(0, SHOWN_MAX).map((name) => (WORDS.has(name) ? `${name} (${WORDS.get(name)})` : name));
  const rest = names.length > SHOWN_MAX ? [`and ${names.length - SHOWN_MAX} more`] : [];
  return [...shown, ...rest].join(", ");
}

/** Names in one line of a log. */
const SHOWN_MAX = 4;

function checkNames(names: readonly string[]): void {
  if (names.length > LIMITS.featureCountMax) {
    throw new ProtocolError("TOO_LARGE", "features: there are too many", { count: names.length });
  }
  const isName = (name: string): boolean => name.length <= LIMITS.featureNameLengthMax && NAME.test(name);
  if (!names.every(isName)) throw new ProtocolError("FIELD_INVALID", "features: one of them is no name of a feature");
}
