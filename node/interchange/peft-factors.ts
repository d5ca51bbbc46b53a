/** The tensors of one linear layer in a PEFT file, checked, and as they stand in an adapter of weft. */
import type { AdapterOf } from "../../protocol/adapter-spec.ts";
import type { ErrorFacts, NodeError } from "../errors.ts";
import type { BaseModel, LinearSite } from "../model/base-model.ts";
import { rowLengths, siteWeight } from "./low-rank-product.ts";
import type { PeftConfig } from "./peft-config.ts";
import { patternValue } from "./peft-config.ts";
import { type RebasedStart, removedStart } from "./rebased-start.ts";
import type { StateTensor } from "./torch-file.ts";

/** What the parts of an import share. */
export interface PeftContext {
  readonly config: PeftConfig;
  readonly model: BaseModel;
  readonly fail: (what: string, facts?: ErrorFacts) => NodeError;
}

/** The tensors of a layer by their place in it. */
export interface LayerTensors {
  readonly A?: StateTensor;
  readonly B?: StateTensor;
  /** Of DoRA, [outputs]. */
  readonly magnitude?: StateTensor;
  /** Behind lora_B, [outputs]. */
  readonly bias?: StateTensor;
}

const PLACES: readonly (readonly [RegExp, keyof LayerTensors])[] = [
  [/\.lora_A\.weight$/, "A"],
  [/\.lora_B\.weight$/, "B"],
  [/\.lora_B\.bias$/, "bias"],
  // With `.weight` where a state dict was saved as it is.
  [/\.lora_magnitude_vector(\.weight)?$/, "magnitude"],
];

/** The layer's path and the place in it that a tensor of a linear layer has by its name; undefined for other names. */
export function layerPlace(
  name: string,
  prefix: string,
): { readonly path: string; readonly place: keyof LayerTensors } | undefined {
  if (!name.startsWith(prefix)) return undefined;
  const found = PLACES.find(([end]) => end.test(name));
  return found && { path: name.slice(prefix.length).replace(found[0], ""), place: found[1] };
}

/** The edit of one layer, y + s (B A x + b), of DoRA with its magnitudes. */
export interface Factors {
  readonly A: Float32Array;
  readonly B: Float32Array;
  readonly rank: number;
  readonly scale: number;
  /** m [outputs], the change of the magnitudes. */
  readonly m?: Float32Array;
  /** b [outputs] */
  readonly bias?: Float32Array;
}

/** Throws: ADAPTER_FORMAT naming what is missing, too much or of another shape. */
export function factorsOf(site: LinearSite, tensors: LayerTensors, context: PeftContext): Factors {
  const { config, model, fail } = context;
  const { A, B, magnitude, bias } = tensors;
  checkBeside(site, tensors, context);
  if (!A || !B) throw fail(`${site.path} has only one of lora_A and lora_B`);
  const rank = patternValue(config.rank_pattern, site.path, config.r);
  if (A.shape.join() !== `${rank},${site.inputs}` || B.shape.join() !== `${site.outputs},${rank}`) {
    const found = `lora_A [${A.shape}] and lora_B [${B.shape}]`;
    const asked = `[${rank},${site.inputs}] and [${site.outputs},${rank}]`;
    // Sides of another size than the layer's are those of another model; else the rank is wrong.
    const isForeign = A.shape[1] !== site.inputs || B.shape[0] !== site.outputs;
    const facts: ErrorFacts = isForeign ? { problem: "another-model" } : {};
    throw fail(`${site.path} has ${found} where rank ${rank} asks for ${asked}`, facts);
  }
  const alpha = patternValue(config.alpha_pattern, site.path, config.lora_alpha);
  const scale = config.use_rslora ? alpha / Math.sqrt(rank) : alpha / rank;
  const factors = { A: A.data, B: B.data, rank, scale, ...(bias && { bias: bias.data }) };
  if (config.rebased) return besideOriginal(site, factors, { start: config.rebased, context });
  if (!magnitude) return factors;
  const lengths = rowLengths(model.values(siteWeight(site)), site);
  return { ...factors, m: magnitude.data.map((value, o) => value - lengths[o]!) };
}

/** Magnitudes where the file means DoRA, biases where it has them, and neither elsewhere. */
function checkBeside(
  { path, outputs }: LinearSite,
  { magnitude, bias }: LayerTensors,
  { config, fail }: PeftContext,
): void {
  for (const [tensor, field, what] of [
    [magnitude, "use_dora", "magnitude vector"],
    [bias, "lora_bias", "bias behind lora_B"],
  ] as const) {
    if ((tensor !== undefined) !== config[field]) {
      throw fail(`${path} has ${tensor ? "a" : "no"} ${what}, and ${field} = ${config[field]}`);
    }
    if (tensor && tensor.shape.join() !== String(outputs)) {
      throw fail(`${tensor.name} has shape [${tensor.shape}], not [${outputs}]`);
    }
  }
}

/** s B A beside weights that the start had changed, as the edit of twice the rank beside the weights as they were. */
function besideOriginal(
  site: LinearSite,
  { A, B, rank, scale }: Factors,
  { start, context: { model, fail } }: { readonly start: RebasedStart; readonly context: PeftContext },
): Factors {
  const { inputs, outputs } = site;
  const isTransposed = site.stored === "inputs x outputs";
  if (isTransposed && start === "olora") {
    throw fail(`${site.path} is stored transposed, and peft has no olora start for such layers`);
  }
  const stored = model.values(siteWeight(site));
  const W = isTransposed ? stored.map((_, at) => stored[(at % inputs) * outputs + Math.floor(at / inputs)]!) : stored;
  const removed = removedStart(start, { W, inputs, outputs, rank, scale });
  const [wholeA, wholeB] = [new Float32Array(2 * rank * inputs), new Float32Array(outputs * 2 * rank)];
  wholeA.set(A);
  wholeA.set(removed.A, A.length);
  for (let o = 0; o < outputs; o++) {
    wholeB.set(B.subarray(o * rank, (o + 1) * rank), 2 * o * rank);
    wholeB.set(removed.B.subarray(o * rank, (o + 1) * rank), (2 * o + 1) * rank);
  }
  return { A: wholeA, B: wholeB, rank: 2 * rank, scale };
}

/** The settings of an adapter that holds such factors. */
type FactorSettings = AdapterOf<"lora"> | AdapterOf<"dora">;

/** The values of a site in flat order: its factors, filled up to the adapter's rank and with its scale, or zeros. */
export function siteValues(
  { inputs, outputs }: LinearSite,
  found: Factors | undefined,
  { settings, scale }: { readonly settings: FactorSettings; readonly scale: number },
): readonly Float32Array[] {
  const { rank } = settings;
  const hasThird = settings.kind === "dora" || settings.bias === "trained";
  const zeros = [new Float32Array(rank * inputs), new Float32Array(rank * outputs)];
  const third = hasThird ? [new Float32Array(outputs)] : [];
  if (!found) return [...zeros, ...third];
  const change = found.scale / scale;
  const changed = (values: Float32Array): Float32Array =>
    change === 1 ? values : values.map((value) => value * change);
  const A = padRows(found.A, rank * inputs);
  const B = padColumns(changed(found.B), found.rank, rank);
  const more = found.m ?? (found.bias && changed(found.bias));
  return [A, B, ...(more ? [more] : third)];
}

/** [r, n] -> [rank, n], zeros below. */
function padRows(A: Float32Array, length: number): Float32Array {
  if (A.length === length) return A;
  const out = new Float32Array(length);
  out.set(A);
  return out;
}

/** [n, from] -> [n, to], zeros to the right. */
function padColumns(B: Float32Array, from: number, to: number): Float32Array {
  if (from === to) return B;
  const rows = B.length / from;
  const out = new Float32Array(rows * to);
  for (let row = 0; row < rows; row++) out.set(B.subarray(row * from, (row + 1) * from), row * to);
  return out;
}
