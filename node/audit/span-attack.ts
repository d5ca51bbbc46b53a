/**
 * The exact way in: a weight's gradient is a sum of outer products with the inputs that the weight saw, so its rows lie
 * in the space that those inputs span. Where the text has fewer tokens than the gradient has independent rows, a token is
 * in the text if and only if its input lies in that space, and the onlooker tries every token there is.
 * Source: Petrov et al. 2024, arXiv:2405.15586 (DAGER), carried over to adapters: dA of LoRA spans the inputs x, dB and dC
 * their images A x, and dW of a ReFT kind the residual stream at the positions that it edits.
 */
import { adapterMethod } from "../adapter/methods.ts";
import { sentPart } from "../adapter/sent-part.ts";
import type { Runtime } from "../interface/runtime.ts";
import type { AdaptedModel } from "../training/training-step.ts";
import { adapterInputs } from "./adapter-inputs.ts";
import type { TextShape } from "./matching-graph.ts";
import { distanceToSpace, type RowSpace, rowSpace } from "./row-space.ts";

export interface SpanOptions {
  readonly adapted: AdaptedModel;
  readonly adapter: Float32Array;
  /** The gradient of the tensors that travel, f32[S]. */
  readonly observed: Float32Array;
  readonly shape: TextShape;
  readonly threads: number;
}

export interface SpanResult {
  /** Tokens that are in the text as far as the gradient says, in order where `inOrder`. */
  readonly tokens: readonly number[];
  readonly inOrder: boolean;
  /** Independent rows of the first layer's gradients that say something. */
  readonly dimensions: number;
}

/** One space of a layer, and what a place's input becomes in it. */
interface Clue {
  readonly place: string;
  readonly space: RowSpace;
  /** A, f32[r, inputs], where the gradient saw A x instead of x. */
  readonly through?: Float32Array;
}

/**
 * Farther from the space than this a token is not in the text. Those that are in it lie within 1e-4, float32's rounding
 * of a gradient; of others, chance brings few closer than this to one space, and next to none to two at once.
 */
const WITHIN = 0.005;

/** undefined where the gradients have as many rows as columns, or there is none: then nothing follows from them. */
export async function spanAttack(runtime: Runtime, options: SpanOptions): Promise<SpanResult | undefined> {
  const { adapted, shape } = options;
  const cluesOf = clues(options);
  const layers = [...cluesOf.keys()].sort((a, b) => a - b);
  const [first] = layers;
  if (first === undefined) return undefined;
  const { vocabulary } = adapted.model.shape;
  const everything = Array.from({ length: vocabulary }, (_, token) => token);
  const dimensions = Math.max(...cluesOf.get(first)!.map(({ space }) => space.basis.length));
  const distances = (
    texts: readonly (readonly number[])[],
    known: readonly (readonly number[])[] = [],
  ): Promise<number[]> => distancesOf(runtime, options, { layer: first, clues: cluesOf.get(first)!, texts, known });
  const edited = editedPositions(options);
  if (edited !== undefined) {
    // Each position's stream depends on all tokens before it, so they are found one after another.
    const tokens: number[] = [];
    for (let t = 0; t < edited; t++) {
      const known = tokens.map((_, i) => tokens.slice(0, i + 1));
      const apart = await distances(
        everything.map((token) => [...tokens, token]),
        known,
      );
      const best = apart.indexOf(Math.min(...apart));
      if (apart[best]! > WITHIN) break;
      tokens.push(best);
    }
    return { tokens, inOrder: true, dimensions };
  }
  const apart = await distances(everything.map((token) => [token]));
  // A gradient has as many independent rows as the text has different tokens, as long as it has room for them.
  const tokens = everything.toSorted((a, b) => apart[a]! - apart[b]!).slice(0, Math.min(dimensions, shape.tokens));
  return { tokens, inOrder: false, dimensions };
}

/** The positions that are edited from the start of the prompt on; undefined for adapters that act on every token. */
function editedPositions({ adapted, shape }: SpanOptions): number | undefined {
  if (!adapted.slots.some(({ name }) => /\.W1?$/.test(name))) return undefined;
  const { first } = adapterMethod(adapted.adapter).positions(adapted.adapter);
  return Math.min(first, Math.floor(shape.promptLength / 2));
}

/** By layer, the gradients that leave a direction out. */
function clues({ adapted, adapter, observed }: SpanOptions): ReadonlyMap<number, readonly Clue[]> {
  const { model, adapter: settings, slots, frozen = new Map() } = adapted;
  const sent = sentPart(slots, adapterMethod(settings).sent(settings, model.shape)).slots;
  const valuesOf = (name: string): Float32Array | undefined => {
    const slot = slots.find((one) => one.name === name);
    if (slot) return adapter.subarray(slot.offset, slot.offset + slot.length);
    return frozen.get(name)?.data as Float32Array | undefined;
  };
  const found = new Map<number, Clue[]>();
  const note = (layer: number, clue: Clue): void => {
    const { basis, columns } = clue.space;
    if (basis.length > 0 && basis.length < columns) found.set(layer, [...(found.get(layer) ?? []), clue]);
  };
  const rowsOf = ({ offset, length }: { readonly offset: number; readonly length: number }): Float32Array =>
    observed.subarray(offset, offset + length);
  for (const slot of sent) {
    const linear = /^(.*)\.([ABC])$/.exec(slot.name);
    const site = linear && model.shape.linears.find(({ path }) => path === linear[1]);
    const columns = slot.shape[1] ?? 1;
    if (linear && site) {
      const through = linear[2] === "A" ? undefined : valuesOf(`${linear[1]}.A`);
      if (linear[2] !== "A" && through === undefined) continue;
      note(site.layer, { place: site.path, space: rowSpace(rowsOf(slot), columns), ...(through && { through }) });
      continue;
    }
    const edit = /(\d+)(?:\.(\w+))?\.W1?$/.exec(slot.name);
    if (edit && edit[2] !== "suffix" && slot.shape.length === 2) {
      note(Number(edit[1]), { place: "block", space: rowSpace(rowsOf(slot), columns) });
    }
  }
  return new Map([...found].map(([layer, all]) => [layer, joined(all)]));
}

/** Query, key and value layers see one and the same input: the rows of their dA together span more of it. */
function joined(all: readonly Clue[]): readonly Clue[] {
  const shared = (place: string): string => place.replace(/\.(q|k|v)_proj$/, ".qkv");
  const groups = new Map<string, Clue[]>();
  for (const clue of all) {
    const name = clue.through ? `${clue.place} through A` : shared(clue.place);
    groups.set(name, [...(groups.get(name) ?? []), clue]);
  }
  return [...groups.values()].map((group) => {
    if (group.length === 1) return group[0]!;
    const { columns } = group[0]!.space;
    const rows = Float32Array.from(group.flatMap(({ space }) => space.basis.flatMap((row) => [...row])));
    return { place: group[0]!.place, space: rowSpace(rows, columns) };
  });
}

/**
 * The geometric mean over a layer's clues of how far the last token of each text is from the space: one clue may miss a
 * token (the first position's query changes nothing), while a stranger is far from all. Of each input only what the
 * known texts' last tokens do not explain counts.
 */
async function distancesOf(
  runtime: Runtime,
  { adapted, adapter, threads }: SpanOptions,
  at: {
    readonly layer: number;
    readonly clues: readonly Clue[];
    readonly texts: readonly (readonly number[])[];
    readonly known: readonly (readonly number[])[];
  },
): Promise<number[]> {
  const { layer, texts } = at;
  const inputs = await adapterInputs(runtime, { adapted, adapter, layer, texts, threads });
  const explained: Float32Array[] = [];
  for (const text of at.known) {
    const found = await adapterInputs(runtime, { adapted, adapter, layer, texts: [text], threads });
    explained.push(found.get("block")!.rows);
  }
  return at.texts.map((_, n) => {
    const each = at.clues.map(({ place, space, through }) => {
      const { columns, rows } = inputs.get(place)!;
      const x = rows.subarray(n * columns, (n + 1) * columns);
      if (through) return distanceToSpace(space, image(through, x));
      return distanceToSpace(space, withoutKnown(x, explained));
    });
    return Math.exp(each.reduce((sum, distance) => sum + Math.log(distance + 1e-9), 0) / each.length);
  });
}

/** What is left of x beside the known inputs. */
function withoutKnown(x: Float32Array, known: readonly Float32Array[]): Float64Array {
  const { basis } = rowSpace(Float32Array.from(known.flatMap((row) => [...row])), x.length);
  const rest = Float64Array.from(x);
  for (const unit of basis) {
    const product = unit.reduce((sum, value, i) => sum + value * rest[i]!, 0);
    for (let i = 0; i < rest.length; i++) rest[i]! -= product * unit[i]!;
  }
  return rest;
}

/** A x. */
function image(A: Float32Array, x: Float32Array): Float64Array {
  return Float64Array.from({ length: A.length / x.length }, (_, i) =>
    x.reduce((sum, value, j) => sum + A[i * x.length + j]! * value, 0),
  );
}
