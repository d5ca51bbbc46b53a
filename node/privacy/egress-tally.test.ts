import { expect, test } from "vitest";
import type { EgressLedger, EgressMessage } from "../interface/egress.ts";
import { EgressTally } from "./egress-tally.ts";

const message = (kind: EgressMessage["kind"], bytes: number): EgressMessage => ({
  ...{ kind, bytes, protocol: "p", to: ["a"], content: "0", epsilon: null },
});

test("what is on record is counted by kind, and what could not be recorded is not", async () => {
  const calls: string[] = [];
  const ledger: EgressLedger = {
    append: async ({ bytes }) => {
      if (bytes > 100) throw new Error("no space");
    },
    sync: async () => void calls.push("sync"),
    close: async () => void calls.push("close"),
  };
  const tally = new EgressTally(ledger);
  expect(tally.totals()).toEqual({});
  await tally.append(message("update", 10));
  await tally.append(message("update", 20));
  await tally.append(message("roster", 1));
  await expect(tally.append(message("roster", 101))).rejects.toThrow("no space");
  expect(tally.totals()).toEqual({ update: { messages: 2, bytes: 30 }, roster: { messages: 1, bytes: 1 } });
  await tally.sync();
  await tally.close();
  expect(calls).toEqual(["sync", "close"]);
});
