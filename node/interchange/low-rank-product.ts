/**
 * The LoRA kinds in their common form y + s B A x, two factors for each linear layer; of DoRA the magnitudes of the rows
 * too, of LoRA a bias behind B where it has one.
 */
import type { LowRankSettings } from "../../protocol/adapter-spec.ts";
import { lowRankScale, lowRankSites } from "../adapter/low-rank.ts";
import { NodeError } from "../errors.ts";
import type { BaseModel, LinearSite, WeightShape } from "../model/base-model.ts";
import type { SavedAdapter } from "./saved-adapter.ts";
import { tensorsOf } from "./saved-adapter.ts";

/** The product s B A of one linear layer. */
export interface LowRankProduct {
  readonly site: LinearSite;
  /** [r, inputs] */
  readonly A: Float32Array;
  /** [outputs, r]; of tri-lora B C. */
  readonly B: Float32Array;
  readonly rank: number;
  /** s */
  readonly scale: number;
  /** |W0| + m [outputs]; of dora only. */
  readonly magnitudes?: Float32Array;
  /** b [outputs] of y + s (B A x + b). */
  readonly bias?: Float32Array;
}

/** A LoRA kind's settings.  way: what the caller could not do with another kind, and what to do.  Throws: ADAPTER_FORMAT. */
export function lowRankSettings({ settings }: SavedAdapter, way: { readonly what: string }): LowRankSettings {
  if (settings.kind === "combination") {
    const text = `${way.what}: a combination also edits the residual stream (${settings.reft.kind}), which no weight can hold`;
    throw new NodeError("ADAPTER_FORMAT", text, { problem: "lora-part-only" });
  }
  if ("positions" in settings) {
    const text = `${way.what}: a ${settings.kind} adapter edits the residual stream at chosen positions, which no weight can hold`;
    throw new NodeError("ADAPTER_FORMAT", text, { problem: "pyreft-form-only" });
  }
  return settings;
}

/** The products of a LoRA kind, one for each linear layer that it changes. */
export function lowRankProducts(
  adapter: SavedAdapter,
  model: BaseModel,
  settings: LowRankSettings,
): readonly LowRankProduct[] {
  const tensor = tensorsOf(adapter, model);
  const values = (name: string): Float32Array => tensor(name).data as Float32Array;
  const { rank } = settings;
  const scale = lowRankScale(settings);
  return lowRankSites(settings, model.shape).map((site) => {
    const [A, B] = [values(`${site.path}.A`), values(`${site.path}.B`)];
    return withRest({ site, A, B, rank, scale }, { settings, values, model });
  });
}

/** What a kind has beside its two factors. */
function withRest(
  product: LowRankProduct,
  {
    settings,
    values,
    model,
  }: {
    readonly settings: LowRankSettings;
    readonly values: (name: string) => Float32Array;
    readonly model: BaseModel;
  },
): LowRankProduct {
  const { site, B, rank } = product;
  if (settings.kind === "tri-lora") return { ...product, B: matrixProduct(B, values(`${site.path}.C`), rank) };
  if (settings.kind === "lora" && settings.bias === "trained") {
    return { ...product, bias: values(`${site.path}.b`) };
  }
  if (settings.kind !== "dora") return product;
  const m = values(`${site.path}.m`);
  return { ...product, magnitudes: rowLengths(model.values(siteWeight(site)), site).map((n, o) => n + m[o]!) };
}

/** The weight of a linear layer, as the model stores it. */
export function siteWeight({ path, inputs, outputs, stored }: LinearSite): WeightShape {
  return { name: `${path}.weight`, shape: stored === undefined ? [outputs, inputs] : [inputs, outputs] };
}

/** How far the values of a row of a layer's weight are apart, and those of a column, as the model stores it. */
export function siteStrides({ inputs, outputs, stored }: LinearSite): {
  readonly row: number;
  readonly column: number;
} {
  return stored === "inputs x outputs" ? { row: 1, column: outputs } : { row: inputs, column: 1 };
}

/** The lengths of the rows of a layer's weight, f32[outputs]. */
export function rowLengths(W: Float32Array, site: LinearSite): Float32Array {
  const { row, column } = siteStrides(site);
  return Float32Array.from({ length: site.outputs }, (_, o) => {
    let sum = 0;
    for (let i = 0; i < site.inputs; i++) sum += W[o * row + i * column]! ** 2;
    return Math.sqrt(sum);
  });
}

/** X [n, m] times Y [m, k]; sums in float64. */
export function matrixProduct(X: Float32Array, Y: Float32Array, m: number): Float32Array {
  const [n, k] = [X.length / m, Y.length / m];
  const out = new Float32Array(n * k);
  const row = new Float64Array(k);
  for (let i = 0; i < n; i++) {
    row.fill(0);
    for (let j = 0; j < m; j++) {
      const x = X[i * m + j]!;
      for (let c = 0; c < k; c++) row[c] = row[c]! + x * Y[j * k + c]!;
    }
    out.set(row, i * k);
  }
  return out;
}
