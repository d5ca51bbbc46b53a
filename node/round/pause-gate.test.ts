import { expect, test } from "vitest";
import type { PeerEvent } from "../interface/peer-event.ts";
import { PAUSED_ON_REQUEST, PauseGate } from "./pause-gate.ts";

const going = new AbortController().signal;
const told: PeerEvent[] = [];
const gate = new PauseGate({ emit: (event) => void told.push(event) });

test("an open gate lets work pass and says nothing", async () => {
  await gate.pass(going);
  gate.open();
  expect(told).toEqual([]);
});

test("a closed one holds it until it is opened, and tells when the work stands still and when it goes on", async () => {
  gate.close();
  gate.close();
  expect(told).toEqual([]);
  const passing = gate.pass(going);
  expect(told).toEqual([{ type: "paused", reason: PAUSED_ON_REQUEST }]);
  // Closed again before the work has seen that it was open: it stands still as before.
  gate.open();
  gate.close();
  await Promise.resolve();
  expect(told).toHaveLength(1);
  gate.open();
  await passing;
  expect(told.slice(1)).toEqual([{ type: "resumed" }]);
});

test("work that is stopped does not wait", async () => {
  gate.close();
  const stopping = new AbortController();
  const passing = gate.pass(stopping.signal);
  stopping.abort(new Error("stopped"));
  await expect(passing).rejects.toThrow("stopped");
  await expect(gate.pass(stopping.signal)).rejects.toThrow("stopped");
});
