/** What JSON.parse passes over and what would be trained on unawares: names that stand twice, and halves of characters. */
import { dataRefusal, type Place } from "./place.ts";
import type { RowValues } from "./row.ts";

/** Throws: DATA_FORMAT at the place for an object of which one value would be lost, or that holds half a character. */
export function refuseTraps(text: string, values: RowValues, place: Place): void {
  for (const name of Object.keys(values)) {
    if (!standsTwice(text, name) || namesAtTop(text, name) < 2) continue;
    const shown = JSON.stringify(name.slice(0, 40));
    throw dataRefusal(place, `${shown} stands there twice, and only one can count; take the other out`);
  }
  // Only an escape can stand for one: the text itself was read as UTF-8.
  if (!/\\u[dD][89a-fA-F]/u.test(text) || isWhole(values)) return;
  const what = "an escape such as \\ud83d stands there without its other half, which is no character";
  throw dataRefusal(place, `${what}; take it out, or write the text again from its source`);
}

/** Whether a name that is written plainly stands more than once, at whatever depth. */
function standsTwice(text: string, name: string): boolean {
  const written = JSON.stringify(name);
  const first = text.indexOf(written);
  return first >= 0 && text.indexOf(written, first + written.length) >= 0;
}

/** How often a name stands before a colon in the outermost object. */
function namesAtTop(text: string, name: string): number {
  const written = JSON.stringify(name);
  let [depth, count] = [0, 0];
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"\s*:?|[[\]{}]/gu)) {
    if (token === "{" || token === "[") depth += 1;
    else if (token === "}" || token === "]") depth -= 1;
    else if (depth === 1 && token.endsWith(":") && token.slice(0, -1).trimEnd() === written) count += 1;
  }
  return count;
}

function isWhole(value: unknown): boolean {
  if (typeof value === "string") return !/\p{Surrogate}/u.test(value);
  if (typeof value !== "object" || value === null) return true;
  return Object.entries(value).every(([name, part]) => isWhole(name) && isWhole(part));
}
