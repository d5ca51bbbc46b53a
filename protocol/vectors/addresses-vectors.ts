/** Golden vectors of Addresses messages (README.md 7.7 to 7.9). */
import { bytesToHex, concatBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import { encodeAddresses } from "../addresses.ts";
import { encodeCanonical } from "../canonical-message.ts";
import type { ProtocolErrorCode } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { AddressesSchema } from "../wire_pb.ts";
import { ALICE, BOB } from "./example-network.ts";

/** A message in hex, and the addresses in it or the code of its refusal. */
export interface AddressesVector {
  readonly name: string;
  /** The message, hexadecimal. */
  readonly bytes: string;
  /** The addresses that a receiver takes from it, or the code with which it refuses the message. */
  readonly expected: { readonly value: readonly string[] } | { readonly code: ProtocolErrorCode };
}

/** All vectors of Addresses messages. */
export function addressesVectors(): readonly AddressesVector[] {
  const alice = `/ip4/127.0.0.1/tcp/4001/p2p/${ALICE.peer}`;
  const bob = `/dns4/bob.example/tcp/4001/p2p/${BOB.peer}`;
  const port = (number: number) => `/ip4/192.0.2.7/tcp/${number}/p2p/${ALICE.peer}`;
  const raw = (address: readonly string[]) => encodeCanonical(AddressesSchema, { address: [...address] });
  const taken = (name: string, bytes: Uint8Array, value: readonly string[]): AddressesVector => ({
    name,
    bytes: bytesToHex(bytes),
    expected: { value },
  });
  const refused = (name: string, bytes: Uint8Array, code: ProtocolErrorCode): AddressesVector => ({
    name,
    bytes: bytesToHex(bytes),
    expected: { code },
  });
  /** Passed over, with an address before and after it that are taken. */
  const passedOver = (name: string, entry: string) => taken(name, raw([alice, entry, bob]), [alice, bob]);
  return [
    taken("none", encodeAddresses([]), []),
    taken("two peers", encodeAddresses([alice, bob]), [alice, bob]),
    taken("IPv6, QUIC", raw([`/ip6/::1/udp/4001/quic-v1/p2p/${BOB.peer}`]), [
      `/ip6/::1/udp/4001/quic-v1/p2p/${BOB.peer}`,
    ]),
    taken("four of one peer", raw([1, 2, 3, 4].map(port)), [1, 2, 3, 4].map(port)),
    taken("the fifth of one peer", raw([...[1, 2, 3, 4, 5].map(port), bob]), [...[1, 2, 3, 4].map(port), bob]),
    taken("one twice", raw([alice, bob, alice]), [alice, bob]),
    passedOver("an empty entry", ""),
    passedOver("no peer id", "/ip4/127.0.0.1/tcp/4001"),
    passedOver("a peer id that does not parse", "/ip4/127.0.0.1/tcp/4001/p2p/12D3KooW"),
    passedOver(
      "a peer id of another key type",
      "/ip4/192.0.2.7/tcp/1/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N",
    ),
    passedOver("only a peer id", `/p2p/${BOB.peer}`),
    passedOver("a slash at the end", `${bob}/`),
    passedOver("no slash at the beginning", bob.slice(1)),
    passedOver("an empty part", `/ip4//tcp/1/p2p/${BOB.peer}`),
    passedOver("a space", `/dns4/bob example/tcp/1/p2p/${BOB.peer}`),
    passedOver("a line break", `${bob}\n`),
    passedOver("letters outside of ASCII", `/dns4/böb.example/tcp/1/p2p/${BOB.peer}`),
    passedOver("one byte too long", `/dns4/${"b".repeat(LIMITS.addressBytesMax + 1 - 63)}/p2p/${BOB.peer}`),
    refused("more than 128 entries", raw(Array.from({ length: 129 }, () => "")), "TOO_LARGE"),
    refused("unknown field", concatBytes(raw([alice]), Uint8Array.of(0x78, 0)), "NOT_CANONICAL"),
    refused("truncated", raw([alice]).subarray(0, 20), "MALFORMED"),
    refused("a number for a text", Uint8Array.of(0x08, 1), "MALFORMED"),
    refused("not UTF-8", concatBytes(Uint8Array.of(0x0a, 3), utf8ToBytes("/"), Uint8Array.of(0xff, 0xfe)), "MALFORMED"),
  ];
}
