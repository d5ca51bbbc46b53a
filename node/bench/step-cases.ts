/** The cases of `npm run bench:step`: adapter, labels, shape of a batch, and the mode of the engine. */
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import type { Precision } from "../interface/engine-options.ts";

/** One training step to be measured. */
export interface StepCase {
  readonly adapter: AdapterSettings;
  /** Examples in a batch, all of the same length. */
  readonly batchSize: number;
  readonly tokens: number;
  /** Tokens of every example that are prompt; the loss is on the rest. */
  readonly promptTokens: number;
  readonly lowMemory: boolean;
  /** Whether the activations below the lowest adapter are kept from step to step, as over several epochs. */
  readonly keepActivations: boolean;
  readonly precision?: Precision;
  /** The case of the PyTorch script that does the same work. */
  readonly torch: string;
}

const LORA: AdapterSettings = { kind: "lora", rank: 8, alpha: 16, targets: ["q_proj", "v_proj"], layers: "all" };
const UPPER = Array.from({ length: 15 }, (_, i) => 15 + i);
const loreft = (layers: "all" | readonly number[]): AdapterSettings => ({
  kind: "loreft",
  rank: 4,
  layers,
  positions: { first: 7, last: 7, tied: false },
});
const BATCH = { batchSize: 4, tokens: 128, lowMemory: false, keepActivations: false };

/** The cases by the names that the command line and docs/PERFORMANCE.md use. */
export const STEP_CASES = {
  lora_all: { ...BATCH, adapter: LORA, promptTokens: 1, torch: "lora_all" },
  lora_response: { ...BATCH, adapter: LORA, promptTokens: 96, torch: "lora_response" },
  loreft_all: { ...BATCH, adapter: loreft("all"), promptTokens: 32, torch: "loreft_all" },
  loreft_upper: { ...BATCH, adapter: loreft(UPPER), promptTokens: 32, torch: "loreft_upper" },
  upper_epochs: {
    ...BATCH,
    adapter: loreft(UPPER),
    promptTokens: 32,
    keepActivations: true,
    torch: "loreft_upper",
  },
  upper_epochs_response: {
    ...BATCH,
    adapter: loreft(UPPER),
    promptTokens: 96,
    keepActivations: true,
    torch: "loreft_upper_response",
  },
  low_memory: { ...BATCH, adapter: LORA, promptTokens: 1, lowMemory: true, torch: "lora_all" },
  long_512: { ...BATCH, batchSize: 1, tokens: 512, adapter: LORA, promptTokens: 1, torch: "long_512" },
  long_1024: { ...BATCH, batchSize: 1, tokens: 1024, adapter: LORA, promptTokens: 1, torch: "long_1024" },
  long_1024_low_memory: {
    ...{ ...BATCH, batchSize: 1, tokens: 1024, adapter: LORA, promptTokens: 1 },
    lowMemory: true,
    torch: "long_1024",
  },
  int8: { ...BATCH, adapter: LORA, promptTokens: 1, precision: "int8", torch: "lora_all" },
} as const satisfies Readonly<Record<string, StepCase>>;

/** The name of a case. */
export type StepCaseName = keyof typeof STEP_CASES;

/** All names, in the order of the measurement. */
export const STEP_CASE_NAMES = Object.keys(STEP_CASES) as readonly StepCaseName[];
