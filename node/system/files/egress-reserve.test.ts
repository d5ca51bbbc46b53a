/** A full disk: what was kept for it is used, nothing leaves unrecorded, and sending goes on by itself once there is space. */
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { EgressLedger } from "../../interface/egress.ts";
import { checkedRecords, summarizeEgress } from "../../privacy/egress-summary.ts";
import { createVirtualClock, type VirtualClock } from "../platform/virtual-clock.ts";
import { egressLines, openEgressFile } from "./egress-file.ts";
import { EGRESS_RESERVE_BYTES, reservePath } from "./egress-reserve.ts";

let folder: string;
let path: string;
let clock: VirtualClock;
let ledger: EgressLedger;
/** Bytes that are left on the disk beside the reserve. */
let left: number;
let said: string[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "weft-reserve-"));
  path = join(folder, "egress.jsonl");
  clock = createVirtualClock(0);
  [left, said] = [1e9, []];
  const say = (text: string): void => void said.push(text);
  const logger = { debug: () => {}, info: say, warn: say, error: say };
  ledger = await openEgressFile(
    {
      clock,
      logger,
      append: async (file, bytes) => {
        const reserved = await stat(reservePath(path)).then(
          () => 0,
          () => 3_000,
        );
        // Half of the bytes are there when the disk is full, as it happens.
        if (bytes.byteLength > left + reserved) {
          await file.appendFile(bytes.subarray(0, bytes.byteLength / 2));
          throw Object.assign(new Error("no space left on device"), { code: "ENOSPC", syscall: "write" });
        }
        await file.appendFile(bytes);
        left -= bytes.byteLength;
      },
    },
    { path },
  );
});
afterEach(async () => {
  await ledger.close();
  await rm(folder, { recursive: true });
});

let count = 0;
const append = (): Promise<void> =>
  ledger.append({
    ...{ kind: "update", protocol: "/weft/blob/1", to: ["b"], bytes: 1, epsilon: null },
    content: String(++count).padStart(64, "0"),
  });
const messages = async (): Promise<number> => (await summarizeEgress(checkedRecords(egressLines(path)))).messages;

test("is lived through in the space that was kept, then nothing is sent, then it goes on; each is said once", async () => {
  expect((await stat(reservePath(path))).size).toBe(EGRESS_RESERVE_BYTES);
  await append();
  left = 0;
  let sent = 1;
  for (let n = 0; n < 50; n++) {
    await append().then(
      () => sent++,
      (error: unknown) => expect(error).toMatchObject({ code: "DISK_FULL" }),
    );
  }
  expect(sent).toBeGreaterThan(5);
  expect(sent).toBeLessThan(20);
  expect(await messages()).toBe(sent);
  expect(said).toEqual([
    expect.stringContaining("the egress ledger goes on in space that was kept"),
    expect.stringContaining("nothing is sent until there is space"),
  ]);
  left = 1e9;
  await append();
  await append();
  expect(await messages()).toBe(sent + 2);
  expect(said.slice(2)).toEqual([expect.stringContaining("there is space on the disk again")]);
});

test("keeps the space again once there is some, for the next time", async () => {
  left = 0;
  await append();
  await expect(stat(reservePath(path))).rejects.toMatchObject({ code: "ENOENT" });
  left = 1e9;
  clock.advance(120_000);
  await append();
  await ledger.sync();
  expect((await stat(reservePath(path))).size).toBe(EGRESS_RESERVE_BYTES);
  left = 0;
  await append();
  expect(said.filter((text) => text.includes("space that was kept"))).toHaveLength(2);
});
