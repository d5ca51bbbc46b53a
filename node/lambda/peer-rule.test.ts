import { expect, it } from "vitest";
import type { LambdaRule } from "../../protocol/network-manifest.ts";
import { blindLambda, lambdaRuleOf } from "./peer-rule.ts";

const network: LambdaRule = { mode: "adaptive" };
const privacy = { lambda: { mode: "fixed", value: 0.5 } } as const;

it.each([
  ["a peer that trains goes by the network's rule", { isAuthor: true, privacy: undefined }, network],
  ["a peer with a privacy budget goes by its guard's", { isAuthor: true, privacy }, privacy.lambda],
  ["an observer takes the aggregate as it is", { isAuthor: false, privacy: undefined }, { mode: "fixed", value: 1 }],
  ["an observer with a privacy budget does too", { isAuthor: false, privacy }, { mode: "fixed", value: 1 }],
] as const)("%s", (_, peer, expected) => {
  expect(lambdaRuleOf(network, peer)).toEqual(expected);
});

it("a rule that looks at losses has a fixed share in its place, a fixed one stays", () => {
  expect(blindLambda({ mode: "search" })).toEqual({ mode: "fixed", value: 0.5 });
  expect(blindLambda({ mode: "fixed", value: 0.2 })).toEqual({ mode: "fixed", value: 0.2 });
});
