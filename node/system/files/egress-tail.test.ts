import { appendFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { EGRESS_START, formatRecord } from "../../privacy/egress-record.ts";
import { egressTail } from "./egress-tail.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "weft-tail-"));
});
afterAll(() => rm(folder, { recursive: true }));

test("the newest records of a ledger, however long it is; half a line is none", async () => {
  const path = join(folder, "egress.jsonl");
  expect(await egressTail(path, 5)).toEqual([]);
  const lines: string[] = [];
  let head = EGRESS_START;
  for (let n = 0; n < 4_000; n++) {
    const message = {
      kind: "roster",
      protocol: "/weft/roster/1",
      to: ["a"],
      bytes: n,
      content: "0",
      epsilon: null,
    } as const;
    const next = formatRecord(message, { at: "2026-11-30T00:00:00.000Z", head });
    lines.push(next.line);
    head = next.head;
  }
  await writeFile(path, lines.slice(0, 3).join(""));
  expect((await egressTail(path, 5)).map(({ number }) => number)).toEqual([0, 1, 2]);
  await writeFile(path, lines.join(""));
  await appendFile(path, '{"number":4000,');
  expect((await egressTail(path, 3)).map(({ number }) => number)).toEqual([3_997, 3_998, 3_999]);
});
