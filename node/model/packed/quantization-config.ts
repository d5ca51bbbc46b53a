/** What `quantization_config` of a config.json says, of the packings that weft reads as they are: GPTQ and AWQ. */
import { unsupported } from "../config.ts";

/** How the words of a checkpoint are packed. */
export interface WordPacking {
  readonly method: "gptq" | "awq";
  readonly bits: 2 | 4 | 8;
  /** -1 for one group along all inputs. */
  readonly groupSize: number;
  /** Of GPTQ: 1 stores z - 1, 2 stores z. */
  readonly version: 1 | 2;
}

/** A config without its quantization_config, and what that said; undefined where there is none. */
export interface UnpackedConfig {
  readonly config: unknown;
  readonly packing?: WordPacking;
}

type Fields = Readonly<Record<string, unknown>>;

/** What may stand there besides what decides about the packing: how the weights were found, and which kernels are to be used. */
const PASSED_OVER = new Set([
  ...["quant_method", "bits", "group_size", "checkpoint_format", "version", "zero_point", "sym", "desc_act", "backend"],
  ...["damp_percent", "damp_auto_increment", "static_groups", "true_sequential", "dataset", "model_name_or_path"],
  ...["model_file_base_name", "quantizer", "meta", "lm_head", "dynamic", "cache_block_outputs", "use_exllama"],
  ...["exllama_config", "max_input_length", "module_name_preceding_first_block", "modules_in_block_to_quantize"],
  ...["modules_to_not_convert", "do_fuse", "modules_to_fuse", "fuse_max_seq_len", "use_cuda_fp16", "batch_size"],
  ...[
    "model_seqlen",
    "block_name_to_quantize",
    "pad_token_id",
    "pack_dtype",
    "tokenizer",
    "disable_exllama",
    "is_marlin_format",
  ],
]);

/**
 * config: parsed config.json.
 * Throws: MODEL_CONFIG naming the field for a packing that weft does not read.
 */
export function unpackedConfig(config: unknown): UnpackedConfig {
  const fields = config as Fields | null;
  const given = fields?.quantization_config;
  if (typeof given !== "object" || given === null) return { config };
  const settings = given as Fields;
  const method = settings.quant_method;
  // Other methods are refused by the family, which knows the field.
  if (method !== "gptq" && method !== "awq") return { config };
  const { quantization_config: _, ...rest } = fields as Fields;
  return { config: rest, packing: method === "gptq" ? gptq(settings) : awq(settings) };
}

const REMEDY = "take the model in F32, F16 or BF16";

function gptq(settings: Fields): WordPacking {
  const { bits, checkpoint_format: format = "gptq" } = settings;
  if (bits !== 2 && bits !== 4 && bits !== 8) throw refused("bits", bits, "2, 4 or 8 bits");
  if (format !== "gptq" && format !== "gptq_v2") throw refused("checkpoint_format", format, "gptq or gptq_v2");
  refuseOthers(settings);
  return { method: "gptq", bits, groupSize: groupSizeOf(settings), version: format === "gptq" ? 1 : 2 };
}

function awq(settings: Fields): WordPacking {
  const { bits, version = "gemm" } = settings;
  if (bits !== 4) throw refused("bits", bits, "4 bits");
  if (typeof version !== "string" || version.toLowerCase() !== "gemm") throw refused("version", version, "gemm");
  refuseOthers(settings);
  return { method: "awq", bits, groupSize: groupSizeOf(settings), version: 2 };
}

function groupSizeOf({ group_size: size }: Fields): number {
  if (size === -1 || (typeof size === "number" && Number.isInteger(size) && size > 0)) return size;
  throw refused("group_size", size, "-1 or a count of inputs");
}

function refuseOthers(settings: Fields): void {
  const { is_marlin_format: marlin, dynamic } = settings;
  if (marlin === true) throw refused("is_marlin_format", marlin, "false");
  if (typeof dynamic === "object" && dynamic !== null && Object.keys(dynamic).length > 0) {
    throw refused("dynamic", dynamic, "one packing for all layers");
  }
  const other = Object.keys(settings).find((name) => !PASSED_OVER.has(name));
  if (other !== undefined) throw refused(other, settings[other], "only fields that weft knows");
}

const refused = (field: string, value: unknown, read: string): Error =>
  unsupported(`quantization_config.${field}`, value, `weft reads ${read}; else ${REMEDY}`);
