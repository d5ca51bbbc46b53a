import { expect, it } from "vitest";
import { peerIdFromPublicKey } from "../../protocol/peer-id.ts";
import { summaryOf } from "../admin/example-peer.suite.ts";
import type { PeerEvent } from "../interface/peer-event.ts";
import { labelledEvent } from "./labelled-event.ts";

const [BOB = "", NOBODY = ""] = [1, 2].map((byte) => peerIdFromPublicKey(new Uint8Array(32).fill(byte)));
const labelOf = (peer: string) => (peer === BOB ? "bob" : undefined);
const at = "2026-11-30T00:00:00.000Z";

/** Every event that names other peers, of one peer. */
const naming = (peer: string): readonly PeerEvent[] => [
  { type: "company", change: "found", peer, at },
  { type: "declined", peer, reason: "it has no room", times: 1 },
  { type: "unreachable", address: `/ip4/127.0.0.1/tcp/1/p2p/${peer}`, reason: "refused", failures: 1 },
  { type: "member", change: "revoked", peer, role: "trainer" },
  { type: "equivocation", peer, kind: "announcement", sequence: 1, isBarred: true },
  { type: "clock", peer, aheadSeconds: 900 },
  { type: "update", round: 0, from: peer, verdict: "accept" },
  { type: "mixed", round: 0, lambda: 0.5, neighbours: [{ peer, weight: 1, staleness: 0, distance: 0 }] },
  {
    type: "round",
    summary: summaryOf(0),
    forgetting: { loss: 0, accuracy: 0, tasks: [] },
    scores: [{ peer, looks: 1, gain: 0 }],
  },
];

it.each(naming(BOB))("$type says what the peer calls itself, and changes nothing else", (event) => {
  const text = JSON.stringify(labelledEvent(event, labelOf));
  expect(text).toContain('"label":"bob"');
  expect(JSON.parse(text.replaceAll(/,"label":"bob"/g, ""))).toEqual(JSON.parse(JSON.stringify(event)));
});

it.each(naming(NOBODY))("$type stays as it is where nobody knows that", (event) => {
  expect(labelledEvent(event, labelOf)).toEqual(event);
});
