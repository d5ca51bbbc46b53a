/**
 * LoReFT interventions as pyreft saves them: config.json, an IntervenableConfig of pyvene that lists the
 * representations, and for each of them one state dict intkey_layer_L_comp_block_output_unit_pos_nunit_1#I.bin with
 * weight [r, d] and bias [r] of the learned source and rotate_layer [d, r].
 * The second intervention of a layer, #1, is the suffix's where prefix and suffix have one each; all prefixes stand
 * before all suffixes. Which positions they act at is not in the directory: pyreft's data sets say it.
 * Source: pyreft/interventions.py and pyreft/dataset.py (get_intervention_locations), pyvene/models/intervenable_base.py
 * (save, load, _get_representation_key), stanfordnlp/pyreft at dafd099 and stanfordnlp/pyvene at 9e33390.
 */
import type { LoreftSettings } from "../../protocol/adapter-spec.ts";
import { ADAPTERS } from "../../protocol/settings/adapter-kinds.ts";
import { interventions } from "../adapter/intervention.ts";
import { type ErrorFacts, NodeError } from "../errors.ts";
import type { BaseModel } from "../model/base-model.ts";
import type { FileSet } from "./adapter-directory.ts";
import { jsonBytes } from "./adapter-directory.ts";
import type { SavedAdapter } from "./saved-adapter.ts";
import { tensorsOf, trainedHeadOf } from "./saved-adapter.ts";
import { writeTorchFile } from "./torch-file.ts";

/** The file that lists the interventions. */
export const PYREFT_CONFIG = "config.json";
const LOREFT_TYPE = "<class 'pyreft.interventions.LoreftIntervention'>";

/** The file in which pyvene keeps trained parameters of the model itself, as of a classifier's head. */
export const PYREFT_HEAD = "pytorch_model.bin";

/**
 * The directory's files.
 * Throws: ADAPTER_FORMAT for what pyreft does not load, saying what to do instead.
 */
export function toPyreft(adapter: SavedAdapter, model: BaseModel): FileSet {
  const settings = loreftSettings(adapter);
  const tensor = tensorsOf(adapter, model);
  const { rank } = settings;
  const d = model.shape.hidden;
  // pyreft lists all prefixes, then all suffixes.
  const sites = interventions(settings, model.shape).map((site) => ({
    ...site,
    index: site.name.endsWith(".suffix") ? 1 : 0,
  }));
  const twice = sites.some(({ index }) => index === 0) ? sites : sites.map((site) => ({ ...site, index: 0 }));
  const ordered = twice.toSorted((a, b) => a.index - b.index || a.layer - b.layer);
  const keys = ordered.map(({ layer, index }) => `layer_${layer}_comp_block_output_unit_pos_nunit_1#${index}`);
  const config = {
    representations: ordered.map(({ layer }) => [layer, "block_output", "pos", 1, rank]),
    intervention_types: ordered.map(() => LOREFT_TYPE),
    mode: "parallel",
    sorted_keys: keys,
    intervention_dimensions: ordered.map(() => d),
    intervention_constant_sources: ordered.map(() => true),
  };
  const files = new Map<string, Uint8Array>();
  for (const [i, { name }] of ordered.entries()) {
    const values = (part: string): Float32Array => tensor(`${name}.${part}`).data as Float32Array;
    const state = [
      { name: "weight", shape: [rank, d], data: values("W") },
      { name: "bias", shape: [rank], data: values("b") },
      { name: "rotate_layer", shape: [d, rank], data: transposed(values("R"), rank, d) },
    ];
    files.set(`intkey_${keys[i]}.bin`, writeTorchFile(state));
  }
  const head = trainedHeadOf(adapter, model).map(({ name, shape, offset, length }) => ({
    name,
    shape,
    data: adapter.values.subarray(offset, offset + length),
  }));
  if (head.length > 0) files.set(PYREFT_HEAD, writeTorchFile(head));
  files.set(PYREFT_CONFIG, jsonBytes(config));
  return files;
}

function loreftSettings({ settings }: SavedAdapter): LoreftSettings {
  if (settings.kind === "loreft") return settings;
  const refuse = (what: string, facts: ErrorFacts = {}): NodeError =>
    new NodeError("ADAPTER_FORMAT", `pyreft holds LoReFT: ${what}`, facts);
  if (settings.kind === "combination") {
    throw refuse("a combination also changes weights", { problem: "reft-part-only" });
  }
  const { family, elsewhere } = ADAPTERS.kinds[settings.kind];
  if (family === "low-rank") throw refuse(`a ${settings.kind} adapter changes weights`, { problem: "peft-form-only" });
  throw refuse(`of a ${settings.kind} adapter ${elsewhere.pyreft.replace(/^no: /, "")}`);
}

/** [rows, columns] -> [columns, rows] */
export function transposed(x: Float32Array, rows: number, columns: number): Float32Array {
  return x.map((_, i) => x[(i % rows) * columns + Math.floor(i / rows)]!);
}
