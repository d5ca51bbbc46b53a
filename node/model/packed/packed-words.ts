/**
 * Weights as GPTQ and AWQ pack them into words of 32 bits: `qweight`, `qzeros`, `scales` and, of GPTQ, `g_idx`, in place of a
 * layer's `weight`. W_nk = s_gn (q_kn - z_gn), g the group of input k.
 * - GPTQ: qweight i32[inputs * bits / 32, outputs], a word has inputs that follow each other, the first in its lowest bits.
 * - AWQ: qweight i32[inputs, outputs / 8], a word has eight outputs in the order 0 2 4 6 1 3 5 7.
 * Both have qzeros i32[groups, outputs * bits / 32], packed along the outputs each in its own order, and scales [groups, outputs].
 * GPTQ's first version stores z - 1.
 * Source: Frantar et al. 2022, arXiv:2210.17323, and AutoGPTQ, qlinear_cuda_old.py; Lin et al. 2023, arXiv:2306.00978, and
 * AutoAWQ, gemm.py.
 */
import { NodeError } from "../../errors.ts";
import type { WeightShape } from "../base-model.ts";
import { type Located, type StoredTensor, tensorValues } from "../weight-file.ts";
import type { GroupedMatrix, RowRange } from "./grouped-matrix.ts";
import type { WordPacking } from "./quantization-config.ts";

/** Which output stands at which place of a word of AWQ. */
const AWQ_ORDER = [0, 2, 4, 6, 1, 3, 5, 7];

/** The tensors of one packed matrix. */
interface Parts {
  readonly words: StoredTensor;
  readonly zeros: Int32Array;
  readonly scales: Float32Array;
  readonly groups: Int32Array | undefined;
}

/**
 * The packed matrix behind a weight's name; undefined where the files hold none.
 * Throws: MODEL_CONFIG for tensors that are missing, of another shape, or that name groups or zeros that are not there.
 */
export function packedWords(
  located: Located,
  { name, shape }: WeightShape,
  packing: WordPacking,
): { readonly stored: StoredTensor; readonly matrix: GroupedMatrix } | undefined {
  const path = name.replace(/\.weight$/, "");
  const words = located.get(`${path}.qweight`);
  if (!words || path === name || shape.length !== 2) return undefined;
  const [rows, columns] = shape as [number, number];
  const { method, bits } = packing;
  const perWord = 32 / bits;
  const groupSize = packing.groupSize === -1 ? columns : packing.groupSize;
  const groupCount = Math.ceil(columns / groupSize);
  const refuse = (what: string): NodeError => new NodeError("MODEL_CONFIG", `${words.file.name}: ${path}.${what}`);
  const part = (suffix: string, dtypes: readonly string[], wanted: readonly number[]): StoredTensor => {
    const tensor = located.get(`${path}.${suffix}`);
    if (!tensor) throw refuse(`${suffix} is missing, which a matrix of ${method} needs`);
    if (dtypes.includes(tensor.dtype) && tensor.shape.join() === wanted.join()) return tensor;
    const found = `${tensor.dtype} [${tensor.shape}]`;
    throw refuse(`${suffix} is ${found}, and config.json asks for ${dtypes.join(" or ")} [${wanted}]`);
  };
  if (rows % perWord !== 0 || columns % perWord !== 0) throw refuse(`qweight cannot be packed in whole words`);
  part("qweight", ["I32"], method === "gptq" ? [columns / perWord, rows] : [columns, rows / perWord]);
  const scales = tensorValues(part("scales", ["F16", "BF16", "F32"], [groupCount, rows]));
  if (!scales.every(Number.isFinite)) throw refuse("scales has a value that is not a finite number");
  const zeros = zerosOf(part("qzeros", ["I32"], [groupCount, rows / perWord]), packing);
  const ambiguous = method === "gptq" && packing.version === 1 && zeros.includes(2 ** bits);
  if (ambiguous) throw refuse("qzeros has a zero point that programs read in two ways; take a gptq_v2 checkpoint");
  const order = method === "gptq" && located.has(`${path}.g_idx`) ? part("g_idx", ["I32"], [columns]) : undefined;
  const groups = order && groupsOf(order, { groupSize, groupCount });
  if (groups === "outside") throw refuse("g_idx names a group that is not there");
  const parts: Parts = { words, zeros, scales, groups };
  return { stored: { ...words, name, shape }, matrix: matrixOf(parts, { rows, columns, groupSize }, packing) };
}

/** z of each group and output, i32[groups, outputs]. */
function zerosOf(tensor: StoredTensor, { method, bits, version }: WordPacking): Int32Array {
  const words = wordsOf(tensor);
  const perWord = 32 / bits;
  const zeros = new Int32Array(words.length * perWord);
  const more = method === "gptq" && version === 1 ? 1 : 0;
  for (const [at, word] of words.entries()) {
    for (let i = 0; i < perWord; i++) {
      const place = method === "awq" ? AWQ_ORDER[i]! : i;
      zeros[at * perWord + place] = ((word >>> (bits * i)) & (2 ** bits - 1)) + more;
    }
  }
  return zeros;
}

/** g of each input; undefined where it is that of its place. */
function groupsOf(
  tensor: StoredTensor,
  { groupSize, groupCount }: { readonly groupSize: number; readonly groupCount: number },
): Int32Array | undefined | "outside" {
  const groups = wordsOf(tensor);
  if (groups.every((group, column) => group === Math.floor(column / groupSize))) return undefined;
  return groups.every((group) => group >= 0 && group < groupCount) ? groups : "outside";
}

function matrixOf(
  { words, zeros, scales, groups }: Parts,
  shape: Pick<GroupedMatrix, "rows" | "columns" | "groupSize">,
  { method, bits }: WordPacking,
): GroupedMatrix {
  const { rows: outputs, columns, groupSize } = shape;
  const [mask, perWord, groupCount] = [2 ** bits - 1, 32 / bits, scales.length / outputs];
  const [least, most] = zeros.reduce(([a, b], z) => [Math.min(a, z), Math.max(b, z)], [mask, 0]) as [number, number];
  const place = AWQ_ORDER.map((_, i) => AWQ_ORDER.indexOf(i));
  return {
    ...shape,
    ...(groups && { groups }),
    range: [-most, mask - least],
    integers: ({ from, to }: RowRange) => {
      const all = wordsOf(words);
      const out = new Int16Array((to - from) * columns);
      for (let k = 0; k < columns; k++) {
        const group = (groups ? groups[k]! : Math.floor(k / groupSize)) * outputs;
        for (let n = from; n < to; n++) {
          const [at, i] =
            method === "gptq"
              ? [Math.floor(k / perWord) * outputs + n, k % perWord]
              : [k * (outputs / perWord) + Math.floor(n / perWord), place[n % perWord]!];
          out[(n - from) * columns + k] = ((all[at]! >>> (bits * i)) & mask) - zeros[group + n]!;
        }
      }
      return out;
    },
    scales: ({ from, to }: RowRange) => {
      const out = new Float32Array((to - from) * groupCount);
      for (let n = from; n < to; n++) {
        for (let g = 0; g < groupCount; g++) out[(n - from) * groupCount + g] = scales[g * outputs + n]!;
      }
      return out;
    },
  };
}

/** The words of a tensor, a copy. */
function wordsOf({ file, offset, begin, end }: StoredTensor): Int32Array {
  const bytes = file.read(offset, end - begin);
  return new Int32Array(bytes.slice().buffer);
}
