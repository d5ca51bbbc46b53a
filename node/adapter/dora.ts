/**
 * DoRA: W = W0 + s B A by its direction, each row with a magnitude of its own. y = x Wm^T + bias,
 * Wm = diag((|W0| + m) / |W0 + s B A|) (W0 + s B A), A [r, in], B [out, r], m [out]; |W| f32[out] are the lengths of the rows of
 * W. m is the change of the magnitudes, so that 0 edits nothing whatever the model. The length |W0 + s B A| counts as a
 * constant in the gradient.
 * Source: Liu et al. 2024, arXiv:2402.09353, section 4.3 for the constant; peft/tuners/lora/dora.py at 0.21.
 */
import type { AdapterOf } from "../../protocol/adapter-spec.ts";
import type { LinearSite, ModelShape } from "../model/base-model.ts";
import { add, div, gemm, mul, reduceSum, scalar, sqrt, stopGradient, sub } from "../onnx/operators.ts";
import type { OnnxValue } from "../onnx/value.ts";
import { keptShare } from "./dropout.ts";
import { lowRankDropout, lowRankParts, lowRankScale, lowRankSites } from "./low-rank.ts";
import type { AdapterDefinition, AdapterPart, InjectionContext } from "./method.ts";

/** The definition of DoRA. */
export const DORA: AdapterDefinition<AdapterOf<"dora">> = {
  parts: (settings, model) => {
    const factors = lowRankParts(settings, model, { a: "sent" });
    return lowRankSites(settings, model).flatMap(({ path, outputs }, i): AdapterPart[] => [
      ...factors.slice(2 * i, 2 * i + 2),
      { name: `${path}.m`, shape: [outputs], role: "sent", start: () => new Float32Array(outputs) },
    ]);
  },
  dropout: lowRankDropout,
  readsWeights: () => true,
  hooks,
};

function hooks(settings: AdapterOf<"dora">, model: ModelShape, context: InjectionContext) {
  const adapted = new Set(lowRankSites(settings, model).map((site) => site.path));
  const scale = lowRankScale(settings);
  return {
    adapts: ({ path }: LinearSite) => adapted.has(path),
    linear: (site: LinearSite, x: OnnxValue, y: OnnxValue, rows?: OnnxValue): OnnxValue => {
      const { path } = site;
      if (!adapted.has(path)) return y;
      const { tensor, drop } = context;
      const [A, B] = [tensor(`${path}.A`), tensor(`${path}.B`)];
      const { W, bias } = frozenOf(site, context);
      const ratio = magnitudeRatio(site, { W, A, B, m: tensor(`${path}.m`), scale });
      const product = (of: OnnxValue, alpha: number, c?: OnnxValue): OnnxValue =>
        gemm(gemm(of, A, { transB: true }), B, { transB: true, alpha, ...(c && { c }) });
      if (!drop) {
        const z = mul(product(x, scale, bias ? sub(y, bias) : y), ratio);
        return bias ? add(z, bias) : z;
      }
      // What is added to y = x W0^T + bias is of the input that is left, whose expectation is the whole input.
      const left = mul(drop(path, x, rows), scalar(1 / keptShare(settings.dropout ?? 0)));
      const base = gemm(left, W, { transB: site.stored === undefined });
      return add(y, sub(mul(product(left, scale, base), ratio), base));
    },
  };
}

/** The frozen matrix of a layer as it is stored, and its bias where it has one. */
function frozenOf(
  { path, inputs, outputs, stored }: LinearSite,
  { base }: InjectionContext,
): { readonly W: OnnxValue; readonly bias?: OnnxValue } {
  const bias = base.weights.find(({ name }) => name === `${path}.bias`);
  const shape = stored === undefined ? [outputs, inputs] : [inputs, outputs];
  return { W: base.weight({ name: `${path}.weight`, shape }), ...(bias && { bias: base.weight(bias) }) };
}

/** Keeps the division finite for a row of zeros, and is nothing beside the square of any other row. */
const SMALLEST = 1e-30;

/** (|W0| + m) / |W0 + s B A| f32[out]. */
function magnitudeRatio(
  { stored }: LinearSite,
  { W, A, B, m, scale }: Readonly<Record<"W" | "A" | "B" | "m", OnnxValue>> & { readonly scale: number },
): OnnxValue {
  const lengths = (of: OnnxValue): OnnxValue =>
    sqrt(add(reduceSum(mul(of, of), [stored === undefined ? 1 : 0], false), scalar(SMALLEST)));
  const [fixedA, fixedB] = [stopGradient(A), stopGradient(B)];
  const whole =
    stored === undefined
      ? gemm(fixedB, fixedA, { alpha: scale, c: W })
      : gemm(fixedA, fixedB, { transA: true, transB: true, alpha: scale, c: W });
  return div(add(lengths(W), m), lengths(whole));
}
