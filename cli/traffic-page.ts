/** docs/TRAFFIC.md, computed from adapters and encodings: `npm run docs` writes it, a test compares it. */

import { defaultValues, KEYFRAME_EVERY, type ModelShape, modelDoor } from "../node/index.ts";
import { parameterCount } from "../protocol/adapter-spec.ts";
import type { UpdateEncoding } from "../protocol/encoding/update-encoding.ts";
import { payloadSizes } from "../protocol/encoding/update-payload.ts";
import { ADAPTERS } from "../protocol/settings/adapter-kinds.ts";
import { formatBytes } from "../testnet/words/text-table.ts";
import { parseAdapter } from "./adapter-argument.ts";

const { adapterMethod, FAMILIES } = await modelDoor();

/** The parts of the published config.json files that say which tensors there are. */
const MODELS = [
  {
    name: "Llama-3.2-1B",
    config: { ...llama(), hidden_size: 2048, intermediate_size: 8192, num_hidden_layers: 16, head_dim: 64 },
  },
  { name: "Llama-3-8B", config: { ...llama(), hidden_size: 4096, intermediate_size: 14_336, num_hidden_layers: 32 } },
  {
    name: "Qwen2.5-0.5B",
    config: {
      ...llama(),
      model_type: "qwen2",
      hidden_size: 896,
      intermediate_size: 4864,
      num_hidden_layers: 24,
      num_attention_heads: 14,
      num_key_value_heads: 2,
      vocab_size: 151_936,
      max_position_embeddings: 32_768,
      rms_norm_eps: 1e-6,
    },
  },
] as const;

/** LoRA first: the others are counted against it. */
const ADAPTERS_COUNTED: readonly string[] = [
  ...Object.values(ADAPTERS.kinds).flatMap(({ counted }): readonly string[] => counted),
  "tri-lora:r8:q_proj,v_proj+loreft:r4:f7+l7:frozen",
];

const SHARE = 0.05;
const KINDS = ["float32", "float16", "int8"] as const;
const TOP_K = { share: SHARE, keyframeEvery: KEYFRAME_EVERY };
const ENCODINGS: readonly UpdateEncoding[] = [
  ...KINDS.map((values) => ({ values })),
  ...KINDS.map((values) => ({ values, topK: TOP_K })),
];

/** The whole page in Markdown. */
export function trafficPage(): string {
  return `# What a round costs on the wire

Written by \`npm run docs\` from \`cli/traffic-page.ts\`; do not edit.

For anybody who plans a network: how many bytes does a peer send and receive in a round, with which adapter and encoding?

After each round a peer signs one update. The tables have the bytes of its payload, computed from the adapter's tensors
by the code that encodes them. The envelope around a payload adds less than 250 bytes; an announcement has at most 189.
Each neighbour fetches an update once. So a peer with n neighbours that all fetch from it sends n times as much, and it
receives as much from each author in the network.

## How do I read the tables?

* **Bold**: the encoding that \`weft network create\` chooses. \`--encoding\` and \`--top-k\` choose another one.
* **top 5 %**: the mean over ${KEYFRAME_EVERY} updates, of which one has every value (\`--top-k ${SHARE}\`).
* **of LoRA r 8**: the bold bytes as a share of those of LoRA of rank 8 on q_proj and v_proj in float32.

## What does an encoding lose?

| encoding | error of a value x | of an adapter of normal values |
|---|---|---|
| float32 | none | 0 |
| float16 | at most 2^-11 \\|x\\|, or 2^-25 | about 0.02 % of its norm |
| int8 | below max \\|row\\| / 127, 0 on average | 0.55 % of its norm in rows of 8 values, 1.1 % in rows of 2048 |
| top-k | values that are left out stay in the residual, and are sent when they have grown | at most √(1 - share) of the change, each round |

${MODELS.map(({ name, config }) => modelSection(name, FAMILIES.get(config.model_type)!.build(config).shape)).join("\n")}`;
}

function modelSection(name: string, shape: ModelShape): string {
  const beside = sizeOf(tensorsOf(ADAPTERS_COUNTED[0]!, shape), { values: "float32" });
  const columns = ["adapter", "values", ...KINDS, ...KINDS.map((kind) => `${kind}, top 5 %`), "of LoRA r 8"];
  return `## ${name}

| ${columns.join(" | ")} |
|---|${"---:|".repeat(columns.length - 1)}
${ADAPTERS_COUNTED.map((word) => adapterRow(word, shape, beside)).join("\n")}
`;
}

function adapterRow(word: string, shape: ModelShape, beside: number): string {
  const tensors = tensorsOf(word, shape);
  const chosen = defaultValues(parseAdapter(word));
  const cells = ENCODINGS.map((encoding) => {
    const text = formatBytes(sizeOf(tensors, encoding));
    return encoding.topK === undefined && encoding.values === chosen ? `**${text}**` : text;
  });
  const share = (100 * sizeOf(tensors, { values: chosen })) / beside;
  return `| ${[`\`${word}\``, parameterCount(tensors), ...cells, `${share.toPrecision(3)} %`].join(" | ")} |`;
}

function tensorsOf(word: string, shape: ModelShape) {
  const settings = parseAdapter(word);
  return adapterMethod(settings).sent(settings, shape);
}

/** Mean bytes of a payload over the updates from one keyframe to the next. */
function sizeOf(tensors: ReturnType<typeof tensorsOf>, encoding: UpdateEncoding): number {
  const { dense, sparseMax } = payloadSizes({ tensors, encoding });
  if (sparseMax === undefined) return dense;
  return Math.round((dense + (KEYFRAME_EVERY - 1) * Math.min(dense, sparseMax)) / KEYFRAME_EVERY);
}

/** What the Llama 3 models share. */
function llama() {
  return {
    model_type: "llama",
    vocab_size: 128_256,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    max_position_embeddings: 8192,
    rms_norm_eps: 1e-5,
    rope_theta: 500_000,
    hidden_act: "silu",
    tie_word_embeddings: true,
  };
}
