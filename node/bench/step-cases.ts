/** What `npm run bench:step` measures: adapter, labels and shape of a batch. */
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";

export interface StepCase {
  readonly adapter: AdapterSettings;
  readonly batchSize: number;
  readonly tokens: number;
  /** Tokens of every example that are prompt; the loss is on the rest. */
  readonly promptTokens: number;
}

const LORA: AdapterSettings = { kind: "lora", rank: 8, alpha: 16, targets: ["q_proj", "v_proj"], layers: "all" };
const UPPER = Array.from({ length: 15 }, (_, i) => 15 + i);
const loreft = (layers: "all" | readonly number[]): AdapterSettings => ({
  kind: "loreft",
  rank: 4,
  layers,
  positions: { first: 7, last: 7, tied: false },
});

export const STEP_CASES = {
  lora_all: { adapter: LORA, batchSize: 4, tokens: 128, promptTokens: 1 },
  lora_response: { adapter: LORA, batchSize: 4, tokens: 128, promptTokens: 96 },
  loreft_all: { adapter: loreft("all"), batchSize: 4, tokens: 128, promptTokens: 32 },
  loreft_upper: { adapter: loreft(UPPER), batchSize: 4, tokens: 128, promptTokens: 32 },
} as const satisfies Readonly<Record<string, StepCase>>;

export type StepCaseName = keyof typeof STEP_CASES;
