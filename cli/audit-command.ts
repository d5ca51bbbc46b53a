/** `weft audit inversion` in the command table. */
import { ADAPTER_FORMS, parseAdapter } from "./adapter-argument.ts";
import { AUDIT_DEFAULTS, AUDITED } from "./audit-defaults.ts";
import type { CommandRow, OptionRow } from "./command-row.ts";
import { READING } from "./data-options.ts";
import { engineFlags } from "./engine-flags.ts";
import { integer, positive } from "./option-value.ts";

/** The flags that it shares with other commands come from the table. */
export function auditCommand(shared: {
  readonly model: OptionRow;
  readonly data: OptionRow;
  readonly json: OptionRow;
}): CommandRow {
  const { texts, maxTokens, steps, attackSteps, attempts } = AUDIT_DEFAULTS;
  return {
    name: ["audit", "inversion"],
    text: "Attack one's own updates: recover the tokens of a text from the gradient of one step on it.",
    options: [
      shared.model,
      shared.data,
      ...READING,
      {
        flags: "--adapter <word>",
        text: `what is attacked: ${ADAPTER_FORMS}; may be repeated`,
        parse: parseAdapter,
        repeatable: true,
        otherwise: AUDITED.join(", "),
      },
      { flags: "--texts <count>", text: "test examples to attack", parse: integer(1, 1000), otherwise: String(texts) },
      {
        flags: "--max-tokens <count>",
        text: "tokens of a text; longer ones are cut",
        parse: integer(4, 256),
        otherwise: String(maxTokens),
      },
      {
        flags: "--steps <count>",
        text: "local steps before, so that the adapter is not where it starts",
        parse: integer(0, 100_000),
        otherwise: String(steps),
      },
      {
        flags: "--attack-steps <count>",
        text: "steps of descent in each attempt",
        parse: integer(0, 100_000),
        otherwise: String(attackSteps),
      },
      {
        flags: "--attempts <count>",
        text: "attempts to find a text by its gradient; 0 for none, which takes seconds",
        parse: integer(0, 1000),
        otherwise: String(attempts),
      },
      {
        flags: "--dp-clip <norm>",
        text: "clip the gradient and add noise, as --dp does",
        parse: positive,
        otherwise: "no noise",
      },
      {
        flags: "--dp-noise <multiple>",
        text: "standard deviation of that noise as a multiple of the norm",
        parse: positive,
        otherwise: "no noise",
      },
      {
        flags: "--seed <number>",
        text: "of the adapters and the attacks",
        parse: integer(0, 2 ** 32 - 1),
        otherwise: "0",
      },
      ...engineFlags({ only: ["threads"] }),
      shared.json,
    ],
    example: "weft audit inversion --texts 3 --adapter tri-lora:r8:q_proj,v_proj",
    load: () => import("./commands/audit/inversion.ts"),
  };
}
