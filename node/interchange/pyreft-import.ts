/** LoReFT interventions of pyreft; the directory's form is described in `pyreft-export.ts`. */
import { z } from "zod";
import type { AdapterLayers, LoreftSettings, ReftPositions } from "../../protocol/adapter-spec.ts";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import type { ModelDigest } from "../../protocol/network-manifest.ts";
import { interventions } from "../adapter/intervention.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { type ErrorFacts, NodeError } from "../errors.ts";
import type { BaseModel } from "../model/base-model.ts";
import type { FileSet } from "./adapter-directory.ts";
import { parseJson } from "./adapter-directory.ts";
import { PYREFT_CONFIG, PYREFT_HEAD, transposed } from "./pyreft-export.ts";
import type { SavedAdapter } from "./saved-adapter.ts";
import { adapterOfVector, concatenated } from "./saved-adapter.ts";
import type { StateTensor } from "./torch-file.ts";
import { readTorchFile } from "./torch-file.ts";

/** Largest |R R^T - I| of a rotation that counts as one: bfloat16, pyreft's default, is off by 2^-8. */
const ORTHONORMAL_TOLERANCE = 0.03;

const representation = z.union([
  z.array(z.unknown()).min(5).max(32),
  z
    .record(z.string(), z.unknown())
    .transform((fields) => [
      fields.layer,
      fields.component,
      fields.unit ?? "pos",
      fields.max_number_of_units ?? 1,
      fields.low_rank_dimension,
      null,
      null,
      fields.subspace_partition,
      fields.group_key,
      fields.intervention_link_key,
      fields.moe_key,
      fields.source_representation,
      fields.hidden_source_representation,
    ]),
]);

const config = z.object({
  representations: z.array(representation).min(1).max(4096),
  intervention_types: z.array(z.string()).max(4096),
});

/**
 * A pyreft directory as a `loreft` adapter.  positions: where it acts, which the directory does not say; tied or not is
 * in the directory and not asked for.
 * Throws: ADAPTER_FILE, ADAPTER_FORMAT, TORCH_FILE_INVALID.
 */
export function fromPyreft(
  files: FileSet,
  model: BaseModel,
  options: {
    readonly directory: string;
    readonly digest: ModelDigest;
    readonly positions: "all" | { readonly first: number; readonly last: number };
  },
): SavedAdapter {
  const { directory, digest, positions } = options;
  const fail = (what: string, facts: ErrorFacts = {}): NodeError =>
    new NodeError("ADAPTER_FORMAT", `${directory}: ${what}`, { directory, ...facts });
  const json = files.get(PYREFT_CONFIG);
  if (!json) throw new NodeError("ADAPTER_FILE", `${directory} has no ${PYREFT_CONFIG}; is it a pyreft directory?`);
  const parsed = config.safeParse(parseJson(json, `${directory}/${PYREFT_CONFIG}`));
  if (!parsed.success) throw fail(`${PYREFT_CONFIG} lists no representations as pyvene does`);
  const { representations, intervention_types: types } = parsed.data;
  const wrong = types.find((type) => !/(^|\.)LoreftIntervention('>)?$/.test(type));
  if (wrong !== undefined || types.length !== representations.length) {
    throw fail(`its interventions are ${shown(wrong ?? "of no named type")}; weft reads LoreftIntervention of pyreft`);
  }
  const found = representations.map((fields) => readRepresentation(fields, fail));
  const { settings, count } = settingsOf(found, { positions, model, fail });
  const states = found.map(({ layer, rank, key }, i) => {
    const index = found.slice(0, i).filter((other) => other.layer === layer).length;
    const file = [
      `intkey_${key}#${index}.bin`,
      `intkey_${key.replaceAll("_", ".").replace("block.output", "block_output")}#${index}.bin`,
    ];
    const name = file.find((candidate) => files.has(candidate));
    if (name === undefined) throw new NodeError("ADAPTER_FILE", `${directory} has no ${file[0]}`);
    const state = new Map(
      readTorchFile(files.get(name)!, `${directory}/${name}`).map((tensor) => [tensor.name, tensor]),
    );
    return { layer, end: count === 2 ? ENDS[index]! : undefined, parts: partsOf(state, { rank, model, fail, name }) };
  });
  const tensors = adapterMethod(settings).tensors(settings, model.shape);
  const slots = adapterSlots(tensors);
  const values = new Float32Array(slots.reduce((sum, { length }) => sum + length, 0));
  const sites = interventions(settings, model.shape);
  for (const { name, offset } of slots) {
    const site = sites.find((candidate) => name.startsWith(`${candidate.name}.`))!;
    const state = states.find(
      ({ layer, end }) => layer === site.layer && (end === undefined || site.name.endsWith(`.${end}`)),
    )!;
    values.set(state.parts[name.slice(site.name.length + 1) as "R" | "W" | "b"], offset);
  }
  const head = readHead(files, model, { directory, fail });
  return adapterOfVector(model, { settings, seed: 0, digest, values: concatenated([values, ...head]) });
}

/** The classifier's head in flat order where it was trained too; nothing else of a model may be in that file. */
function readHead(
  files: FileSet,
  model: BaseModel,
  { directory, fail }: { readonly directory: string; readonly fail: (what: string, facts?: ErrorFacts) => NodeError },
): readonly Float32Array[] {
  const bytes = files.get(PYREFT_HEAD);
  if (!bytes) return [];
  const stored = new Map(readTorchFile(bytes, `${directory}/${PYREFT_HEAD}`).map((tensor) => [tensor.name, tensor]));
  if (stored.size === 0) return [];
  const head = model.classifier?.head ?? [];
  const other = [...stored.keys()].find((name) => !head.some((weight) => weight.name === name));
  if (other !== undefined) throw fail(`${PYREFT_HEAD} holds ${shown(other)}; weft trains a classifier's head only`);
  return head.map(({ name, shape }) => {
    const tensor = stored.get(name);
    if (tensor?.shape.join() !== shape.join()) throw fail(`${PYREFT_HEAD} has no ${name} [${shape}]`);
    return tensor.data;
  });
}

const ENDS = ["prefix", "suffix"] as const;

interface Representation {
  readonly layer: number;
  readonly rank: number;
  /** The part of pyvene's key before its `#`. */
  readonly key: string;
}

/** A block's output by pyvene's word for it, or by its module path where a model has no such word. */
function readRepresentation(
  fields: readonly unknown[],
  fail: (what: string, facts?: ErrorFacts) => NodeError,
): Representation {
  const [layer, component, unit, units, rank, , , partition, , link, moe, source] = fields;
  if (typeof component !== "string") throw fail("a representation has no component");
  const path = /^[\w.]*\.(?:layers|layer|h)\[(\d{1,4})\]\.output$/.exec(component)?.[1];
  const number = path === undefined ? layer : Number(path);
  if ((component !== "block_output" && path === undefined) || typeof number !== "number") {
    throw fail(`an intervention acts on ${shown(component)}; weft knows the output of blocks, block_output`);
  }
  if (unit !== "pos" || units !== 1)
    throw fail(`an intervention's unit is ${shown(unit)} of ${shown(units)}, not pos of 1`);
  if (!Number.isInteger(rank) || (rank as number) < 1) throw fail("a representation has no low_rank_dimension");
  for (const [name, value] of Object.entries({
    subspace_partition: partition,
    intervention_link_key: link,
    moe_key: moe,
    source_representation: source,
  })) {
    if (value !== null && value !== undefined) throw fail(`a representation has a ${name}; weft knows plain LoReFT`);
  }
  const key =
    path === undefined
      ? `layer_${number}_comp_block_output_unit_pos_nunit_1`
      : `comp_${component.replaceAll(".", "_")}_unit_pos_nunit_1`;
  return { layer: number, rank: rank as number, key };
}

/** All layers once (one intervention, tied where it has two ends) or all of them twice (one for each end). */
function settingsOf(
  found: readonly Representation[],
  {
    positions,
    model,
    fail,
  }: {
    readonly positions: "all" | { readonly first: number; readonly last: number };
    readonly model: BaseModel;
    readonly fail: (what: string, facts?: ErrorFacts) => NodeError;
  },
): { readonly settings: LoreftSettings; readonly count: number } {
  const numbers = [...new Set(found.map(({ layer }) => layer))].sort((a, b) => a - b);
  const [{ rank }] = found as [Representation];
  const count = found.length / numbers.length;
  const even = numbers.every((number) => found.filter(({ layer }) => layer === number).length === count);
  if (!even || count > 2) throw fail("its layers do not have one intervention each, or two each");
  if (found.some((other) => other.rank !== rank))
    throw fail("its interventions have different ranks; weft gives all one");
  const outside = numbers.find((layer) => layer < 0 || layer >= model.shape.layers);
  if (outside !== undefined)
    throw fail(`it has an intervention at layer ${outside}; the model has ${model.shape.layers} layers`);
  const twoEnds = positions !== "all" && positions.first > 0 && positions.last > 0;
  if (count === 2 && !twoEnds) {
    throw fail("it has two interventions per layer, one for the first and one for the last positions", {
      problem: "positions-of-two",
    });
  }
  const where: ReftPositions = positions === "all" ? "all" : { ...positions, tied: count === 1 };
  const layers: AdapterLayers = numbers.length === model.shape.layers ? "all" : numbers;
  return { settings: { kind: "loreft", rank, layers, positions: where }, count };
}

function partsOf(
  state: ReadonlyMap<string, StateTensor>,
  {
    rank,
    model,
    fail,
    name,
  }: {
    readonly rank: number;
    readonly model: BaseModel;
    readonly fail: (what: string, facts?: ErrorFacts) => NodeError;
    readonly name: string;
  },
): Readonly<Record<"R" | "W" | "b", Float32Array>> {
  const d = model.shape.hidden;
  const take = (key: string, shape: readonly number[]): Float32Array => {
    const tensor = state.get(key);
    if (tensor?.shape.join() !== shape.join()) {
      throw fail(`${name}: ${key} is ${tensor ? `[${tensor.shape}]` : "missing"} where [${shape}] is needed`);
    }
    if (!tensor.data.every(Number.isFinite)) throw fail(`${name}: ${key} holds values that are not finite`);
    return tensor.data;
  };
  const R = transposed(take("rotate_layer", [d, rank]), d, rank);
  if (!hasOrthonormalRows(R, rank, d)) throw fail(`${name}: the columns of rotate_layer are not orthonormal`);
  return { R, W: take("weight", [rank, d]), b: take("bias", [rank]) };
}

function hasOrthonormalRows(R: Float32Array, rank: number, d: number): boolean {
  for (let i = 0; i < rank; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let k = 0; k < d; k++) sum += R[i * d + k]! * R[j * d + k]!;
      if (Math.abs(sum - (i === j ? 1 : 0)) > ORTHONORMAL_TOLERANCE) return false;
    }
  }
  return true;
}

const shown = (value: unknown): string =>
  String(JSON.stringify(value))
    .slice(0, 80)
    .replace(/[^ -~]/g, "?");
