import { expect, it } from "vitest";
import { SELF, summaryOf } from "../admin/example-peer.suite.ts";
import type { PeerEvent } from "../interface/peer-event.ts";
import { logEvent } from "./event-log.ts";

it("an event is logged once: as a warning where somebody should see to it, and not at all where it comes many times a second", () => {
  const lines: (readonly unknown[])[] = [];
  const to = (level: string) => (text: string, fields?: object) => void lines.push([level, text, fields]);
  const logger = { debug: to("debug"), info: to("info"), warn: to("warn"), error: to("error") };
  const forgetting = { loss: 0, accuracy: 0, tasks: [] };
  const events: readonly PeerEvent[] = [
    { type: "step", round: 0, step: 1, steps: 2, loss: 1, phase: "swarm" },
    { type: "round", summary: summaryOf(0), forgetting },
    { type: "jumped", from: 0, to: 4 },
    { type: "clock", peer: SELF, label: "bob", aheadSeconds: 900 },
  ];
  for (const event of events) logEvent(logger, event);
  expect(lines).toEqual([
    ["info", "round", { summary: summaryOf(0), forgetting }],
    ["warn", "fell behind, going on where the others are", { event: "jumped", from: 0, to: 4 }],
    ["warn", expect.stringContaining("clock"), { event: "clock", peer: SELF, label: "bob", aheadSeconds: 900 }],
  ]);
});
