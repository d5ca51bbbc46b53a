import { expect, it } from "vitest";
import type { PeerId } from "../../protocol/peer-id.ts";
import { signerOf } from "../exchange/exchange.suite.ts";
import { statusError } from "./status.ts";

const [peer, successor] = [signerOf(1).peer, signerOf(2).peer];
const state = (barred: readonly PeerId[], reason?: "key-stolen" | "rotated"): Parameters<typeof statusError>[2] => ({
  barred: new Set(barred),
  removed: new Map(reason && [[peer, { entry: "e" as never, reason, successor }]]),
});

it("a peer that is out is told what ended its membership: its admins only where they did", () => {
  const barred = statusError("removed", peer, state([peer])).message;
  expect(barred).toMatch(/signed with its key under one number.*stop the copies/);
  expect(barred).not.toContain("by its admins");
  const rotated = statusError("removed", peer, state([], "rotated")).message;
  expect(rotated).toContain(`replaced by another one (${successor})`);
  const removed = statusError("removed", peer, state([], "key-stolen"));
  expect(removed.message).toBe("this peer was removed from the network by its admins");
  // For good: to renew its membership is no way out.
  expect([removed, statusError("removed", peer, state([peer]))].map(({ facts }) => facts.problem)).toEqual([
    "key-barred",
    undefined,
  ]);
});
