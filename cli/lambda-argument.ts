/** How far a peer goes towards the aggregate, in one word: `adaptive`, `search`, `fixed:0.5` or `tanh:0.8:4`. */
import { NodeError } from "../node/errors.ts";
import { closestName } from "../protocol/closest-name.ts";
import type { LambdaRule } from "../protocol/network-manifest.ts";

/** The rule that a word stands for; a bare number is `fixed`.  Throws: NodeError CONFIG_INVALID. */
export function parseLambda(word: string): LambdaRule {
  const [mode = "", ...parts] = word.split(":");
  if ((mode === "search" || mode === "adaptive") && parts.length === 0) return { mode };
  if (mode === "fixed" && parts.length === 1) return { mode, value: share(word, parts[0]) };
  if (mode === "tanh" && parts.length === 2) {
    const kappa = Number(parts[1]);
    if (!(kappa > 0 && Number.isFinite(kappa))) throw refusal(word, `"${parts[1]}" is not a number above 0`);
    return { mode, max: share(word, parts[0]), kappa };
  }
  if (parts.length === 0 && /^[\d.]/.test(mode)) return { mode: "fixed", value: share(word, mode) };
  const near = closestName(mode, ["adaptive", "search", "fixed", "tanh"]);
  throw refusal(word, near && near !== mode ? `did you mean ${near}?` : "not a rule");
}

/** The word for a rule; `parseLambda` of it gives it back. */
export function formatLambda(rule: LambdaRule): string {
  switch (rule.mode) {
    case "adaptive":
    case "search":
      return rule.mode;
    case "fixed":
      return `${rule.mode}:${rule.value}`;
    case "tanh":
      return `${rule.mode}:${rule.max}:${rule.kappa}`;
  }
}

function share(word: string, text: string | undefined): number {
  const value = Number(text);
  if (!text || !(value >= 0 && value <= 1)) throw refusal(word, `"${text ?? ""}" is not a number from 0 to 1`);
  return value;
}

function refusal(word: string, what: string): NodeError {
  const forms = "write adaptive, search, fixed:0.5 or tanh:MAX:KAPPA such as tanh:0.8:4";
  return new NodeError("CONFIG_INVALID", `lambda "${word}": ${what}; ${forms}`, { lambda: word });
}
