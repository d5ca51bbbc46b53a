/** Knocking between routers of the usual kinds, in memory: which pairs find a way, and what others can do about it. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { DatagramSocket } from "./datagram-socket.ts";
import { type Endpoint, isSame } from "./endpoint.ts";
import { Hole } from "./hole.ts";

type Kind = "full-cone" | "address-restricted" | "port-restricted" | "symmetric";

const never = new AbortController().signal;

/** Takes every datagram to the router of its destination, some milliseconds later. */
class Internet {
  readonly #routers = new Map<string, (bytes: Uint8Array, from: Endpoint, port: number) => void>();
  sent = 0;

  plug(host: string, take: (bytes: Uint8Array, from: Endpoint, port: number) => void): void {
    this.#routers.set(host, take);
  }

  carry(bytes: Uint8Array, from: Endpoint, to: Endpoint): void {
    this.sent++;
    setTimeout(() => this.#routers.get(to.host)?.(bytes, from, to.port), 20);
  }
}

/** A router with one socket behind it. */
class Router implements DatagramSocket {
  readonly port: number;
  readonly #kind: Kind;
  readonly #host: string;
  readonly #internet: Internet;
  readonly #mappings: { readonly port: number; readonly to: Endpoint }[] = [];
  readonly #wroteTo: Endpoint[] = [];
  #listener: (bytes: Uint8Array, from: Endpoint) => void = () => {};

  constructor(kind: Kind, host: string, internet: Internet) {
    this.#kind = kind;
    this.#host = host;
    this.#internet = internet;
    this.port = 40_000;
    internet.plug(host, (bytes, from, port) => {
      if (this.#letsIn(from, port)) this.#listener(bytes, from);
    });
  }

  /** As a witness sees it. */
  get seen(): Endpoint {
    return { host: this.#host, port: this.#outside({ host: "witness", port: 9000 }) };
  }

  send(bytes: Uint8Array, to: Endpoint): void {
    this.#wroteTo.push(to);
    this.#internet.carry(bytes, { host: this.#host, port: this.#outside(to) }, to);
  }

  receive(listener: (bytes: Uint8Array, from: Endpoint) => void): void {
    this.#listener = listener;
  }

  close(): void {
    this.#listener = () => {};
  }

  #outside(to: Endpoint): number {
    const known = this.#mappings.find((one) => this.#kind !== "symmetric" || isSame(one.to, to));
    if (known !== undefined) return known.port;
    this.#mappings.push({ port: this.port + this.#mappings.length, to });
    return this.port + this.#mappings.length - 1;
  }

  #letsIn(from: Endpoint, port: number): boolean {
    const mapping = this.#mappings.find((one) => one.port === port);
    if (mapping === undefined) return false;
    if (this.#kind === "full-cone") return true;
    if (this.#kind === "address-restricted") return this.#wroteTo.some(({ host }) => host === from.host);
    if (this.#kind === "port-restricted") return this.#wroteTo.some((to) => isSame(to, from));
    return isSame(mapping.to, from);
  }
}

/** What came of it: the address at which each side found the other, or nothing. */
async function met(a: Kind, b: Kind): Promise<{ found: (Endpoint | undefined)[]; internet: Internet; holes: Hole[] }> {
  const internet = new Internet();
  const routers = [new Router(a, "203.0.113.1", internet), new Router(b, "203.0.113.2", internet)] as const;
  const holes = routers.map((router) => new Hole(router)) as [Hole, Hole];
  const [seenA, seenB] = routers.map(({ seen }) => seen) as [Endpoint, Endpoint];
  const both = [
    holes[0].knock({ told: seenB, nonce: holes[1].nonce }, never),
    holes[1].knock({ told: seenA, nonce: holes[0].nonce }, never),
  ].map((one) => one.catch(() => undefined));
  await vi.advanceTimersByTimeAsync(5_000);
  return { found: await Promise.all(both), internet, holes };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("knocking", () => {
  const KINDS: readonly Kind[] = ["full-cone", "address-restricted", "port-restricted", "symmetric"];
  const pairs = KINDS.flatMap((a) => KINDS.map((b) => [a, b] as const));
  const isHopeless = (a: Kind, b: Kind): boolean =>
    [a, b].every((kind) => kind === "symmetric" || kind === "port-restricted") && [a, b].includes("symmetric");

  it.each(pairs)("finds a way between %s and %s, where there is one", async (a, b) => {
    const { found, internet } = await met(a, b);
    if (isHopeless(a, b)) expect(found).toEqual([undefined, undefined]);
    else expect(found.map((one) => one?.host)).toEqual(["203.0.113.2", "203.0.113.1"]);
    expect(internet.sent).toBeLessThanOrEqual(isHopeless(a, b) ? 60 : 10);
  });

  it("goes on in both directions with what is no knock, before the other side has said that it has heard, too", async () => {
    const { holes } = await met("port-restricted", "full-cone");
    const heard: number[] = [];
    holes[1]?.onward((bytes) => void heard.push(bytes.length));
    holes[0]?.send(new Uint8Array(1200));
    await vi.advanceTimersByTimeAsync(100);
    expect(heard).toEqual([1200]);
  });

  it("hears nobody who does not show the number, wherever from, and answers no more often than is asked", async () => {
    const internet = new Internet();
    const router = new Router("full-cone", "203.0.113.1", internet);
    const hole = new Hole(router);
    const passed: number[] = [];
    hole.onward((bytes) => void passed.push(bytes.length));
    const attacker = { host: "203.0.113.2", port: 50_000 };
    const knocking = hole.knock({ told: attacker, nonce: new Uint8Array(16) }, never).catch(() => "nobody");
    for (let n = 0; n < 200; n++) {
      internet.carry(new Uint8Array(n % 40).fill(n), attacker, router.seen);
      // The number itself, from another address than the one that was told.
      internet.carry(Uint8Array.of(...hole.nonce, 0), { host: "203.0.113.66", port: 53 }, router.seen);
    }
    const before = internet.sent;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await knocking).toBe("nobody");
    expect([passed, hole.remote, internet.sent - before]).toEqual([[], undefined, 29]);
  });

  it("answers a flood of true knocks with a few", async () => {
    const internet = new Internet();
    const router = new Router("full-cone", "203.0.113.1", internet);
    const hole = new Hole(router);
    const attacker = { host: "203.0.113.2", port: 50_000 };
    const knocking = hole.knock({ told: attacker, nonce: new Uint8Array(16) }, never).catch(() => "nobody");
    for (let n = 0; n < 200; n++) internet.carry(Uint8Array.of(...hole.nonce, 0), attacker, router.seen);
    const before = internet.sent;
    await vi.advanceTimersByTimeAsync(5_000);
    expect([await knocking, internet.sent - before]).toEqual(["nobody", 29 + 30]);
  });

  it("ends at once where it is to end", async () => {
    const hole = new Hole(new Router("full-cone", "203.0.113.1", new Internet()));
    const end = new AbortController();
    const knocking = hole.knock({ told: { host: "203.0.113.2", port: 50_000 }, nonce: new Uint8Array(16) }, end.signal);
    end.abort(new Error("the peer stops"));
    await expect(knocking).rejects.toThrow("the peer stops");
    expect(vi.getTimerCount()).toBe(1);
  });
});
