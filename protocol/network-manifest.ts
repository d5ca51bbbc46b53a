/**
 * The genesis manifest: everything that the peers of one network must agree on before the first byte is exchanged.
 * Its canonical bytes (RFC 8785) hash to the network id.
 */

import { sha256 } from "@noble/hashes/sha2.js";
import canonicalize from "canonicalize";
import type { AdapterSettings, AdapterTensor } from "./adapter-spec.ts";
import type { UpdateEncoding } from "./encoding/update-encoding.ts";
import { ProtocolError } from "./errors.ts";
import { jsonFlaw, protoPath } from "./json-names.ts";
import { LIMITS } from "./limits.ts";
import { describeManifestIssue, fieldPath, manifestSchema } from "./manifest-schema.ts";
import type { MembershipSettings } from "./membership/settings.ts";
import { type NetworkId, networkIdFromBytes } from "./network-id.ts";
import type { AggregationSettings } from "./settings/aggregation-rules.ts";
import type { AgreedBase } from "./settings/base-forms.ts";
import type { ReferenceSettings } from "./settings/reference-kinds.ts";
import type { RoundSchedule, TrainingSpec } from "./settings/training.ts";

export type { AggregationSettings, RuleSettings } from "./settings/aggregation-rules.ts";
export type { AgreedBase, BaseForm } from "./settings/base-forms.ts";
export type { LambdaRule } from "./settings/lambda-rules.ts";
export type { DataSimilaritySettings, NeighbourWeighting } from "./settings/neighbour-weights.ts";
export type { ReferenceSettings } from "./settings/reference-kinds.ts";
export type { LearningRateSchedule, RoundSchedule, TrainingSpec } from "./settings/training.ts";

/** SHA-256 digests, lower-case hexadecimal, of the base model that every peer keeps frozen. */
export interface ModelDigest {
  /** Over the tensors: sorted names, dtypes, shapes and raw values, so that sharding does not matter. */
  readonly weights: string;
  /** Over config.json in canonical form (RFC 8785). */
  readonly config: string;
  /** Over the bytes of tokenizer.json. */
  readonly tokenizer: string;
}

/** Everything that the peers of a network agree on before the first byte. */
export interface NetworkManifest {
  readonly schema: "weft-network/1";
  /** For people; 1 to 64 characters of printable ASCII. */
  readonly name: string;
  /** Seed of everything that all peers derive alike. */
  readonly seed: number;
  readonly model: { readonly family: string; readonly digest: ModelDigest };
  /** The form of the frozen base that every peer trains on (README.md, 2.11). Each peer chooses its own when absent. */
  readonly base?: AgreedBase;
  readonly adapter: AdapterSettings;
  /**
   * Of classifiers: whether the head travels with the adapter, or is not trained. Trained and kept by each peer when
   * absent: an average of heads that were trained on different shares of the classes is good at none of them.
   */
  readonly head?: "shared" | "frozen";
  /**
   * How conversations become text: by the chat template with this digest (README.md, 2.10), or in turns on lines of their own. Each
   * peer has its own way when absent.
   */
  readonly frame?: { readonly kind: "template"; readonly digest: string } | { readonly kind: "turns" };
  /** The order of the flat vector, so that an update can be checked without the model. */
  readonly tensors: readonly AdapterTensor[];
  readonly training: TrainingSpec;
  readonly rounds: RoundSchedule;
  readonly aggregation: AggregationSettings;
  readonly reference: ReferenceSettings;
  /** float32, every value, when absent. */
  readonly encoding?: UpdateEncoding;
  /** Multiaddrs that a new peer may dial first. */
  readonly bootstrap: readonly string[];
  /** The peers that may take part; everybody when absent. */
  readonly membership?: MembershipSettings;
  /** Of a network that goes on where another one, whose roster it keeps, ended. */
  readonly succeeds?: {
    /** Network id of the manifest before this one. */
    readonly network: string;
    /** Network id of the first manifest, for which the roster is signed. */
    readonly first: string;
    /** First round that is trained under this manifest. */
    readonly round: number;
  };
}

/** What a new network agrees on where nothing else is said. */
export const MANIFEST_DEFAULTS: Pick<NetworkManifest, "training" | "rounds" | "aggregation" | "reference"> = {
  training: {
    optimizer: "adamw",
    learningRate: 2e-3,
    weightDecay: 0,
    gradientClip: 1,
    batchSize: 8,
    maxTokens: 128,
  },
  rounds: { count: 20, localSteps: 10, deadlineMs: { min: 200, max: 30_000 } },
  // The vetted mean loses least to liars (docs/ROBUSTNESS.md), and without any it is the mean; other rules see a tensor at a
  // time, because rows of a rotation have norm 1 and would dominate a common point; an adaptive lambda mixes where that pays
  // later, and protects peers with tasks of their own (docs/LAMBDA.md).
  aggregation: {
    rule: "vetted-mean",
    scope: "tensor",
    lambda: { mode: "adaptive" },
    stalenessExponent: 0.5,
    ageMax: 8,
  },
  // A reference model lags behind while the loss still falls: it cost 0.05 to 0.15 nats where it was measured.
  reference: { kind: "none" },
};

/**
 * A manifest from the text of a file or an already parsed value; unknown fields are refused.
 * Throws: MANIFEST_INVALID (one line naming the field), TOO_LARGE.
 */
export function parseManifest(source: unknown): NetworkManifest {
  const value = typeof source === "string" ? parseJson(source) : source;
  // The schema passes over a field of this name.
  const proto = protoPath(value);
  if (proto !== undefined) {
    const field = fieldPath(proto);
    throw new ProtocolError("MANIFEST_INVALID", `network manifest: ${field} is not a field of a manifest`, { field });
  }
  const result = manifestSchema.safeParse(value);
  if (!result.success) {
    const { field, text } = describeManifestIssue(result.error, value);
    throw new ProtocolError("MANIFEST_INVALID", `network manifest: ${text}`, { field });
  }
  return result.data satisfies NetworkManifest;
}

/** A manifest from its canonical bytes on the wire.  Throws: MANIFEST_INVALID, TOO_LARGE, NOT_CANONICAL. */
export function manifestFromBytes(bytes: Uint8Array): NetworkManifest {
  refuseAbove(bytes.length);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new ProtocolError("MANIFEST_INVALID", "network manifest: not UTF-8", {}, { cause });
  }
  const manifest = parseManifest(text);
  if (canonicalText(manifest) !== text) {
    throw new ProtocolError("NOT_CANONICAL", "network manifest: the bytes are not in canonical form (RFC 8785)");
  }
  return manifest;
}

/** The manifest in canonical form (RFC 8785), UTF-8. */
export function canonicalManifestBytes(manifest: NetworkManifest): Uint8Array {
  return new TextEncoder().encode(canonicalText(manifest));
}

/** SHA-256 of the manifest's canonical bytes. */
export function networkId(manifest: NetworkManifest): NetworkId {
  return networkIdFromBytes(sha256(canonicalManifestBytes(manifest)));
}

/** A field in which two manifests differ, such as `training.learningRate`, and both values as JSON text. */
export interface ManifestDifference {
  readonly path: string;
  readonly a: string;
  readonly b: string;
}

/** The first differing field, in canonical (sorted) order of fields; undefined when the manifests are equal. */
export function manifestDifference(a: NetworkManifest, b: NetworkManifest): ManifestDifference | undefined {
  return firstDifference(a, b, "");
}

function firstDifference(a: unknown, b: unknown, path: string): ManifestDifference | undefined {
  if (isRecord(a) && isRecord(b) && Array.isArray(a) === Array.isArray(b)) {
    const keys = Array.isArray(a)
      ? Array.from({ length: Math.max(a.length, (b as unknown as unknown[]).length) }, (_, i) => String(i))
      : [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();
    for (const key of keys) {
      const at = Array.isArray(a) ? `${path}[${key}]` : path === "" ? key : `${path}.${key}`;
      const difference = firstDifference(a[key], b[key], at);
      if (difference !== undefined) return difference;
    }
    return undefined;
  }
  const texts = { a: canonicalize(a) ?? "absent", b: canonicalize(b) ?? "absent" };
  return texts.a === texts.b ? undefined : { path, ...texts };
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null;

function canonicalText(manifest: NetworkManifest): string {
  const text = canonicalize(manifest);
  if (text === undefined) throw new ProtocolError("MANIFEST_INVALID", "network manifest: nothing to write");
  return text;
}

function parseJson(text: string): unknown {
  // A character has at least one byte, so a text above the bound is above it in bytes too.
  refuseAbove(text.length);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const reason = (cause as Error).message.replace(/[^\x20-\x7e]+/g, " ");
    throw new ProtocolError("MANIFEST_INVALID", `network manifest: not JSON: ${reason}`, {}, { cause });
  }
  const flaw = jsonFlaw(text);
  if (flaw?.kind === "twice") {
    const field = fieldPath([flaw.name]);
    throw new ProtocolError("MANIFEST_INVALID", `network manifest: ${field} stands twice in one object`, { field });
  }
  return value;
}

function refuseAbove(bytes: number): void {
  const bytesMax = LIMITS.manifestBytesMax;
  if (bytes > bytesMax) {
    throw new ProtocolError("TOO_LARGE", `network manifest: ${bytes} bytes, at most ${bytesMax} are allowed`, {
      bytes,
      bytesMax,
    });
  }
}
