/** What a person hears of a peer that has nobody to talk to, and of one that finds somebody. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { WEFT, watchWeft } from "./process.suite.ts";

const TIMEOUT_MS = 180_000;
let root: string;
let network: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "weft-unreachable-"));
  network = join(root, "network.json");
  const words = ["network", "create", "--name", "far", "--rounds", "1000", "--local-steps", "3", "--out", network];
  execFileSync(process.execPath, [WEFT, ...words], { stdio: "ignore" });
}, TIMEOUT_MS);
afterAll(() => rmSync(root, { recursive: true, force: true }));

const words = (folder: string, ...more: string[]): string[] => [
  ...["run", "--data-dir", join(root, folder), "--network", network, "--listen", "/ip4/127.0.0.1/tcp/0"],
  ...more,
];

it(
  "each address that nobody is reached at is named with the reason, and neighbours that come and go",
  async () => {
    const alice = watchWeft(words("alice"));
    const [, address = ""] = await alice.said(/^dial this peer at (\S+)/m);
    const another = "12D3KooWBmAwcd4PJNJvfV89HwE48nwkRmAgo8Vy3uQEyNNHBox2";
    const nowhere = [
      "/ip4/127.0.0.1/tcp/9/p2p/12D3KooWHHzSeKaY8xuZVzkLbKFfvNgPPeKhFBGrMbNzbm5akpqu",
      address.replace(/[^/]+$/, another),
      "/dns4/nowhere.invalid/tcp/9/p2p/12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X",
    ];
    const bob = watchWeft(words("bob", ...nowhere.flatMap((one) => ["--bootstrap", one])));
    try {
      await bob.said(
        /^cannot reach \/ip4\/127\.0\.0\.1\/tcp\/9\/.*: the connection was refused, nothing listens there; trying again$/m,
      );
      await bob.said(/^cannot reach .*: another peer than the address names answers there; trying again$/m);
      await bob.said(/^cannot reach \/dns4\/nowhere\.invalid\/.*: the name does not resolve.*; trying again$/m);
      await bob.said(
        /^no neighbour since \S+; 3 known addresses are dialled again and again, weft doctor looks closer$/m,
      );
      const lines = bob.text.err.match(/^cannot reach .*$/gm) ?? [];
      expect(lines).toEqual([...new Set(lines)]);
      expect(lines.length).toBeLessThan(6);
      const written = (): string => readFileSync(join(root, "bob", "status.json"), "utf8");
      while (!/"aloneSince":"/.test(written())) await new Promise((resolve) => setTimeout(resolve, 200));
      expect(written()).toContain("nothing listens there");

      const carol = watchWeft(words("carol", "--bootstrap", address));
      await alice.said(/^found a first neighbour, …\w{6}$/m);
      await carol.said(/^found a first neighbour, …\w{6}$/m);
      carol.child.kill("SIGKILL");
      await alice.said(/^the last neighbour, …\w{6}, is gone; training goes on alone while others are looked for$/m);
    } finally {
      for (const { child } of [alice, bob]) child.kill("SIGKILL");
      await Promise.all([alice.ended, bob.ended]);
    }
  },
  TIMEOUT_MS,
);
