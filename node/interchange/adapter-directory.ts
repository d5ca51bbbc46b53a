/**
 * weft's own form of an adapter: adapter.json names the adapter and the model that it belongs to, adapter.safetensors holds
 * the trained tensors. It is read strictly: unknown fields, other tensors and a wrong checksum are refused.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { z } from "zod";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { jsonFlaw, protoPath } from "../../protocol/json-names.ts";
import { LIMITS } from "../../protocol/limits.ts";
import { adapterFields } from "../../protocol/manifest-schema.ts";
import { type ErrorFacts, NodeError } from "../errors.ts";
import { readSafetensors, toFloat32, writeSafetensors } from "../model/safetensors.ts";
import type { SavedAdapter } from "./saved-adapter.ts";
import { concatenated, slotsOf } from "./saved-adapter.ts";

/** Files of a directory by name. */
export type FileSet = ReadonlyMap<string, Uint8Array>;

/** The file that says what the adapter is. */
export const ADAPTER_JSON = "adapter.json";
/** The file that holds the adapter's values. */
export const ADAPTER_TENSORS = "adapter.safetensors";
const SCHEMA = "weft-adapter/1";

/** The tensors that a network may agree on, but of any size: a file at hand can be larger than what peers send. */
const tensors = z
  .array(z.strictObject({ name: z.string().min(1).max(256), shape: z.array(z.number().int().min(1)).min(1).max(4) }))
  .min(1)
  .max(LIMITS.tensorCountMax);

const description = z.strictObject({
  schema: z.literal(SCHEMA),
  ...adapterFields,
  tensors,
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

const ownDescription = description.extend({ adapter: z.looseObject({ kind: z.literal("own") }) });

/** The two files; adapter.json, which holds the other's checksum, last. */
export function writeAdapterDirectory(adapter: SavedAdapter): FileSet {
  const { settings, seed, model, tensors, values } = adapter;
  const stored = slotsOf(adapter).map(({ name, shape, offset, length }) => ({
    name,
    shape,
    data: values.subarray(offset, offset + length),
  }));
  const bytes = writeSafetensors(stored, { format: "pt" });
  const about = { schema: SCHEMA, adapter: settings, model, seed, tensors, sha256: bytesToHex(sha256(bytes)) };
  return new Map([
    [ADAPTER_TENSORS, bytes],
    [ADAPTER_JSON, jsonBytes(about)],
  ]);
}

/** Of an adapter whose kind a program brings; see adapter/own-kind.ts. */
const ownKind = z.object({
  adapter: z.strictObject({
    kind: z.literal("own"),
    name: z.string(),
    options: z.record(z.string(), z.union([z.number(), z.string(), z.boolean()])),
  }),
});

/** Name and options of the kind of one's own that an adapter's files are of; undefined for kinds that weft knows. */
export function ownKindOf(files: FileSet, directory: string): z.infer<typeof ownKind>["adapter"] | undefined {
  const json = files.get(ADAPTER_JSON);
  return json && ownKind.safeParse(parseJson(json, `${directory}/${ADAPTER_JSON}`)).data?.adapter;
}

/**
 * directory: for error lines; own: the settings of `ownKindOf`, with their definition.
 * Throws: ADAPTER_FILE, SAFETENSORS_INVALID.
 */
export function readAdapterDirectory(files: FileSet, directory: string, own?: AdapterSettings): SavedAdapter {
  const fail = (what: string, facts: ErrorFacts = {}): NodeError =>
    new NodeError("ADAPTER_FILE", `${directory}: ${what}`, { directory, ...facts });
  const bytes = files.get(ADAPTER_TENSORS);
  const json = files.get(ADAPTER_JSON);
  if (!bytes || !json) {
    throw fail(`there is no ${json ? ADAPTER_TENSORS : ADAPTER_JSON}`, { problem: "no-adapter-of-weft" });
  }
  const parsed = (own ? ownDescription : description).safeParse(parseJson(json, `${directory}/${ADAPTER_JSON}`));
  if (!parsed.success) {
    const { path, message, ...rest } = parsed.error.issues[0]!;
    const field = [...path, ...("keys" in rest ? rest.keys : [])].join(".");
    throw fail(`${ADAPTER_JSON}: ${field || "the document"}: ${message}; export the adapter again`);
  }
  const { adapter, model, seed, tensors, sha256: checksum } = parsed.data;
  if (bytesToHex(sha256(bytes)) !== checksum)
    throw fail(`${ADAPTER_TENSORS} does not match its checksum; copy it again`);
  const stored = readSafetensors(bytes, { name: `${directory}/${ADAPTER_TENSORS}` }).tensors;
  const values = tensors.map(({ name, shape }) => {
    const tensor = stored.get(name);
    if (tensor?.shape.join() !== shape.join()) throw fail(`${ADAPTER_TENSORS} has no tensor ${name} [${shape}]`);
    const data = toFloat32(tensor);
    if (!data.every(Number.isFinite)) throw fail(`tensor ${name} holds values that are not finite`);
    return data;
  });
  if (stored.size !== tensors.length) throw fail(`${ADAPTER_TENSORS} holds tensors that ${ADAPTER_JSON} does not name`);
  return { settings: own ?? (adapter as AdapterSettings), seed, model, tensors, values: concatenated(values) };
}

/** JSON as these directories hold it. */
export function jsonBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);
}

/** A text that every reader takes alike; name: the file's, for the error line.  Throws: ADAPTER_FILE. */
export function parseJson(bytes: Uint8Array, name: string): unknown {
  const refused = (what: string, options?: ErrorOptions): NodeError =>
    new NodeError("ADAPTER_FILE", `${name} ${what}; copy or export it again`, { name }, options);
  let text: string;
  let value: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    value = JSON.parse(text);
  } catch (cause) {
    throw refused("is not JSON", { cause });
  }
  const flaw = jsonFlaw(text);
  if (flaw?.kind === "twice") throw refused(`has ${JSON.stringify(flaw.name)} twice in one object`);
  if (protoPath(value)) throw refused("has a field that is called __proto__");
  return value;
}
