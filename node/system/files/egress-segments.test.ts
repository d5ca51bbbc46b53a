/** The egress ledger in segments: bounded, one chain, whole again after any stop. */
import { copyFile, cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { EgressKind, EgressLedger } from "../../interface/egress.ts";
import { checkedRecords, summarizeEgress } from "../../privacy/egress-summary.ts";
import { createVirtualClock } from "../platform/virtual-clock.ts";
import { egressLines, openEgressFile } from "./egress-file.ts";
import { sealedFolder, sealedSegments } from "./egress-segments.ts";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "weft-segments-"));
  path = join(folder, "egress.jsonl");
});
afterEach(() => rm(folder, { recursive: true }));

const none = (): void => undefined;
const logger = { debug: none, info: none, warn: none, error: none };
const SMALL = { segmentBytes: 2_000, totalBytes: 10_000 };
const open = (bounds = SMALL) => openEgressFile({ clock: createVirtualClock(0), logger }, { path, ...bounds });
let count = 0;
const append = (ledger: EgressLedger, kind: EgressKind = "update"): Promise<void> =>
  ledger.append({
    ...{ kind, protocol: "/weft/blob/1", to: ["b"], bytes: 1, epsilon: ++count },
    content: String(count).padStart(64, "0"),
  });
async function appendMany(times: number, bounds = SMALL): Promise<void> {
  const ledger = await open(bounds);
  for (let n = 0; n < times; n++) await append(ledger, n % 2 === 0 ? "update" : "request");
  await ledger.close();
}
const summary = (at = path) => summarizeEgress(checkedRecords(egressLines(at)));
async function bytesOf(): Promise<number> {
  const sealed = await sealedSegments(path);
  return sealed.reduce((sum, { bytes }) => sum + bytes, (await stat(path)).size);
}

describe("segments of the egress ledger", () => {
  test("are one chain, and each is of the size that is stated", async () => {
    await appendMany(20, { ...SMALL, totalBytes: 1e9 });
    await appendMany(3, { ...SMALL, totalBytes: 1e9 });
    const sealed = await sealedSegments(path);
    expect(sealed.length).toBeGreaterThan(2);
    for (const { bytes } of sealed) expect(bytes).toBeLessThanOrEqual(SMALL.segmentBytes);
    expect(await summary()).toMatchObject({ messages: 23, forgotten: 0 });
    expect((await stat(sealedFolder(path))).mode & 0o777).toBe(0o700);
    expect((await stat(sealed[0]!.path)).mode & 0o777).toBe(0o600);
  });

  test("are never more than the bound: the oldest go, their sums stay, and the chain holds up to its head", async () => {
    await appendMany(100);
    expect(await bytesOf()).toBeLessThanOrEqual(SMALL.totalBytes);
    const first = await summary();
    expect(first).toMatchObject({ messages: 100, bytes: 100, epsilon: count });
    expect(first.forgotten).toBeGreaterThan(50);
    expect(first.kinds).toMatchObject({ update: { messages: 50 }, request: { messages: 50 } });
    // Again, by a later life.
    await appendMany(100);
    expect(await bytesOf()).toBeLessThanOrEqual(SMALL.totalBytes);
    const second = await summary();
    expect(second).toMatchObject({ messages: 200, bytes: 200 });
    expect(second.forgotten).toBeGreaterThan(first.forgotten);
  });

  test("that somebody takes away are missed", async () => {
    await appendMany(60);
    const sealed = await sealedSegments(path);
    await rm(sealed[0]!.path);
    await expect(summary()).rejects.toMatchObject({ code: "EGRESS_LEDGER", facts: { record: 0 } });
    await rm(sealedFolder(path), { recursive: true });
    await expect(summary()).rejects.toMatchObject({ code: "EGRESS_LEDGER" });
  });

  test("that a crash leaves half sealed or half forgotten go on as one chain with the same sums", async () => {
    await appendMany(40);
    const before = await summary();
    // Sealed, and the next one is not begun yet.
    const { end } = (await sealedSegments(path)).at(-1)!;
    const written = (await readFile(path, "utf8")).trim().split("\n").length;
    await copyFile(path, join(sealedFolder(path), `${String(end + written).padStart(16, "0")}.jsonl`));
    await rm(path);
    expect(await summary()).toEqual(before);
    await appendMany(1);
    expect(await summary()).toMatchObject({ messages: 41 });
    // Forgotten on record, and still there.
    const copy = join(folder, "copy");
    let messages = 41;
    for (let isGone = false; !isGone; messages++) {
      await rm(copy, { recursive: true, force: true });
      await cp(sealedFolder(path), copy, { recursive: true });
      await appendMany(1);
      for (const name of await readdir(copy)) {
        if ((await readdir(sealedFolder(path))).includes(name)) continue;
        isGone = true;
        await copyFile(join(copy, name), join(sealedFolder(path), name));
      }
    }
    expect(await summary()).toMatchObject({ messages });
    await appendMany(20);
    expect(await summary()).toMatchObject({ messages: messages + 20 });
    expect(await bytesOf()).toBeLessThanOrEqual(SMALL.totalBytes);
  });

  test("take in a ledger of an earlier version that is larger than the bound", async () => {
    await appendMany(100, { segmentBytes: 1e9, totalBytes: 1e10 });
    expect(await sealedSegments(path)).toEqual([]);
    await appendMany(1);
    expect(await summary()).toMatchObject({ messages: 101, forgotten: 100 });
    expect(await bytesOf()).toBeLessThanOrEqual(SMALL.totalBytes);
  });

  test("are read while they are written and sealed", async () => {
    const ledger = await open();
    const read: number[] = [];
    for (let n = 0; n < 8; n++) await append(ledger);
    for await (const { number } of checkedRecords(egressLines(path))) {
      read.push(number);
      await append(ledger);
      if (read.length > 30) break;
    }
    expect(read).toEqual(read.map((_, n) => n));
    await ledger.close();
  });

  test("are not gone on from where the newest one is something else", async () => {
    await appendMany(20);
    await writeFile((await sealedSegments(path)).at(-1)!.path, "a diary\n".repeat(40_000));
    await rm(path);
    await expect(open()).rejects.toMatchObject({ code: "EGRESS_LEDGER" });
  });
});
