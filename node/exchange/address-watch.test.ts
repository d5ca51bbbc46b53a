/** The rules by which an address is told no longer; neighbours answer as each test says. */
import { describe, expect, test } from "vitest";
import { type PeerId, peerIdFromPublicKey } from "../../protocol/peer-id.ts";
import type { AddressEvent } from "../interface/company-event.ts";
import { silentLogger } from "../system/network/transport.suite.ts";
import { createVirtualClock } from "../system/platform/virtual-clock.ts";
import { ADDRESS_WATCH_DEFAULTS, AddressWatch } from "./address-watch.ts";

const PEERS = Array.from({ length: 12 }, (_, n) => peerIdFromPublicKey(new Uint8Array(32).fill(n + 1)));
const [GOOD, BAD] = ["/ip4/203.0.113.7/tcp/9000/p2p/me", "/ip4/203.0.113.7/tcp/9001/ws/p2p/me"] as const;

interface World {
  readonly neighbours?: readonly PeerId[];
  readonly addresses?: readonly string[];
  readonly isAnnounced?: boolean;
  readonly mayJudge?: (peer: PeerId, address: string) => boolean;
  readonly originOf?: (peer: PeerId) => string;
  /** Throws where it gives no answer. */
  readonly gets?: (peer: PeerId, address: string) => boolean;
}

/** A peer that is watched; the world may be changed while it runs. */
function watched(first: World) {
  let world: World = first;
  const clock = createVirtualClock();
  const events: AddressEvent[] = [];
  const asked: (readonly [PeerId, readonly string[]])[] = [];
  const untold = new Set<string>();
  const watch = new AddressWatch({
    ...{ clock, logger: silentLogger, onEvent: (event: AddressEvent) => events.push(event) },
    neighbours: () => world.neighbours ?? [],
    transport: {
      originOf: (peer) => world.originOf?.(peer) ?? peer,
      told: {
        all: () =>
          (world.addresses ?? [GOOD, BAD]).map((address) => ({ address, isAnnounced: world.isAnnounced === true })),
        tell: (address, isTold) => void (isTold ? untold.delete(address) : untold.add(address)),
        mayJudge: async (peer, address) => world.mayJudge?.(peer, address) ?? true,
      },
    },
    ask: async (peer, addresses) => {
      asked.push([peer, addresses]);
      return addresses.map((address) => world.gets?.(peer, address) ?? address === GOOD);
    },
  });
  watch.meet();
  return {
    ...{ watch, clock, events, asked, untold },
    become: (next: World) => void (world = { ...world, ...next }),
    /** Let so many looks happen, the first of them included. */
    look: async (count: number) => {
      for (let n = 0; n < count; n++) {
        clock.advance(ADDRESS_WATCH_DEFAULTS.pauseMs);
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}

describe("an address at which nobody gets through", () => {
  test("is told no longer after the second look, and again when somebody gets through; a good one stays", async () => {
    const { look, events, untold, become } = watched({ neighbours: PEERS.slice(0, 3) });
    await look(1);
    expect(events).toEqual([]);
    await look(1);
    expect(events).toEqual([{ type: "address", address: BAD, isReached: false, isTold: false, asked: 3 }]);
    expect([...untold]).toEqual([BAD]);
    await look(30);
    expect(events).toHaveLength(1);
    become({ gets: () => true });
    await look(21);
    expect(events.slice(1)).toEqual([{ type: "address", address: BAD, isReached: true, isTold: true, asked: 0 }]);
    expect([...untold]).toEqual([]);
  });

  test("stays told where a person has it announced, and that is said once", async () => {
    const { look, events, untold } = watched({ neighbours: PEERS.slice(0, 1), addresses: [BAD], isAnnounced: true });
    await look(40);
    expect(events).toEqual([{ type: "address", address: BAD, isReached: false, isTold: true, asked: 1 }]);
    expect([...untold]).toEqual([]);
  });

  test.each<readonly [string, World]>([
    ["nobody could get through that says it does not", { mayJudge: () => false }],
    [
      "one of those that could has not been asked yet",
      { originOf: (peer) => peer, mayJudge: (peer) => peer === PEERS[11] },
    ],
    ["one of those that could gives no answer", { gets: (peer) => peer !== PEERS[3] && raise() }],
    ["there is no neighbour", { neighbours: [] }],
  ])("stays told while %s", async (_title, world) => {
    const { look, events, untold } = watched({ neighbours: PEERS, addresses: [BAD], ...world });
    await look(2);
    expect([events, [...untold]]).toEqual([[], []]);
  });
});

describe("neighbours that say what is not so", () => {
  test("do not take an address away while an honest one gets through", async () => {
    const { look, events } = watched({
      neighbours: PEERS.slice(0, 8),
      addresses: [GOOD],
      gets: (peer) => peer === PEERS[7],
    });
    await look(100);
    expect(events).toEqual([]);
  });

  test("count once where they come from one address", async () => {
    const { look, events } = watched({
      neighbours: PEERS,
      addresses: [GOOD],
      // Eleven keys at one address; the twelfth peer is asked in the third look.
      originOf: (peer) => (peer === PEERS[11] ? "far" : "near"),
      gets: (peer) => peer === PEERS[11],
    });
    await look(3);
    expect(events).toEqual([]);
  });
});

describe("neighbours are asked", () => {
  test("four at a time about two addresses, each in turn, and no more once all is known", async () => {
    const addresses = [GOOD, BAD, `${GOOD}/3`, `${GOOD}/4`];
    const { look, asked } = watched({ neighbours: PEERS, addresses, gets: () => true });
    await look(3);
    expect(asked.map(([peer]) => peer)).toEqual(PEERS.slice(0, 8));
    expect(asked[0]?.[1]).toEqual(addresses.slice(0, 2));
    expect(asked[4]?.[1]).toEqual(addresses.slice(2));
    await look(17);
    expect(asked).toHaveLength(8);
    await look(2);
    expect(asked).toHaveLength(16);
  });

  test("not at all by a peer without public addresses, nor after its end", async () => {
    const without = watched({ neighbours: PEERS, addresses: [] });
    expect(without.clock.waiting()).toBe(0);
    const { watch, look, asked } = watched({ neighbours: PEERS });
    await watch.stop();
    await look(3);
    expect(asked).toEqual([]);
  });
});

function raise(): never {
  throw new Error("it is gone");
}
