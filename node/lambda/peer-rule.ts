/** The rule by which one peer decides lambda: the network's, or the one that the peer's role or its privacy puts in its place. */
import type { LambdaRule } from "../../protocol/network-manifest.ts";

/** An observer takes the aggregate as it is, because it has trained nothing of its own that could be mixed in. */
const WHOLE_AGGREGATE: LambdaRule = { mode: "fixed", value: 1 };

/** How far a peer with a privacy budget goes towards the others where the network's rule looks at losses. */
const BLIND_SHARE = 0.5;

/** The network's rule where it is blind to data, else a fixed share. A peer with a privacy budget goes by it. */
export function blindLambda(rule: LambdaRule): Extract<LambdaRule, { readonly mode: "fixed" }> {
  return rule.mode === "fixed" ? rule : { mode: "fixed", value: BLIND_SHARE };
}

/**
 * The rule of one peer. An observer goes all the way to the aggregate. A peer with a privacy budget goes by its guard's
 * rule, which is fixed: a rule that looks at losses would let private data decide what is sent. Every other peer goes by
 * the network's rule.
 */
export function lambdaRuleOf(
  network: LambdaRule,
  {
    isAuthor,
    privacy,
  }: {
    /** Whether the peer's role is one that trains and sends. */
    readonly isAuthor: boolean;
    /** The guard of the peer's updates, where it has a privacy budget. */
    readonly privacy: { readonly lambda: LambdaRule } | undefined;
  },
): LambdaRule {
  if (!isAuthor) return WHOLE_AGGREGATE;
  return privacy?.lambda ?? network;
}
