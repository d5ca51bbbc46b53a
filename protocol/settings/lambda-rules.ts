/** Every rule for lambda, which says how far a peer goes towards the aggregate. node/lambda decides by them. */
import type { SettingsOf, Variant } from "./variant.ts";

/** The rules by name; a bare number is `fixed`. */
export const LAMBDA_RULES = {
  tag: "mode",
  what: "lambda",
  bare: "fixed",
  kinds: {
    fixed: {
      text: "always the same",
      source: "lambda of FedReFT, arXiv:2508.20295",
      fields: {
        value: {
          type: "number",
          min: 0,
          max: 1,
          text: "lambda: 0 stays with the own adapter, 1 takes the aggregate",
          source: "a share of the mix",
          word: { place: "needed" },
          example: "0.5",
        },
      },
    },
    search: {
      text: "the candidate with the least loss on held-out data of the peer's own",
      source: "this project's own; node/lambda/round-rule.ts",
      fields: {},
    },
    adaptive: {
      text: "alone or in the swarm, whichever a trial over some rounds found better",
      source: "this project's own; docs/LAMBDA.md",
      fields: {},
    },
    tanh: {
      text: "the more, the better the aggregate does on held-out data than the own adapter",
      source: "this project's own; node/lambda/round-rule.ts",
      fields: {
        max: {
          type: "number",
          min: 0,
          max: 1,
          text: "the largest lambda",
          source: "a share of the mix",
          word: { place: "needed" },
          example: "0.8",
        },
        kappa: {
          type: "number",
          min: 0,
          without: "min",
          max: 1000,
          text: "how fast it grows with the relative gain",
          source: "κ of λ_max tanh(κ gain); above 1000 it is a step",
          word: { place: "needed" },
          example: "4",
        },
      },
    },
  } as const satisfies Readonly<Record<string, Variant>>,
} as const;

/** How far a peer goes towards the aggregate. */
export type LambdaRule = SettingsOf<typeof LAMBDA_RULES>;
