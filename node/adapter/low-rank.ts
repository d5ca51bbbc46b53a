/**
 * Low-rank products beside linear layers: y <- y + s B m(A x), A [r, in], B [out, r].
 * This file holds what the LoRA kinds share. Each kind brings its middle m.
 * Source: Hu et al. 2021, arXiv:2106.09685; the scale by sqrt(r) Kalajdzievski 2023, arXiv:2312.03732.
 */
import type { LowRankSettings } from "../../protocol/adapter-spec.ts";
import type { Prng } from "../../protocol/prng.ts";
import { NodeError } from "../errors.ts";
import type { AdapterHooks, LinearSite, ModelShape } from "../model/base-model.ts";
import { gemm } from "../onnx/operators.ts";
import type { OnnxValue } from "../onnx/value.ts";
import { type DropoutSite, keptShare } from "./dropout.ts";
import { chosenLayers } from "./layers.ts";
import type { AdapterPart, InjectionContext } from "./method.ts";

/** The linear layers of the chosen layers whose path ends with one of the targets.  Throws: ADAPTER_SETTINGS. */
export function lowRankSites(settings: LowRankSettings, model: ModelShape): readonly LinearSite[] {
  const layers = new Set(chosenLayers(settings.layers, model.layers));
  const matches = (site: LinearSite, target: string) => site.path === target || site.path.endsWith(`.${target}`);
  for (const target of settings.targets) {
    if (model.linears.some((site) => matches(site, target))) continue;
    const known = [...new Set(model.linears.map((site) => site.path.split(".").at(-1)))];
    throw new NodeError(
      "ADAPTER_SETTINGS",
      `${settings.kind} target ${target} is no linear layer of this model; it has ${known.join(", ")}`,
    );
  }
  return model.linears.filter(
    (site) => layers.has(site.layer) && settings.targets.some((target) => matches(site, target)),
  );
}

/** s: alpha / r, or alpha / sqrt(r) with `scale: "rslora"`. */
export function lowRankScale({ alpha, rank, scale }: LowRankSettings): number {
  return scale === "rslora" ? alpha / Math.sqrt(rank) : alpha / rank;
}

/**
 * A and B of every site: A [r, in] Kaiming, uniform in +-1/sqrt(in) from the stream of its name; B [out, r] = 0, which
 * edits nothing. a: whether A is sent or frozen; B is sent.
 */
export function lowRankParts(
  settings: LowRankSettings,
  model: ModelShape,
  { a }: { readonly a: "sent" | "frozen" },
): readonly AdapterPart[] {
  const { rank } = settings;
  return lowRankSites(settings, model).flatMap(({ path, inputs, outputs }): AdapterPart[] => {
    const [A, B] = [`${path}.A`, `${path}.B`];
    return [
      { name: A, shape: [rank, inputs], role: a, start: (prng) => uniformRows(prng.fork(A), rank, inputs) },
      { name: B, shape: [outputs, rank], role: "sent", start: () => new Float32Array(outputs * rank) },
    ];
  });
}

function uniformRows(prng: Prng, rank: number, inputs: number): Float64Array {
  const bound = 1 / Math.sqrt(inputs);
  return Float64Array.from({ length: rank * inputs }, () => (2 * prng.uniform() - 1) * bound);
}

/** The linear layers with dropout, where the settings ask for it. */
export function lowRankDropout(settings: LowRankSettings, model: ModelShape): readonly DropoutSite[] {
  const { dropout: rate = 0 } = settings;
  if (rate === 0) return [];
  return lowRankSites(settings, model).map(({ path, inputs }) => ({ path, columns: inputs, rate }));
}

/** The hooks of y + s B m(A x); middle: (path, A x) f32[N, r] -> f32[N, r]. */
export function lowRankHooks(
  settings: LowRankSettings,
  model: ModelShape,
  { tensor, drop }: InjectionContext,
  middle: (path: string, inner: OnnxValue) => OnnxValue = (_, inner) => inner,
): AdapterHooks {
  const adapted = new Set(lowRankSites(settings, model).map((site) => site.path));
  return {
    adapts: ({ path }) => adapted.has(path),
    linear: ({ path, table }, x, y, rows) => {
      if (!adapted.has(path)) return y;
      // Dropout is of what is read of tokens, and has masks for these alone.
      const dropped = table ? undefined : drop;
      const inner = gemm(dropped ? dropped(path, x, rows) : x, tensor(`${path}.A`), { transB: true });
      // What is kept is scaled up, so that its expectation is that of the whole input.
      const kept = dropped ? keptShare(settings.dropout ?? 0) : 1;
      const alpha = lowRankScale(settings) / kept;
      return gemm(middle(path, inner), tensor(`${path}.B`), { transB: true, alpha, c: y });
    },
  };
}
