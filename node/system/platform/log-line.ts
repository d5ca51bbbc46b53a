/** A line of the log as people read it. */

/** A line of JSON as `HH:MM:SS level text  field value …`, with its line end. What is hidden in a text is written out: it may be another peer's. */
export function logLine(json: string): string {
  const { level, time, self: _, text, ...fields } = JSON.parse(json) as Readonly<Record<string, unknown>>;
  const at = new Date(String(time)).toTimeString().slice(0, 8);
  const more = Object.entries(fields).map(
    ([name, value]) => `${name} ${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  return `${visible(`${at} ${String(level).padEnd(5)} ${text}${more.length > 0 ? `  ${more.join(", ")}` : ""}`)}\n`;
}

/** Control characters, marks that turn the direction of writing, and separators that end a line. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are looked for
const HIDDEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

const visible = (text: string): string =>
  text.replace(HIDDEN, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);
