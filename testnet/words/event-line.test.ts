import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { exampleEvents } from "../fixtures/example-run.ts";
import { EVENT_LINE_CHARACTERS_MAX, formatEventLine, lineSplitter, parseEventLine } from "./event-line.ts";

describe("event lines", () => {
  it("carry every kind of event there and back, however the bytes are cut", () => {
    const events = exampleEvents(0);
    const text = events.map(formatEventLine).join("");
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: text.length }), { maxLength: 20 }), (cuts) => {
        const received: unknown[] = [];
        const take = lineSplitter((line) => received.push(parseEventLine(line)));
        const edges = [0, ...[...cuts].sort((a, b) => a - b), text.length];
        for (let i = 1; i < edges.length; i++) take(text.slice(edges[i - 1], edges[i]));
        expect(received).toEqual(events);
      }),
      { numRuns: 50 },
    );
  });

  it.each(["", "hello", "{", '{"type":"unheard-of"}', '{"type":5}', "null", '{"type":"constructor"}', "[1]"])(
    "takes %j for no event",
    (line) => expect(parseEventLine(line)).toBeUndefined(),
  );

  it("drops a line above the bound and goes on with the next", () => {
    const lines: string[] = [];
    const take = lineSplitter((line) => lines.push(line));
    const half = "x".repeat(EVENT_LINE_CHARACTERS_MAX / 2 + 1);
    for (const chunk of ["before\r\n", half, half, half, "\nafter\n"]) take(chunk);
    expect(lines).toEqual(["before", "after"]);
  });
});
