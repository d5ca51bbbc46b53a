/** Values of a table's reader as JSON has them: lists, objects, texts, numbers, truth values, null. */

/** A copy of plain data; a whole number of 64 bits becomes a number where it is one exactly, else its digits. */
export function plainValue(value: unknown): unknown {
  if (value === undefined || value === null) return null;
  switch (typeof value) {
    case "bigint":
      return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
    case "object":
      break;
    default:
      return value;
  }
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(plainValue);
  // Bytes are no text, and nothing says which text they would be.
  if (ArrayBuffer.isView(value)) return null;
  const { toJSON } = value as { readonly toJSON?: () => unknown };
  if (typeof toJSON === "function") return plainValue(toJSON.call(value));
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, plainValue(part)]));
}
