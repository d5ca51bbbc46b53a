/**
 * A feed of events as server-sent events (WHATWG HTML, section 9.2). The reader sets the pace: an event is taken from the feed
 * when the connection has room for it, so that a reader who does not read costs a place in the feed and no memory.
 */
import type { Writable } from "node:stream";
import type { EventSource, FedEvent } from "../../interface/admin.ts";

/** A word now and then shows both sides, and what stands between them, that the connection lives. */
const HEARTBEAT_MS = 15_000;

/**
 * Write what comes after an event of this number, until the connection is closed; calls `onEnd` once then. Events that the
 * feed has let go of meanwhile are counted in an event `lost`.
 */
export function streamEvents(
  feed: EventSource,
  out: Writable,
  { from, onEnd }: { from: number; onEnd: () => void },
): void {
  let place = from;
  let isEnded = false;
  const pump = (): void => {
    while (!isEnded && !out.writableNeedDrain) {
      const next = feed.after(place);
      if (next === undefined) return;
      const { event, lost } = next;
      place = event.number;
      out.write(`${lost > 0 ? lostText(lost) : ""}${eventText(event)}`);
    }
  };
  const endListening = feed.onAdded(pump);
  const heartbeat = setInterval(() => {
    if (!out.writableNeedDrain) out.write(": here\n\n");
  }, HEARTBEAT_MS);
  const end = (): void => {
    if (isEnded) return;
    isEnded = true;
    clearInterval(heartbeat);
    endListening();
    onEnd();
  };
  out.on("drain", pump).once("close", end).once("error", end);
  // The headers go out at once, so that the reader knows that it is heard.
  out.write(": the events of this peer\n\n");
  pump();
}

const lostText = (count: number): string => `event: lost\ndata: ${JSON.stringify({ count })}\n\n`;

/** JSON has no line ends, so one data line holds it. */
function eventText({ number, at, event }: FedEvent): string {
  return `id: ${number}\nevent: ${event.type}\ndata: ${JSON.stringify({ at, ...event })}\n\n`;
}
