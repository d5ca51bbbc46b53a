/** How records are divided among peers, as written on a command line. */

import { closestName } from "../../protocol/closest-name.ts";
import { NodeError } from "../errors.ts";

/** A rule by which records are divided among peers. */
export type SplitRule =
  /** All records with the same value of the field go to the same peer. */
  | { readonly kind: "field"; readonly field: string }
  /** Shuffled and dealt out. */
  | { readonly kind: "iid" }
  /** Each value of the field is divided in proportions drawn from Dirichlet(alpha); without a field, see partition.ts. */
  | { readonly kind: "dirichlet"; readonly alpha: number; readonly field?: string };

const FORMS = ["speaker", "field:NAME", "iid", "dirichlet:ALPHA[:FIELD]"];

/** `speaker`, `field:NAME`, `iid`, or `dirichlet:0.3` with an optional `:FIELD`.  Throws: NodeError CONFIG_INVALID. */
export function parseSplit(text: string): SplitRule {
  const [head = "", ...rest] = text.split(":");
  const tail = rest.join(":");
  switch (head) {
    case "speaker":
      if (rest.length === 0) return { kind: "field", field: "speaker" };
      break;
    case "iid":
      if (rest.length === 0) return { kind: "iid" };
      break;
    case "field":
      if (tail !== "") return { kind: "field", field: tail };
      throw refusal(text, "names no field", "write field:NAME");
    case "dirichlet":
      return parseDirichlet(text, rest);
  }
  const near = closestName(head, ["speaker", "field", "iid", "dirichlet"]);
  const form = FORMS.find((candidate) => near !== undefined && near !== head && candidate.startsWith(near));
  throw refusal(text, "is unknown", form === undefined ? `choose from ${FORMS.join(", ")}` : `did you mean ${form}?`);
}

function parseDirichlet(text: string, [number = "", ...rest]: readonly string[]): SplitRule {
  const alpha = Number(number);
  if (number.trim() === "" || !Number.isFinite(alpha) || alpha <= 0) {
    throw refusal(text, "needs a positive number", "write dirichlet:0.3 or dirichlet:0.3:FIELD");
  }
  if (rest.length === 0) return { kind: "dirichlet", alpha };
  const field = rest.join(":");
  if (field === "") throw refusal(text, "names no field after the second colon", "write dirichlet:0.3:FIELD");
  return { kind: "dirichlet", alpha, field };
}

function refusal(text: string, what: string, todo: string): NodeError {
  return new NodeError("CONFIG_INVALID", `split "${text}" ${what}; ${todo}`, { split: text });
}
