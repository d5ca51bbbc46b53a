/** Adapters of Hugging Face's PEFT, read as a `lora` or `dora` adapter that computes the same. */
import type { AdapterOf } from "../../protocol/adapter-spec.ts";
import type { ModelDigest } from "../../protocol/network-manifest.ts";
import { lowRankScale, lowRankSites } from "../adapter/low-rank.ts";
import { type ErrorFacts, NodeError } from "../errors.ts";
import type { BaseModel, LinearSite } from "../model/base-model.ts";
import { readSafetensors, toFloat32 } from "../model/safetensors.ts";
import { innerName } from "../model/text-config.ts";
import type { FileSet } from "./adapter-directory.ts";
import { parseJson } from "./adapter-directory.ts";
import type { PeftConfig } from "./peft-config.ts";
import { readPeftConfig, targetedPaths } from "./peft-config.ts";
import { headModules, PEFT_CONFIG, PEFT_PREFIX, PEFT_TENSORS } from "./peft-export.ts";
import {
  type Factors,
  factorsOf,
  type LayerTensors,
  layerPlace,
  type PeftContext,
  siteValues,
} from "./peft-factors.ts";
import type { SavedAdapter } from "./saved-adapter.ts";
import { adapterOfVector, concatenated } from "./saved-adapter.ts";
import type { StateTensor } from "./torch-file.ts";
import { readTorchFile } from "./torch-file.ts";

/** The file that peft wrote before 0.6. */
export const PEFT_PICKLE = "adapter_model.bin";

/** An adapter that was read, and remarks about what was left out or assumed. */
export interface Imported {
  readonly adapter: SavedAdapter;
  /** Differences from the original, for people; empty where there are none. */
  readonly notes: readonly string[];
}

/**
 * A PEFT directory as a `lora` or `dora` adapter that computes the same function: where ranks differ the smaller factors are
 * filled up with zeros, where scales differ B takes the difference in, and layers without factors get zeros.
 * directory: for error lines.
 * Throws: ADAPTER_FILE, ADAPTER_FORMAT, SAFETENSORS_INVALID, TORCH_FILE_INVALID.
 */
export function fromPeft(
  files: FileSet,
  model: BaseModel,
  { directory, digest, modelNames = [] }: PeftPlace,
): Imported {
  const fail = (what: string, facts: ErrorFacts = {}): NodeError =>
    new NodeError("ADAPTER_FORMAT", `${directory}: ${what}`, { directory, ...facts });
  const json = files.get(PEFT_CONFIG);
  if (!json) throw new NodeError("ADAPTER_FILE", `${directory} has no ${PEFT_CONFIG}; is it a PEFT directory?`);
  const file = `${directory}/${PEFT_CONFIG}`;
  const config = readPeftConfig(parseJson(json, file), file);
  const { factors, head, fromBase, repeated } = sortTensors(readTensors(files, directory), { config, model, fail });
  const missing = missingNote({ config, model, fail }, new Set(factors.keys()));
  const base = otherBase(config, modelNames);
  const settings = settingsOf([...factors.keys()], [...factors.values()], { config, model, fail });
  const scale = lowRankScale(settings);
  const sites = lowRankSites(settings, model.shape);
  const values = sites.flatMap((site) => siteValues(site, factors.get(site), { settings, scale }));
  const adapter = adapterOfVector(model, { settings, seed: 0, digest, values: concatenated([...values, ...head]) });
  const all = [...factors.values()];
  const notes = [
    ...missing,
    ...(config.rebased
      ? [`its start, ${config.rebased}, changed the base weights; it holds that difference now, and has twice the rank`]
      : []),
    ...(base === undefined ? [] : [`it was made for the base model ${base}, and this one is ${modelNames[0]}`]),
    ...(all.some(({ rank }) => rank !== settings.rank)
      ? [`ranks differ; all are ${settings.rank} now, the rest zeros`]
      : []),
    ...(all.some((found) => found.scale !== scale) ? [`scales differ; B holds the difference from ${scale}`] : []),
    ...(sites.length > factors.size ? [`${sites.length - factors.size} linear layers had no LoRA and got zeros`] : []),
    ...(repeated.length > 0
      ? [`${repeated.join(" and ")} stand beside it as the base model has them; passed over`]
      : []),
    ...(fromBase.length > 0 ? [`${fromBase.join(" and ")} were not saved; they are the base model's`] : []),
  ];
  return { adapter, notes };
}

/** Where an adapter lies, and the model that it is read for. */
export interface PeftPlace {
  /** For error lines. */
  readonly directory: string;
  readonly digest: ModelDigest;
  /** What the model is called: the path of its directory, the name in its config; none where nobody said it. */
  readonly modelNames?: readonly string[];
}

/** The file's word for its base, where no name of the model ends as that does. */
function otherBase({ baseModel }: PeftConfig, modelNames: readonly string[]): string | undefined {
  if (baseModel === undefined || modelNames.length === 0) return undefined;
  const last = (name: string): string =>
    name
      .replace(/[\\/]+$/, "")
      .split(/[\\/]/)
      .at(-1)!
      .toLowerCase();
  const own = last(baseModel);
  // A cache of models writes the owner's and the model's name into one folder.
  const isSame = modelNames.some((name) => last(name) === own || name.toLowerCase().includes(`--${own}/`));
  return isSame ? undefined : baseModel;
}

/** What target_modules means to adapt and the file has no factors for. */
function missingNote({ config, model, fail }: PeftContext, found: ReadonlySet<LinearSite>): readonly string[] {
  const targeted = targetedPaths(config, model.shape.linears);
  if (!targeted) return [];
  const paths = new Set([...found].map(({ path }) => path));
  const extra = [...paths].find((path) => !targeted.has(path));
  if (extra !== undefined) {
    throw fail(`it has factors for ${extra}, which target_modules does not name; peft would leave them out`);
  }
  const missing = [...targeted].filter((path) => !paths.has(path));
  if (missing.length === 0) return [];
  const which = missing.length === 1 ? missing[0] : `${missing[0]} for one`;
  return [`missing: ${missing.length} of ${targeted.size} layers that target_modules names have no factors, ${which}`];
}

function readTensors(files: FileSet, directory: string): readonly StateTensor[] {
  const bytes = files.get(PEFT_TENSORS);
  if (!bytes) {
    const pickle = files.get(PEFT_PICKLE);
    if (pickle) return readTorchFile(pickle, `${directory}/${PEFT_PICKLE}`);
    throw new NodeError("ADAPTER_FILE", `${directory} has no ${PEFT_TENSORS}; is it a PEFT directory?`);
  }
  const { tensors } = readSafetensors(bytes, { name: `${directory}/${PEFT_TENSORS}` });
  return [...tensors].map(([name, tensor]) => ({ name, shape: tensor.shape, data: toFloat32(tensor) }));
}

/** Keys that stand for what is no LoRA on a linear layer. */
const REFUSED_KEYS: readonly (readonly [RegExp, string])[] = [
  [/lora_embedding_/, "LoRA on an embedding"],
  [/lora_A\.bias$/, "a bias behind lora_A"],
  [/embed|wte|wpe|lm_head/, "a trained embedding or output matrix"],
  [/\.bias$/, "a trained bias"],
];

/** A module of the text model inside a whole, by its name in the text model alone. */
const textPath = (path: string): string => (innerName(`${path}.weight`) ?? "").replace(/\.weight$/, "");

/** The factors of every linear layer, and the classifier's head in flat order, if there is one. */
function sortTensors(tensors: readonly StateTensor[], context: PeftContext) {
  const { config, model, fail } = context;
  const byPath = new Map(model.shape.linears.map((site) => [site.path, site]));
  const layers = new Map<LinearSite, LayerTensors>();
  const headNames = (model.classifier?.head ?? []).map(({ name }) => PEFT_PREFIX + name);
  const headFound = new Map<string, StateTensor>();
  const repeated: string[] = [];
  for (const tensor of tensors) {
    if (!tensor.data.every(Number.isFinite)) throw fail(`${tensor.name} holds values that are not finite`);
    const layer = layerPlace(tensor.name, PEFT_PREFIX);
    if (headNames.includes(tensor.name)) {
      headFound.set(tensor.name, tensor);
      continue;
    }
    if (layer === undefined) {
      if (!isRepeated(tensor, model)) throw fail(refusalOf(tensor.name));
      repeated.push(tensor.name);
      continue;
    }
    const { path, place } = layer;
    const site = byPath.get(path) ?? byPath.get(textPath(path));
    if (!site && OUTPUT_PATH.test(path)) {
      throw fail(
        `${path} has factors: LoRA on the output matrix, which weft does not read. Merge it with peft instead`,
      );
    }
    if (!site) throw fail(`${path} is no linear layer of this ${model.family} model`, { problem: "another-model" });
    layers.set(site, { ...layers.get(site), [place]: tensor });
  }
  if (layers.size === 0) throw fail("it holds no LoRA factors");
  checkSavedModules(config, headFound.size > 0 ? headModules(model) : [], fail);
  const factors = new Map([...layers].map(([site, found]) => [site, factorsOf(site, found, context)] as const));
  return { factors, repeated, ...headOf(headFound, context) };
}

const OUTPUT_PATH = /^(?:.*\.)?(?:lm_head|embed_out)$/;

/** Why a tensor is not read that is no factor of a linear layer. */
function refusalOf(name: string): string {
  if (/\.lora_[AB]\.\w+\.weight$/.test(name) || (!name.startsWith(PEFT_PREFIX) && /\.lora_[AB]\./.test(name))) {
    return `tensor ${name} has the name that it has in memory; save the adapter by peft's save_pretrained`;
  }
  const why = REFUSED_KEYS.find(([key]) => key.test(name))?.[1] ?? "no factor of a linear layer";
  return `tensor ${name} is ${why}; weft reads LoRA on linear layers. Merge it with peft instead`;
}

/** Whether a tensor is an embedding or output matrix that was saved beside the adapter and never trained: peft does so by itself. */
function isRepeated({ name, shape, data }: StateTensor, model: BaseModel): boolean {
  if (!name.startsWith(PEFT_PREFIX) || !/(?:embed\w*|wte|lm_head)(?:\.base_layer)?\.weight$/.test(name)) return false;
  const own = name.slice(PEFT_PREFIX.length).replace(".base_layer.", ".");
  const named = model.weights.find((weight) => weight.name === own || weight.name === innerName(own));
  // A tied output matrix is the embedding.
  const tied =
    own === "lm_head.weight" ? model.weights.find((weight) => /embed_tokens|wte/.test(weight.name)) : undefined;
  const weight = named ?? tied;
  if (weight === undefined || weight.shape.join() !== shape.join()) return false;
  return model.values(weight).every((value, at) => value === data[at]);
}

/**
 * The classifier's head in flat order, none where no part of it is saved. peft saves `classifier` by itself and of BERT
 * leaves the pooler out, which then is the base model's.
 */
function headOf(
  found: ReadonlyMap<string, StateTensor>,
  { model, fail }: PeftContext,
): { readonly head: readonly Float32Array[]; readonly fromBase: readonly string[] } {
  const weights = found.size === 0 ? [] : (model.classifier?.head ?? []);
  const fromBase = weights.filter(({ name }) => !found.has(PEFT_PREFIX + name));
  const missing = fromBase.find((weight) => !model.has(weight));
  if (missing) throw fail(`of the classifier's head ${missing.name} is missing, and the base model has none`);
  const head = weights.map((weight) => {
    const tensor = found.get(PEFT_PREFIX + weight.name);
    if (!tensor) return model.values(weight);
    if (tensor.shape.join() === weight.shape.join()) return tensor.data;
    throw fail(`${weight.name} has shape [${tensor.shape}], not [${weight.shape}]`);
  });
  return { head, fromBase: fromBase.map(({ name }) => name) };
}

/** peft adds `classifier` and `score` by itself for classifiers, whether the model has them or not. */
function checkSavedModules(config: PeftConfig, present: readonly string[], fail: PeftContext["fail"]): void {
  const harmless = new Set([...present, "classifier", "score"]);
  const other = config.modules_to_save.find((module) => !harmless.has(module));
  if (other === undefined) return;
  throw fail(
    `modules_to_save names ${other}: a whole module trained beside the LoRA; weft trains a classifier's head only`,
  );
}

/** The settings whose linear layers include all that have factors: the config's own names where they fit. */
function settingsOf(
  sites: readonly LinearSite[],
  factors: readonly Factors[],
  { config, model }: PeftContext,
): AdapterOf<"lora"> | AdapterOf<"dora"> {
  const numbers = [...new Set(sites.map(({ layer }) => layer))].sort((a, b) => a - b);
  const rank = Math.max(...factors.map((found) => found.rank));
  const uniform = factors.every((found) => found.rank === rank && found.scale === factors[0]!.scale);
  const alpha = uniform ? factors[0]!.scale * (config.use_rslora ? Math.sqrt(rank) : rank) : config.lora_alpha;
  const settings = (targets: readonly string[]): AdapterOf<"lora"> | AdapterOf<"dora"> => ({
    ...(config.use_dora ? { kind: "dora" } : { kind: "lora", ...(config.lora_bias ? { bias: "trained" } : {}) }),
    rank,
    alpha: uniform && nearly(alpha, config.lora_alpha) ? config.lora_alpha : alpha,
    ...(config.use_rslora ? { scale: "rslora" } : {}),
    ...(config.lora_dropout > 0 ? { dropout: Math.min(0.95, config.lora_dropout) } : {}),
    targets,
    layers: numbers.length === model.shape.layers ? "all" : numbers,
  });
  const wanted = new Set(sites);
  const fits = (targets: readonly string[]): boolean => {
    const chosen = model.shape.linears.filter(
      (site) =>
        numbers.includes(site.layer) && targets.some((name) => site.path === name || site.path.endsWith(`.${name}`)),
    );
    return chosen.length === wanted.size && chosen.every((site) => wanted.has(site));
  };
  const short = [...new Set(sites.map(({ path }) => path.split(".").at(-1)!))];
  const inLayer = [...new Set(sites.map(({ path }) => path.replace(/^.*?\.\d+\./, "")))];
  const names = typeof config.targets === "string" ? [] : config.targets;
  const own = names?.filter((name) => sites.some(({ path }) => path === name || path.endsWith(`.${name}`)));
  const candidates = [...(own && own.length > 0 && own.length <= 64 ? [own] : []), short];
  return settings(candidates.find(fits) ?? inLayer);
}

const nearly = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-12 * Math.abs(b);
