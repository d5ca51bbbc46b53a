/**
 * What a family of the GPT layout is made of: its sizes, where its norms stand, how attention and MLP are joined to the
 * stream, the names of its parts, and the weights that follow.
 */
import { NodeError } from "../../errors.ts";
import type { LinearSite, WeightShape } from "../base-model.ts";
import type { ActivationName } from "../layers/activation.ts";
import type { RopeSettings } from "../layers/rope-settings.ts";
import { turnedValues } from "../layers/rotary.ts";

/** Everything in which the families of this layout differ. */
export interface GptLayout {
  readonly vocabulary: number;
  readonly hidden: number;
  /** Width of the MLP. */
  readonly inner: number;
  readonly layers: number;
  readonly heads: number;
  /** Key/value heads. */
  readonly groups: number;
  readonly contextTokens: number;
  readonly epsilon: number;
  readonly activation: ActivationName;
  /** Whether the output matrix is the embedding. */
  readonly tied: boolean;
  readonly biases: { readonly attention: boolean; readonly mlp: boolean; readonly output: boolean };
  /**
   * in turn: n = h + att(norm h), n + mlp(norm n).  behind: n = norm(h + att h), norm(n + mlp n).
   * side by side: h + att(norm h) + mlp(norm h), with a norm each or with one for both.
   */
  readonly blocks: "in turn" | "behind" | "side by side" | "side by side, one norm";
  /** Absent for learned positions. */
  readonly rope?: RopeSettings;
  /** Layer norms of every query and every key head, before the rotation. */
  readonly headNorms?: boolean;
  /** Width of the token embedding, which two matrices join to the stream, where it is another than the stream's. */
  readonly embeddingWidth?: number;
  readonly names: GptNames;
}

/** Module paths in transformers; parts of a layer without the layer's path. */
export interface GptNames {
  readonly embedding: string;
  /** Of learned positions: the table, the rows before that of the first token, and all rows. */
  readonly positions?: { readonly path: string; readonly first: number; readonly rows: number };
  readonly layers: string;
  /** Before (or behind) attention and MLP; one where both share it. */
  readonly norms: readonly string[];
  /** One matrix that holds q, k and v of each head one after the other, or three. */
  readonly qkv: readonly [string] | readonly [string, string, string];
  readonly o: string;
  readonly up: string;
  readonly down: string;
  /** Behind the last block, where there is one. */
  readonly finalNorm?: string;
  /** From the embedding's width to the stream's, and back. */
  readonly projections?: readonly [into: string, out: string];
}

/** A matrix [outputs, inputs], and its bias where it has one. */
export interface GptLinear {
  readonly site: LinearSite;
  readonly weights: readonly WeightShape[];
}

/** The weights of one layer. */
export interface GptLayer {
  /** Scale and shift, as often as the layout has norms. */
  readonly norms: readonly (readonly WeightShape[])[];
  /** Of queries and keys; empty where these have none. */
  readonly headNorms: readonly (readonly WeightShape[])[];
  readonly qkv: readonly GptLinear[];
  readonly o: GptLinear;
  readonly up: GptLinear;
  readonly down: GptLinear;
}

/** Throws: MODEL_CONFIG when the numbers of heads do not fit, or the share of a head that is turned. */
export function checkGptLayout({ heads, groups, hidden, rope }: GptLayout): void {
  const headSize = hidden / heads;
  if (!Number.isInteger(headSize) || heads % groups !== 0) {
    const what = `${heads} heads, ${groups} key/value heads and hidden size ${hidden} do not fit`;
    throw new NodeError("MODEL_CONFIG", `config.json: ${what}`);
  }
  if (!rope) return;
  const turned = turnedValues(headSize, rope);
  const factors = rope.scaling.kind === "longrope" ? rope.scaling.factors.length : turned / 2;
  if (headSize % 2 === 0 && turned >= 2 && turned % 2 === 0 && factors === turned / 2) return;
  const what = `${turned} values of a head of ${headSize} are turned, in pairs, with ${factors} factors`;
  throw new NodeError("MODEL_CONFIG", `config.json: ${what}; that does not fit`, { field: "rope_parameters" });
}

/** The weights of a layer, by their names. */
export function gptLayer(layout: GptLayout, layer: number): GptLayer {
  const { hidden, inner, heads, groups, biases, names } = layout;
  const path = `${names.layers}.${layer}`;
  const headSize = hidden / heads;
  const linear = (part: string, [inputs, outputs]: readonly [number, number], biased: boolean): GptLinear => {
    const site = { path: `${path}.${part}`, layer, inputs, outputs };
    return { site, weights: matrix(site.path, [outputs, inputs], biased) };
  };
  const [q, kv] = [hidden, groups * headSize];
  const widths = names.qkv.length === 1 ? [q + 2 * kv] : [q, kv, kv];
  return {
    norms: names.norms.map((part) => normOf(`${path}.${part}`, hidden)),
    headNorms: layout.headNorms ? ["q", "k"].map((one) => normOf(`${path}.self_attn.${one}_layernorm`, headSize)) : [],
    qkv: names.qkv.map((part, i) => linear(part, [hidden, widths[i]!], biases.attention)),
    o: linear(names.o, [hidden, hidden], biases.attention),
    up: linear(names.up, [hidden, inner], biases.mlp),
    down: linear(names.down, [inner, hidden], biases.mlp),
  };
}

/** Its linear layers in the order in which the forward pass takes them. */
export const gptLinears = ({ qkv, o, up, down }: GptLayer): readonly GptLinear[] => [...qkv, o, up, down];

/** All weights outside of the layers. */
export function gptEnds(layout: GptLayout) {
  const { vocabulary, hidden, embeddingWidth: width = hidden, names, tied, biases } = layout;
  const embedding: WeightShape = { name: `${names.embedding}.weight`, shape: [vocabulary, width] };
  const output: WeightShape = tied ? embedding : { name: "lm_head.weight", shape: [vocabulary, width] };
  const { positions, projections } = names;
  const table = positions && { name: `${positions.path}.weight`, shape: [positions.rows, hidden] };
  return {
    embedding,
    output,
    positions: table,
    outputBias: biases.output ? { name: "lm_head.bias", shape: [vocabulary] } : undefined,
    finalNorm: names.finalNorm === undefined ? [] : normOf(names.finalNorm, hidden),
    into: projections && { name: `${projections[0]}.weight`, shape: [hidden, width] },
    out: projections && { name: `${projections[1]}.weight`, shape: [width, hidden] },
  };
}

function matrix(path: string, shape: readonly [number, number], biased: boolean): readonly WeightShape[] {
  const weight = { name: `${path}.weight`, shape };
  return biased ? [weight, { name: `${path}.bias`, shape: [shape[0]] }] : [weight];
}

const normOf = (path: string, size: number): readonly WeightShape[] =>
  ["weight", "bias"].map((part) => ({ name: `${path}.${part}`, shape: [size] }));
