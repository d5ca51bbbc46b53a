/** What of a peer's events is kept in its log: what somebody looks back at, not what comes many times a second. */
import type { Logger } from "../interface/logger.ts";
import type { PeerEvent } from "../interface/peer-event.ts";

/** Steps and updates fill a log, and the summary of their round has them; a report repeats its rounds. */
const LEFT_OUT: ReadonlySet<PeerEvent["type"]> = new Set(["step", "update", "loop", "mixed", "finished"]);

/** Put an event into the log. */
export function logEvent(logger: Logger, { type, ...fields }: PeerEvent): void {
  if (!LEFT_OUT.has(type)) logger.info(type, fields);
}
