/**
 * Checks of the names in JSON that JSON.parse does not make. Of a name that stands twice every reader takes another one, and
 * `__proto__` is a field to some readers and none to others: what such a text says depends on the program that reads it.
 */

/** What is wrong with the names of a JSON text, or with its nesting. */
export type JsonFlaw =
  | { readonly kind: "twice"; readonly name: string }
  /** It nests deeper than is allowed. */
  | { readonly kind: "deep" };

/** The first flaw of a text; undefined when there is none. A text that is no JSON at all is left to JSON.parse. */
export function jsonFlaw(text: string, depthMax = Infinity): JsonFlaw | undefined {
  const names: (Set<string> | undefined)[] = [];
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c === "{" || c === "[") {
      if (names.length >= depthMax) return { kind: "deep" };
      names.push(c === "{" ? new Set() : undefined);
    } else if (c === "}" || c === "]") {
      names.pop();
    } else if (c === '"') {
      const end = stringEnd(text, i);
      const name = isName(text, end) ? literalText(text.slice(i, end)) : undefined;
      const known = names.at(-1);
      if (name !== undefined && known?.has(name)) return { kind: "twice", name };
      if (name !== undefined) known?.add(name);
      i = end - 1;
    }
  }
  return undefined;
}

/** The path of a field that is called `__proto__`, in a value as JSON.parse gives it; undefined when there is none. */
export function protoPath(value: unknown): readonly (string | number)[] | undefined {
  const open: { readonly at: unknown; readonly path: readonly (string | number)[] }[] = [{ at: value, path: [] }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { at, path } = next;
    if (typeof at !== "object" || at === null) continue;
    if (Object.hasOwn(at, PROTO)) return [...path, PROTO];
    const isList = Array.isArray(at);
    for (const [key, inside] of Object.entries(at)) {
      if (typeof inside === "object") open.push({ at: inside, path: [...path, isList ? Number(key) : key] });
    }
  }
  return undefined;
}

const PROTO = "__proto__";

/** One past the closing quote of the string that begins at `start`. */
function stringEnd(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === '"') return i + 1;
  }
  return text.length;
}

function isName(text: string, end: number): boolean {
  let i = end;
  while (i < text.length && " \t\r\n".includes(text[i]!)) i++;
  return text[i] === ":";
}

/** Two spellings of one name are one name. */
function literalText(literal: string): string | undefined {
  try {
    const text: unknown = JSON.parse(literal);
    return typeof text === "string" ? text : undefined;
  } catch {
    return undefined;
  }
}
