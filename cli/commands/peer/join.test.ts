/** Links that are not what they seem: one clear line, exit code 2, nothing written, and not a word of the link. */
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bech32m } from "@scure/base";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { encodeCanonical } from "../../../protocol/canonical-message.ts";
import { createInvite, type InviteTerms, inviteText } from "../../../protocol/membership/invite.ts";
import { InviteStringSchema } from "../../../protocol/membership/membership_pb.ts";
import { parseNetworkId } from "../../../protocol/network-id.ts";
import { ALICE, BOB } from "../../../protocol/vectors/example-network.ts";
import { weft } from "../../command.suite.ts";

const SECRET = Uint8Array.from({ length: 16 }, (_, i) => 200 + i);
const LATER = Math.floor(Date.now() / 1000) + 86_400;
const terms = (more: Partial<InviteTerms & { addresses: readonly string[] }> = {}) => ({
  ...{ networkId: parseNetworkId("ab".repeat(32)), role: "trainer" as const, uses: 1, notAfter: LATER },
  ...{ secret: SECRET, addresses: [`/ip4/127.0.0.1/tcp/1/p2p/${ALICE.peer}`] },
  ...more,
});
const link = inviteText(createInvite(terms(), ALICE));

/** A link with a right checksum over fields that no invite of weft's has. */
function forged(change: (fields: Record<string, unknown>) => Record<string, unknown>): string {
  const { words } = bech32m.decode(link as `weft1${string}`, 4096);
  const [ticket, address] = [createInvite(terms(), ALICE).ticket, "/ip4/127.0.0.1/tcp/1"];
  const fields = { secret: SECRET, networkId: new Uint8Array(32).fill(0xab), role: 1, uses: 1, notAfter: LATER };
  const known = { ...fields, issuer: ALICE.publicKey, signature: ticket.bytes.slice(-64), address: [address] };
  const bytes = encodeCanonical(InviteStringSchema, change(known) as never);
  return bech32m.encode("weft", bech32m.toWords(bytes), 100_000 + words.length);
}

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "weft-join-"));
});
afterEach(() => rm(folder, { recursive: true }));

const flip = (text: string, at: number): string =>
  text.slice(0, at) + (text[at] === "q" ? "p" : "q") + text.slice(at + 1);
const links: readonly (readonly [string, string])[] = [
  ["nothing", " "],
  ["another word", "hello"],
  ["a link cut short", link.slice(0, -20)],
  ["a link with a mistyped character", flip(link, 60)],
  ["a link in two cases", link.slice(0, 30) + link.slice(30).toUpperCase()],
  ["a link of another program", bech32m.encode("bc", bech32m.toWords(SECRET))],
  ["a link twice", link + link],
  ["a link with a direction mark in it", `${link.slice(0, 20)}\u202e${link.slice(20)}`],
  ["a link with a command to the terminal", `\u001b[2J${link}`],
  ["a link of a hundred thousand characters", `weft1${"q".repeat(100_000)}`],
  [
    "a link with hundreds of addresses",
    forged((one) => ({ ...one, address: Array(300).fill("/ip4/192.0.2.1/tcp/1") })),
  ],
  [
    "a link with five addresses",
    forged((one) => ({ ...one, address: [1, 2, 3, 4, 5].map((n) => `/ip4/192.0.2.${n}/tcp/1`) })),
  ],
  [
    "a link with an address that ends in no peer",
    forged((one) => ({ ...one, address: ["/ip4/192.0.2.1/tcp/1/p2p/nobody"] })),
  ],
  ["a link with a control character in an address", forged((one) => ({ ...one, address: ["/dns4/a\u001b[2J/tcp/1"] }))],
  ["a link whose admin did not sign its terms", forged((one) => ({ ...one, uses: 1000 }))],
  ["a link by another key than it says", forged((one) => ({ ...one, issuer: BOB.publicKey }))],
  [
    "a link for another network, with this one's signature",
    forged((one) => ({ ...one, networkId: new Uint8Array(32).fill(1) })),
  ],
  ["a link with another secret", forged((one) => ({ ...one, secret: new Uint8Array(16) }))],
  ["a link with a short secret", forged((one) => ({ ...one, secret: new Uint8Array(1) }))],
  ["a link for a role that is not known", forged((one) => ({ ...one, role: 77 }))],
  ["a link that is over", inviteText(createInvite(terms({ notAfter: 1_700_000_000 }), ALICE))],
  ["a list", '[{"__proto__": {"invite": 1}}]'],
];

describe("a link that is no invite", () => {
  it.each(links)("%s is refused in a line", async (what, text) => {
    const data = join(folder, "data");
    const file = join(folder, "invite.txt");
    await writeFile(file, text);
    for (const given of [["--invite-file", file], [text]]) {
      const { code, out, err } = await weft(["join", ...given, "--data-dir", data, "--join-only"]);
      // What a network refuses, or would, has an exit code of its own.
      expect([code, out]).toEqual([what === "a link that is over" ? 4 : 2, ""]);
      const lines = err
        .trimEnd()
        .split("\n")
        .filter((line) => !line.startsWith("files of this peer"));
      expect(lines, err).toHaveLength(1);
      expect(lines[0]).toMatch(/^weft: /);
      expect(lines[0]!.length).toBeLessThan(300);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not come through.
      expect(lines[0]).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
      for (let at = 5; at + 12 <= Math.min(text.length, 600); at += 12) {
        if (text.length > 60) expect(err).not.toContain(text.slice(at, at + 12));
      }
      expect(existsSync(data)).toBe(false);
    }
  });
});
