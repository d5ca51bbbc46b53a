/**
 * Files of a data directory, changed at random: whatever stands in them, commands end with a line and never as a bug of weft's.
 * WEFT_FUZZ_SECONDS=60 goes on for so long with each.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { examplePeer, tellExample } from "../node/admin/example-peer.suite.ts";
import { mutate, type Random, randomOf } from "../node/bench/guided/mutate.ts";
import { networkText } from "../node/peer/network-file.ts";
import { EGRESS_START, formatRecord } from "../node/privacy/egress-record.ts";
import { EXAMPLE_GENESIS } from "../protocol/vectors/example-roster.ts";
import { weft } from "./command.suite.ts";

const folder = mkdtempSync(join(tmpdir(), "weft-foreign-"));
afterAll(() => rmSync(folder, { recursive: true }));

const VALUES = [
  '""',
  '"a"',
  "null",
  "true",
  "-1",
  "1e308",
  "0.5",
  "[]",
  "{}",
  '[1,"a"]',
  '{"a":{}}',
  '"\\u0000"',
  "2147483648",
];
const CONFIG = [
  'log-level = "info"',
  'bootstrap = ["/ip4/127.0.0.1/tcp/1/p2p/12D3KooWJ5S8jFTxnXvDwR96GWP7jWiianGGTe2k26zVC7nDtxWL"]',
  'data = "a.jsonl"',
  "threads = 2",
].join("\n");
const RECORDS = { protocol: "/weft/heads/1", to: ["all"], bytes: 100, content: "ab".repeat(32), epsilon: null };
const LEDGER = [0, 1, 2].reduce(
  ({ head, text }, second) => {
    const record = { kind: "announcement" as const, ...RECORDS };
    const next = formatRecord(record as never, { at: `2026-01-01T00:00:0${second}.000Z`, head });
    return { head: next.head, text: text + next.line };
  },
  { head: EGRESS_START, text: "" },
).text;

/** A value of the text replaced by another one, or bytes changed. */
function changed(seed: string, random: Random): Uint8Array {
  const bytes = new TextEncoder().encode(seed);
  if (random(10) < 3) return mutate(bytes, bytes, random, 8_192);
  const places = [...seed.matchAll(/"[^"]*"|-?\d[\d.e+]*|true|false|null|\[[^[\]{}]*\]|\{[^{}]*\}/g)];
  const place = places[random(Math.max(1, places.length))];
  const value = VALUES[random(VALUES.length)] ?? "";
  if (place === undefined) return bytes;
  return new TextEncoder().encode(seed.slice(0, place.index) + value + seed.slice(place.index + place[0].length));
}

const MS = process.env.WEFT_FUZZ_SECONDS === undefined ? 150 : 1_000 * Number(process.env.WEFT_FUZZ_SECONDS);
const PEER = examplePeer();
tellExample(PEER);
const { manifest, view } = PEER.status() ?? expect.unreachable();
const STATUS = JSON.stringify({
  ...{ schema: "weft-status/1", network: "ab".repeat(32), rounds: manifest.rounds.count, process: 1, ended: true },
  ...{ updatedAt: "2026-01-01T00:00:00.000Z", view },
});

it.each([
  ["status.json", STATUS, ["status"]],
  ["status.json", STATUS, ["status", "--json"]],
  ["config.toml", CONFIG, ["config", "show"]],
  [
    "config.json",
    '{"log-level":"info","bootstrap":["/ip4/127.0.0.1/tcp/1/p2p/12D3KooWJ5S8jFTxnXvDwR96GWP7jWiianGGTe2k26zVC7nDtxWL"],"threads":2}',
    ["config", "show"],
  ],
  ["network.json", networkText(EXAMPLE_GENESIS), ["network", "show", "network.json"]],
  ["admin.json", '{"schema":"weft-admin/1","address":{"kind":"socket","path":"/nowhere"},"process":1}', ["status"]],
  ["egress.jsonl", LEDGER, ["egress", "verify"]],
  ["egress.jsonl", LEDGER, ["egress", "export"]],
] as const)(
  "%s, changed, ends no command otherwise than with a line (%#)",
  { timeout: 20_000 + 3 * MS },
  async (name, seed, words) => {
    const data = mkdtempSync(join(folder, "data-"));
    const random = randomOf(7);
    const codes = new Set<number>();
    let count = 0;
    for (const end = performance.now() + MS; performance.now() < end || count < 8; count++) {
      const bytes = count === 0 ? new TextEncoder().encode(seed) : changed(seed, random);
      writeFileSync(join(data, name), bytes);
      const began = performance.now();
      const place = words.at(-1) === name ? [join(data, name)] : ["--data-dir", data];
      const { code, err } = await weft([...words.filter((word) => word !== name), ...place]);
      // What nobody has changed is read.
      if (count === 0 && name !== "admin.json") expect(code, err).toBe(0);
      const input = new TextDecoder().decode(bytes).slice(0, 2_000);
      expect(code, `${err}\n${input}`).not.toBe(1);
      expect(performance.now() - began, input).toBeLessThan(5_000);
      codes.add(code);
    }
    if (process.env.WEFT_FUZZ_SECONDS !== undefined)
      console.log(`${name} ${words.join(" ")}: ${count} inputs, codes ${[...codes]}`);
  },
);
