import { expect, it } from "vitest";
import { outwardReach, reachOf } from "./reach-options.ts";

const LISTENING = { port: 9000, announce: ["/dns4/peer.example/tcp/9000"], relay: true, netRestrict: ["10.0.0.0/8"] };

it("listens on nothing while it asks to be admitted, whatever it is to listen on when it runs", () => {
  const found = { network: "n", ranges: ["10.0.0.0/8"] };
  expect(outwardReach(LISTENING, "n")).toEqual({ ...found, throughRelays: true });
  expect(reachOf(LISTENING, "n")).toEqual({
    listen: ["/ip4/0.0.0.0/tcp/9000", "/ip6/::/tcp/9000"],
    reach: { ...found, announce: LISTENING.announce, relay: true },
  });
});

it("refuses to run with an address where it is to dial outwards only", () => {
  for (const flags of [{ port: 9000 }, { relay: true }, { listen: ["/ip4/127.0.0.1/tcp/0"] }]) {
    const refused = expect.objectContaining({ code: "CONFIG_INVALID" });
    expect(() => reachOf({ ...flags, outboundOnly: true }, "n")).toThrow(refused);
  }
  expect(reachOf({ outboundOnly: true }, "n")).toEqual({ listen: [], reach: { network: "n", throughRelays: true } });
});
