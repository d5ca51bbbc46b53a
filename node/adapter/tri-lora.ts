/**
 * Tri-LoRA: y = x W0^T + (alpha / r) B C A x, A [r, in], C [r, r], B [out, r]; only C travels, r^2 values whatever the
 * model's width.
 * Basis shared: A and B are frozen with orthonormal rows and columns from the network's seed, C is trained. Averaging
 * is exact. C starts at 0 and not at I: with B = 0 frozen nothing would ever train, with B and C = I the start would
 * not be the base model.
 * Basis personal: A, B and C are trained, A and B never leave the peer.
 * Source: CE-LoRA, arXiv:2503.23869, and its code for the personal start; the shared basis is this project's own.
 */
import type { AdapterOf } from "../../protocol/adapter-spec.ts";
import type { Prng } from "../../protocol/prng.ts";
import { NodeError } from "../errors.ts";
import type { LinearSite, ModelShape } from "../model/base-model.ts";
import { gemm } from "../onnx/operators.ts";
import { lowRankDropout, lowRankHooks, lowRankSites } from "./low-rank.ts";
import type { AdapterDefinition, AdapterPart } from "./method.ts";
import { orthonormalRowsFromSeed } from "./orthonormal.ts";

/** Standard deviation of the personal A at the start, as in the paper's code. */
const PERSONAL_A_STD_DEV = 1e-3;

/** The definition of Tri-LoRA. */
export const TRI_LORA: AdapterDefinition<AdapterOf<"tri-lora">> = {
  parts: (settings, model) => {
    const parts = settings.basis === "shared" ? sharedBasis : personalBasis;
    return fittingSites(settings, model).flatMap((site) => parts(site, settings.rank));
  },
  dropout: lowRankDropout,
  hooks: (settings, model, context) =>
    lowRankHooks(settings, model, context, (path, inner) => gemm(inner, context.tensor(`${path}.C`), { transB: true })),
};

/** A with orthonormal rows, B with orthonormal columns, C = 0, which edits nothing. */
function sharedBasis({ path, inputs, outputs }: LinearSite, rank: number): readonly AdapterPart[] {
  const [A, B] = [`${path}.A`, `${path}.B`];
  return [
    {
      name: A,
      shape: [rank, inputs],
      role: "frozen",
      start: (prng) => orthonormalRowsFromSeed(prng.fork(A), rank, inputs),
    },
    {
      name: B,
      shape: [outputs, rank],
      role: "frozen",
      start: (prng) => transposed(orthonormalRowsFromSeed(prng.fork(B), rank, outputs), rank, outputs),
    },
    { name: `${path}.C`, shape: [rank, rank], role: "sent", start: () => new Float32Array(rank * rank) },
  ];
}

/** A small and normal, C = I, B = 0, which edits nothing. */
function personalBasis({ path, inputs, outputs }: LinearSite, rank: number): readonly AdapterPart[] {
  const A = `${path}.A`;
  const identity = (): Float32Array =>
    Float32Array.from({ length: rank * rank }, (_, i) => (i % (rank + 1) === 0 ? 1 : 0));
  return [
    { name: A, shape: [rank, inputs], role: "kept", start: (prng) => smallNormals(prng.fork(A), rank * inputs) },
    { name: `${path}.B`, shape: [outputs, rank], role: "kept", start: () => new Float32Array(outputs * rank) },
    { name: `${path}.C`, shape: [rank, rank], role: "sent", start: identity },
  ];
}

function fittingSites(settings: AdapterOf<"tri-lora">, model: ModelShape): readonly LinearSite[] {
  const sites = lowRankSites(settings, model);
  const narrow = sites.find(({ inputs, outputs }) => settings.rank > Math.min(inputs, outputs));
  if (narrow === undefined) return sites;
  const { path, inputs, outputs } = narrow;
  const text = `adapter rank ${settings.rank} is larger than ${path} allows, which is ${outputs} x ${inputs}`;
  throw new NodeError("ADAPTER_SETTINGS", `${text}; choose at most ${Math.min(inputs, outputs)}`);
}

const smallNormals = (stream: Prng, length: number): Float64Array =>
  Float64Array.from({ length }, () => PERSONAL_A_STD_DEV * stream.normal());

/** [rows, columns] -> [columns, rows] */
function transposed(x: Float64Array, rows: number, columns: number): Float64Array {
  return x.map((_, i) => x[(i % rows) * columns + Math.floor(i / rows)]!);
}
