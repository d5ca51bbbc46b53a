import { afterEach, describe, expect, it } from "vitest";
import { FEATURES } from "../../protocol/features.ts";
import type { Role } from "../../protocol/membership/roles.ts";
import type { PeerId } from "../../protocol/peer-id.ts";
import { silentLogger } from "../system/network/transport.suite.ts";
import { createVirtualClock } from "../system/platform/virtual-clock.ts";
import { type Background, createBackground } from "./background.ts";
import { signerOf } from "./exchange.suite.ts";
import { EXCHANGE_DEFAULTS } from "./exchange-limits.ts";
import { NeighbourTable } from "./neighbour-table.ts";

const [SELF, A, B] = [1, 2, 3].map((seed) => signerOf(seed).peer) as [PeerId, PeerId, PeerId];
const backgrounds: Background[] = [];
afterEach(async () => {
  await Promise.all(backgrounds.splice(0).map((background) => background.stop()));
});

function table(roles?: ReadonlyMap<PeerId, Role>) {
  const [events, hungUp]: [string[], PeerId[]] = [[], []];
  const background = createBackground({ logger: silentLogger });
  backgrounds.push(background);
  const neighbours = new NeighbourTable(
    {
      transport: { peer: SELF, hangUp: async (peer) => void hungUp.push(peer) },
      ...{ clock: createVirtualClock(), logger: silentLogger, background },
      ...(roles && { membership: { roleOf: (peer) => roles.get(peer) } }),
    },
    {
      ...{ ...EXCHANGE_DEFAULTS, rejectsMax: 1, features: ["core", "checkup"] },
      isMember: (peer) => roles === undefined || roles.has(peer),
    },
  );
  neighbours.onAdmitted((peer) => events.push(`admitted ${peer === A ? "a" : "b"}`));
  neighbours.onLeft((peer) => events.push(`left ${peer === A ? "a" : "b"}`));
  return { neighbours, events, hungUp };
}

describe("the table of neighbours", () => {
  it("tells of each neighbour once, and of its leaving only when it was told of", () => {
    const { neighbours, events } = table();
    neighbours.announce(A);
    for (const peer of [B, A]) neighbours.admit(peer, FEATURES);
    expect(neighbours.all()).toEqual([A, B].sort());
    for (const peer of [A, A]) neighbours.announce(peer);
    for (const peer of [A, A, B]) neighbours.remove(peer);
    expect(events).toEqual(["admitted a", "left a"]);
    expect([...neighbours.all(), neighbours.has(A)]).toEqual([false]);
    neighbours.admit(A, FEATURES);
    neighbours.announce(A);
    neighbours.clear();
    expect(events).toEqual(["admitted a", "left a", "admitted a"]);
  });

  it("shares a feature where both sides have it, by what the other said last", () => {
    const { neighbours } = table();
    neighbours.admit(A, ["core", "sketch"]);
    const shared = () => (["core", "checkup", "sketch"] as const).filter((feature) => neighbours.shares(A, feature));
    expect(shared()).toEqual(["core"]);
    neighbours.admit(A, ["checkup", "core"]);
    expect(shared()).toEqual(["core", "checkup"]);
    neighbours.remove(A);
    expect(shared()).toEqual([]);
  });

  it("holds nobody whose membership is over, at once", () => {
    const roles = new Map<PeerId, Role>([[A, "observer"]]);
    const { neighbours } = table(roles);
    neighbours.admit(A, FEATURES);
    expect([neighbours.all(), neighbours.roleOf(A), neighbours.roleOf(B)]).toEqual([[A], "observer", undefined]);
    roles.delete(A);
    expect([neighbours.all(), neighbours.has(A), neighbours.shares(A, "core")]).toEqual([[], false, false]);
  });

  it("hangs up on who is blamed too often, and never on itself", async () => {
    const { neighbours, hungUp } = table();
    expect(neighbours.roleOf(B)).toBe("trainer");
    for (let i = 0; i < 4; i++) for (const peer of [A, SELF]) neighbours.blame(peer);
    expect([neighbours.refuses(A), neighbours.refuses(B), neighbours.refuses(SELF)]).toEqual([true, false, false]);
    expect(hungUp).toEqual([A]);
  });
});
