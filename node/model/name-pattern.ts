/** Choosing parts of a model by name, where `*` stands for any text: `*.bias`, `encoder.layer.3.*`. */
import { NodeError } from "../errors.ts";

/** Names shown when none fits; more would bury the message. */
const NAMES_SHOWN = 12;

/** No name fits: the error says which there are.  Code: MODEL_CONFIG. */
export function unmatched(patterns: readonly string[], what: string, names: readonly string[]): NodeError {
  const some = names.slice(0, NAMES_SHOWN).join(", ");
  const more = names.length > NAMES_SHOWN ? ` and ${names.length - NAMES_SHOWN} more` : "";
  return new NodeError("MODEL_CONFIG", `no ${what} is called ${patterns.join(" or ")}; there are ${some}${more}`);
}

/** Whether a name is the pattern's text, `*` standing for any text. Linear in the name for each star. */
export function fits(pattern: string, name: string): boolean {
  const [first, ...rest] = pattern.split("*");
  const last = rest.pop();
  if (last === undefined) return name === pattern;
  if (!name.startsWith(first!) || !name.endsWith(last) || name.length < first!.length + last.length) return false;
  let at = first!.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at <= name.length - last.length;
}
