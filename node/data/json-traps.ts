/** What JSON.parse passes over and what would be trained on unawares: names that stand twice, and halves of characters. */
import { endOfString } from "./json-nesting.ts";
import { dataRefusal, type Place } from "./place.ts";
import type { RowValues } from "./row.ts";

/** Names of an object that are looked for one by one, which is faster than reading all of its text again. */
const NAMES_MAX = 32;

/** Throws: DATA_FORMAT at the place for an object of which one value would be lost, or that holds half a character. */
export function refuseTraps(text: string, values: RowValues, place: Place): void {
  const names = Object.keys(values);
  const mayRepeat = names.length > NAMES_MAX || names.some((name) => standsTwice(text, name));
  const repeated = mayRepeat ? repeatedAtTop(text) : undefined;
  if (repeated !== undefined) {
    throw dataRefusal(place, `${repeated.slice(0, 40)} stands there twice, and only one can count; take the other out`);
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

/** A name, as it is written, that stands before two colons in the outermost object. */
function repeatedAtTop(text: string): string | undefined {
  const names = new Set<string>();
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === "{" || character === "[") depth += 1;
    else if (character === "}" || character === "]") depth -= 1;
    if (character !== '"') continue;
    const end = endOfString(text, at);
    const name = text.slice(at, end);
    at = end - 1;
    if (depth !== 1 || !standsBeforeColon(text, end)) continue;
    if (names.has(name)) return name;
    names.add(name);
  }
  return undefined;
}

function standsBeforeColon(text: string, from: number): boolean {
  let at = from;
  while (/\s/u.test(text[at] ?? "")) at += 1;
  return text[at] === ":";
}

function isWhole(value: unknown): boolean {
  if (typeof value === "string") return !/\p{Surrogate}/u.test(value);
  if (typeof value !== "object" || value === null) return true;
  return Object.entries(value).every(([name, part]) => isWhole(name) && isWhole(part));
}
