/** A line of the log as people read it. */
import { visibleText } from "../../visible-text.ts";

/** A line of JSON as `HH:MM:SS level text  field value …`, with its line end. What is hidden in a text is written out: it may be another peer's. */
export function logLine(json: string): string {
  const { level, time, self: _, text, ...fields } = JSON.parse(json) as Readonly<Record<string, unknown>>;
  const at = new Date(String(time)).toTimeString().slice(0, 8);
  const more = Object.entries(fields).map(
    ([name, value]) => `${name} ${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  return `${visible(`${at} ${String(level).padEnd(5)} ${text}${more.length > 0 ? `  ${more.join(", ")}` : ""}`)}\n`;
}

/** Here a line end and a tab are hidden as well: each line is one message. */
const visible = (text: string): string =>
  visibleText(text.replace(/[\t\n\r]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`));
