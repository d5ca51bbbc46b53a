/** The LoRA kinds in their common form y + s B A x: two factors for each linear layer. */
import type { LowRankSettings } from "../../protocol/adapter-spec.ts";
import { lowRankScale, lowRankSites } from "../adapter/low-rank.ts";
import { NodeError } from "../errors.ts";
import type { BaseModel, LinearSite } from "../model/base-model.ts";
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
    if (settings.kind !== "tri-lora") return { site, A, B, rank, scale };
    return { site, A, B: matrixProduct(B, values(`${site.path}.C`), rank), rank, scale };
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
