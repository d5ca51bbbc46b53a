/** Whatever leaves a peer has a kind in its ledger. */
import { expect, test } from "vitest";
import { announcementTopic, rosterTopic } from "../../protocol/gossip-topics.ts";
import { parseNetworkId } from "../../protocol/network-id.ts";
import { streamProtocols } from "../../protocol/stream-protocols.ts";
import { EGRESS_KINDS, type EgressKind } from "../interface/egress.ts";

/** Kinds that no protocol and no topic may name: an answer of nothing, and what ledgers of earlier versions hold. */
const RESERVED: readonly EgressKind[] = ["answer", "other"];

test("each stream protocol and each topic names kinds of the ledger, for both sides", () => {
  const network = parseNetworkId("5".repeat(64));
  const sides = [
    ...streamProtocols().map(({ name, egress }) => ({ name, kinds: [egress.opened, egress.answered] })),
    ...[announcementTopic(network), rosterTopic(network)].map(({ name, egress }) => ({
      ...{ name, kinds: [egress.published, egress.relayed] },
    })),
  ];
  for (const { name, kinds } of sides) {
    for (const kind of kinds) {
      expect(EGRESS_KINDS, name).toContain(kind);
      expect(RESERVED, name).not.toContain(kind);
    }
  }
});

test("kinds are shown in one order, those of earlier ledgers among them", () => {
  const known: readonly EgressKind[] = [
    ...(["announcement", "relay", "update", "sketch", "request", "answer"] as const),
    ...(["heads", "addresses", "handshake", "checkup", "roster", "admission", "other"] as const),
  ];
  expect(EGRESS_KINDS.filter((kind) => known.includes(kind))).toEqual(known);
  expect([EGRESS_KINDS.at(-1), new Set(EGRESS_KINDS).size]).toEqual(["other", EGRESS_KINDS.length]);
});
