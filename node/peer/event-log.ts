/** What of a peer's events is kept in its log: what somebody looks back at, not what comes many times a second. */
import type { Logger, LogLevel } from "../interface/logger.ts";
import type { PeerEvent } from "../interface/peer-event.ts";

/** Steps and updates fill a log, and the summary of their round has them; a report repeats its rounds. */
const LEFT_OUT: ReadonlySet<PeerEvent["type"]> = new Set(["step", "update", "loop", "mixed", "finished"]);

/** What somebody should see to. Whoever finds it out tells the event and logs nothing beside it: each fact stands in a log once. */
const WARNINGS: { readonly [Type in PeerEvent["type"]]?: string } = {
  clock: "a member's clock is ahead of this one, and what it signs is put off",
  equivocation: "a member signed two different things under one number",
  jumped: "fell behind, going on where the others are",
  refused: "what came from others was refused",
};

/** At which level an event is logged; undefined for one that is not. */
export function eventLogLevel(type: PeerEvent["type"]): Extract<LogLevel, "info" | "warn"> | undefined {
  if (LEFT_OUT.has(type)) return undefined;
  return WARNINGS[type] === undefined ? "info" : "warn";
}

/** Put an event into the log. */
export function logEvent(logger: Logger, { type, ...fields }: PeerEvent): void {
  const level = eventLogLevel(type);
  const text = WARNINGS[type];
  if (level !== undefined) logger[level](text ?? type, text === undefined ? fields : { event: type, ...fields });
}
