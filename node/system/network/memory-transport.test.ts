import { describe, expect, it } from "vitest";
import { announcementTopic } from "../../../protocol/gossip-topics.ts";
import { parseNetworkId } from "../../../protocol/network-id.ts";
import { peerIdFromPublicKey } from "../../../protocol/peer-id.ts";
import { createMemoryHub } from "./memory-transport.ts";
import { SUITE_LIMITS, silentLogger, transportSuite, until } from "./transport.suite.ts";

const peer = (index: number) => peerIdFromPublicKey(new Uint8Array(32).fill(index));

transportSuite("memory", () => {
  const hub = createMemoryHub();
  let count = 0;
  return { create: async (dependencies) => hub.create(dependencies, { peer: peer(++count), ...SUITE_LIMITS }) };
});

describe("the memory hub", () => {
  it("cuts a link and keeps it cut until it is mended", async () => {
    const hub = createMemoryHub();
    const [a, b] = [1, 2].map((i) => hub.create({ logger: silentLogger }, { peer: peer(i), ...SUITE_LIMITS })) as [
      ReturnType<typeof hub.create>,
      ReturnType<typeof hub.create>,
    ];
    await a.start();
    await b.start();
    const signal = new AbortController().signal;
    await a.dial(b.addresses()[0]!, signal);
    hub.cut(b.peer, a.peer);
    expect([...a.connected(), ...b.connected()]).toEqual([]);
    await expect(b.dial(a.addresses()[0]!, signal)).rejects.toMatchObject({ code: "DIAL_FAILED" });
    hub.mend(a.peer, b.peer);
    await b.dial(a.addresses()[0]!, signal);
    expect(a.connected()).toEqual([b.peer]);
  });

  it("lets a peer come back under its address, and refuses it twice at once", async () => {
    const hub = createMemoryHub();
    const first = hub.create({ logger: silentLogger }, { peer: peer(1), ...SUITE_LIMITS });
    await first.start();
    expect(() => hub.create({ logger: silentLogger }, { peer: peer(1), ...SUITE_LIMITS })).toThrow(RangeError);
    const address = first.addresses()[0];
    await first.stop();
    const second = hub.create({ logger: silentLogger }, { peer: peer(1), ...SUITE_LIMITS });
    await second.start();
    expect(second.addresses()).toEqual([address]);
  });

  it("runs everything through its schedule, in order", async () => {
    const topic = announcementTopic(parseNetworkId("5".repeat(64)));
    const tasks: (() => void)[] = [];
    const hub = createMemoryHub({ schedule: (task) => tasks.push(task) });
    const [a, b] = [1, 2].map((i) => hub.create({ logger: silentLogger }, { peer: peer(i), ...SUITE_LIMITS }));
    await a!.start();
    await b!.start();
    const heard: number[] = [];
    b!.subscribe(topic, {
      validate: ([byte]) => ({ verdict: "accept", message: byte! }),
      deliver: (byte) => heard.push(byte),
    });
    await a!.dial(b!.addresses()[0]!, new AbortController().signal);
    for (const byte of [1, 2, 3]) await a!.publish(topic, Uint8Array.of(byte));
    expect(heard).toEqual([]);
    for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) task();
    await until(() => heard.length === 3);
    expect(heard).toEqual([1, 2, 3]);
  });
});
