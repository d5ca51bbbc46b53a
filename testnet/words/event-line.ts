/** Peer events as lines of JSON between a peer's process and the one that started it. */
import type { PeerEvent } from "../../node/index.ts";

/** A finished report of thousands of rounds is below a megabyte; what is longer is not an event. */
export const EVENT_LINE_CHARACTERS_MAX = 16 * 1024 * 1024;

const TYPES: Readonly<Record<PeerEvent["type"], true>> = {
  started: true,
  step: true,
  neighbours: true,
  company: true,
  alone: true,
  unreachable: true,
  address: true,
  declined: true,
  update: true,
  published: true,
  mixed: true,
  round: true,
  refused: true,
  jumped: true,
  observing: true,
  paused: true,
  loop: true,
  resumed: true,
  privacy: true,
  request: true,
  member: true,
  equivocation: true,
  succession: true,
  ending: true,
  clock: true,
  roster: true,
  finished: true,
};

/** One event as one line, with its line end. */
export function formatEventLine(event: PeerEvent): string {
  return `${JSON.stringify(event)}\n`;
}

/** The event in a line, undefined when it holds none (what a library prints on standard output, say). */
export function parseEventLine(line: string): PeerEvent | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    const type = (value as { readonly type?: unknown }).type;
    return typeof type === "string" && Object.hasOwn(TYPES, type) ? (value as PeerEvent) : undefined;
  } catch {
    // Not JSON, so not an event.
    return undefined;
  }
}

/** Cut chunks of text into lines; a line longer than the bound is dropped.  Returns the function that takes chunks. */
export function lineSplitter(onLine: (line: string) => void): (chunk: string) => void {
  let rest = "";
  let dropping = false;
  return (chunk) => {
    const lines = chunk.split("\n");
    for (const [index, part] of lines.entries()) {
      const isEnd = index < lines.length - 1;
      if (!dropping) rest += part;
      if (rest.length > EVENT_LINE_CHARACTERS_MAX) {
        rest = "";
        dropping = true;
      }
      if (!isEnd) continue;
      if (!dropping) onLine(rest.endsWith("\r") ? rest.slice(0, -1) : rest);
      rest = "";
      dropping = false;
    }
  };
}
