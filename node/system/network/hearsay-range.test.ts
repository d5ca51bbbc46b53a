import { multiaddr } from "@multiformats/multiaddr";
import { describe, expect, it } from "vitest";
import { addressFilter } from "./address-range.ts";
import { isBelievable, isOfNetwork } from "./hearsay-range.ts";
import { originOf, PendingInbound } from "./pending-inbound.ts";

const believedBy = (address: string) => ({
  outside: isBelievable(address, ["public"]),
  inside: isBelievable(address, ["private"]),
  machine: isBelievable(address, ["machine"]),
});
const nobody = { outside: false, inside: false, machine: false };
const here = { ...nobody, machine: true };
const local = { ...here, inside: true };
const anybody = { ...local, outside: true };

describe("addresses that somebody tells of", () => {
  it.each([
    ["/ip4/192.0.2.7/tcp/4001", anybody],
    ["/ip6/2001:db8::1/udp/4001/quic-v1", anybody],
    ["/dns4/peer.example.org/tcp/443/wss", anybody],
    ["/ip4/10.1.2.3/tcp/4001", local],
    ["/ip4/169.254.169.254/tcp/80/ws", local],
    ["/ip6/fd00::1/tcp/4001", local],
    ["/ip6/fe80::1/tcp/4001", local],
    ["/ip6/fec0::1/tcp/4001", local],
    ["/ip4/224.0.0.251/udp/5353/quic-v1", local],
    ["/ip4/255.255.255.255/udp/9/quic-v1", local],
    ["/ip6/ff02::1/udp/9/quic-v1", local],
    ["/ip6/64:ff9b::10.0.0.1/tcp/80", local],
    ["/ip6/64:ff9b:1::7f00:1/tcp/80", local],
    ["/ip6/2002:7f00:1::1/tcp/80", local],
    ["/ip6/2001:0:c000:201::1/tcp/80", local],
    ["/ip6/::10.0.0.1/tcp/80", local],
    ["/ip4/127.0.0.1/tcp/80/ws", here],
    ["/ip4/0.0.0.0/tcp/80", here],
    ["/ip6/::1/tcp/80", here],
    ["/ip6/::ffff:127.0.0.1/tcp/80", here],
    ["/ip6/::ffff:10.0.0.1/tcp/80", local],
    ["/dns4/localhost/tcp/80", here],
    ["/dns/a.localhost/tcp/80", here],
    ["/unix/%2Frun%2Fdocker.sock", nobody],
    ["/dnsaddr/example.org", nobody],
    ["/ip4/192.0.2.7", nobody],
    ["/memory/7", nobody],
    ["nothing", nobody],
  ])("%s is dialled on the word of who may know", (address, expected) => {
    expect(believedBy(address)).toEqual(expected);
    // Who has no connection that shows where it is, tells of public ones only.
    expect(isBelievable(address, [])).toBe(expected.outside);
  });

  it("lead to hosts on a network, never to a socket in the file system, and no range takes one", () => {
    const socket = multiaddr("/unix/%2Frun%2Fdocker.sock");
    expect(isOfNetwork(socket)).toBe(false);
    expect(addressFilter(["10.0.0.0/8"])(socket)).toBe(false);
    for (const address of ["/ip4/10.0.0.1/tcp/1", "/dns4/a.example/tcp/1"]) {
      expect([isOfNetwork(multiaddr(address)), addressFilter(["10.0.0.0/8"])(multiaddr(address))]).toEqual([
        true,
        true,
      ]);
    }
  });
});

describe("connections that have shown no identity", () => {
  function connection(address: string) {
    const ends: (() => void)[] = [];
    const end = (): void => {
      for (const one of ends) one();
    };
    return {
      remoteAddr: multiaddr(address),
      addEventListener: (_: "close", one: () => void) => void ends.push(one),
      end,
    };
  }

  it("are so many of one address, until they end or are known", () => {
    const pending = new PendingInbound({ perAddressMax: 2 });
    const [a, b, c] = [1, 2, 3].map((port) => connection(`/ip4/192.0.2.7/tcp/${port}`)) as [
      ReturnType<typeof connection>,
      ReturnType<typeof connection>,
      ReturnType<typeof connection>,
    ];
    expect([a, b, c].map((one) => pending.begin(one))).toEqual([true, true, false]);
    expect(pending.begin(connection("/ip4/192.0.2.8/tcp/1"))).toBe(true);
    a.end();
    a.end();
    expect([pending.begin(c), pending.begin(a)]).toEqual([true, false]);
    pending.known(b);
    b.end();
    expect([pending.begin(a), pending.begin(b)]).toEqual([true, false]);
  });

  it("count an IPv6 network of 64 bits as one address", () => {
    const group = (address: string) => originOf(multiaddr(`/ip6/${address}/tcp/1`));
    expect(group("2001:db8::1")).toBe(group("2001:db8:0:0:ffff::2"));
    expect(group("2001:db8::1")).not.toBe(group("2001:db8:0:1::1"));
    expect(group("::ffff:203.0.113.7")).toBe("203.0.113.7");
  });
});
