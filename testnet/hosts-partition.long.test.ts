/** A consortium on several hosts, one of which is cut off for a minute while both sides change the roster. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Consortium, createConsortium, type Running } from "./consortium.suite.ts";
import { createHosts, type HostName, type Hosts, whyNoHosts } from "./hosts.suite.ts";

const waiting = { timeout: 240_000, interval: 100 };
const PARTITION_MS = 60_000;
const why = await whyNoHosts();
/** Who runs where: bob's site is behind the router, carol and dan share the host that is cut off. */
const HOST: Readonly<Record<string, HostName>> = {
  alice: "relay",
  frank: "relay",
  bob: "site",
  carol: "hospital",
  dan: "hospital",
};
const FOUNDERS = { alice: "admin", bob: "admin", carol: "admin", dan: "admin", eve: "trainer" } as const;

let hosts: Hosts;
let net: Consortium;

describe.skipIf(why !== undefined)(`a partition${why === undefined ? "" : ` (skipped: ${why})`}`, () => {
  beforeEach(async () => {
    hosts = await createHosts();
    net = await createConsortium({ parts: 6, on: (name) => hosts.on(HOST[name]!) });
    for (const name of [...Object.keys(FOUNDERS), "frank"]) await net.init(name);
    await net.found({
      founders: Object.entries(FOUNDERS).map(([name, role]) => `${name} ${role}`),
      signers: ["alice", "carol"],
      flags: ["--rounds", "1000000", "--threshold", "2"],
    });
  }, 120_000);
  afterEach(async () => {
    await net.stop();
    await hosts.remove();
  });

  it("of a minute heals: both sides changed the roster, all hold one, the removal wins, and all train on", async () => {
    const up: Record<string, Running> = {};
    const start = async (name: string, ...flags: readonly string[]): Promise<void> => {
      const known = up.alice === undefined ? [] : ["--bootstrap", up.alice.address()];
      up[name] = net.start(name, ...flags, ...known);
      await expect.poll(() => up[name]!.of("started").length, waiting).toBe(1);
    };
    await start("alice", "--port", "9000", "--relay");
    await start("bob", "--outbound-only");
    await start("carol", "--port", "9000");
    await start("dan", "--port", "9001");
    const both = ["alice", "bob", "carol", "dan"];
    await neighbours(up, both, 3);
    const before = await net.everybodyHolds({ members: FOUNDERS, removed: {} });
    await everybodyTakesFromEverybody(up);

    await hosts.unplug("hospital");
    const cutAtMs = Date.now();
    await neighbours(up, both, 1);
    // Both sides decide at the same time, and neither hears of the other: eve is made an admin here and removed there.
    const admission = async (): Promise<void> => {
      const invite = await net.invite("alice", [up.alice!]);
      up.frank = net.startWith("frank", ["join", invite, "--label", "frank", "--port", "9001"]);
      await net.approve("frank", "alice", "bob");
      await expect.poll(() => up.frank!.of("started").length, waiting).toBe(1);
      await net.json("alice", "members", "promote", net.idOf("eve"), "--role", "admin");
      await net.approve("eve", "bob");
    };
    const removal = async (): Promise<void> => {
      await net.json("carol", "members", "revoke", net.idOf("eve"), "--reason", "key-stolen");
      await net.approve("eve", "dan");
    };
    await Promise.all([admission(), removal()]);
    const { eve: _, ...rest } = FOUNDERS;
    const left = { members: { ...FOUNDERS, eve: "admin", frank: "trainer" }, removed: {} };
    const right = { members: rest, removed: { eve: "key-stolen" } };
    for (const name of ["alice", "bob", "frank"]) await expect.poll(() => net.held(name), waiting).toMatchObject(left);
    for (const name of ["carol", "dan"]) {
      await expect.poll(() => net.held(name), waiting).toMatchObject(right);
      expect((await net.held(name)).members).not.toHaveProperty("frank");
    }
    const sides = [await net.held("alice"), await net.held("carol")];
    await expect.poll(() => Date.now() - cutAtMs, waiting).toBeGreaterThanOrEqual(PARTITION_MS);
    await neighbours(up, ["carol", "dan"], 1);

    await hosts.plug("hospital");
    await neighbours(up, Object.keys(up), 4);
    const healed = await net.everybodyHolds({
      members: { ...rest, frank: "trainer" },
      removed: { eve: "key-stolen" },
    });
    expect([before, ...sides].map(({ digest }) => digest)).not.toContain(healed.digest);
    // The heads of both sides, which no entry follows yet.
    expect(healed.heads).toEqual(sides.flatMap(({ heads }) => heads).sort());
    for (const { name } of net.running()) {
      const { code, out } = await net.weft(name, "members", "log");
      expect(code, name).toBe(0);
      expect(out, name).toMatch(/DOES NOT COUNT: a removal on another branch overrides it/);
    }
    await everybodyTakesFromEverybody(up);
  }, 900_000);
});

async function neighbours(up: Readonly<Record<string, Running>>, names: readonly string[], count: number) {
  for (const name of names) await expect.poll(() => up[name]!.neighbours(), waiting).toBe(count);
}

/** Wait until everybody has taken another update of everybody else, of the other side too. */
async function everybodyTakesFromEverybody(up: Readonly<Record<string, Running>>): Promise<void> {
  const pairs = Object.values(up).flatMap((peer) =>
    Object.keys(up).flatMap((author) => (author === peer.name ? [] : [{ peer, author }])),
  );
  const before = pairs.map(({ peer, author }) => peer.acceptedFrom(author).length);
  const missing = () =>
    pairs
      .filter(({ peer, author }, i) => peer.acceptedFrom(author).length <= before[i]!)
      .map(({ peer, author }) => `${peer.name} takes from ${author}`);
  await expect.poll(missing, waiting).toEqual([]);
}
