import { appendFile, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { EgressMessage } from "../../interface/egress.ts";
import type { Logger } from "../../interface/logger.ts";
import { checkedRecords, egressCsv, egressJson, summarizeEgress } from "../../privacy/egress-summary.ts";
import { createSystemClock } from "../platform/system-clock.ts";
import { egressLines, openEgressFile } from "./egress-file.ts";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "weft-egress-"));
  path = join(folder, "egress.jsonl");
});
afterEach(() => rm(folder, { recursive: true }));

const warnings: string[] = [];
const none = (): void => undefined;
const logger: Logger = { debug: none, info: none, warn: (text) => void warnings.push(text), error: none };
const open = () => openEgressFile({ clock: createSystemClock(), logger }, { path });
const message = (bytes: number, kind: EgressMessage["kind"] = "update"): EgressMessage => ({
  kind,
  protocol: "/weft/blob/1",
  to: ["b", "c"],
  bytes,
  content: "ab".repeat(32),
  epsilon: bytes / 10,
});
const summary = () => summarizeEgress(checkedRecords(egressLines(path)));
async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}
const textOf = async (parts: AsyncIterable<string>): Promise<string> => (await all(parts)).join("");

describe("the egress ledger", () => {
  test("keeps everything appended in order, also what comes at once, and goes on after a restart", async () => {
    const first = await open();
    await Promise.all([1, 2, 3].map((bytes) => first.append(message(bytes))));
    await first.append(message(4, "heads"));
    await first.close();
    await first.close();
    const second = await open();
    await second.append(message(5));
    await second.sync();
    const { messages, bytes, kinds, recipients, epsilon, head } = await summary();
    expect({ messages, bytes, recipients, epsilon }).toEqual({ messages: 5, bytes: 15, recipients: 2, epsilon: 0.5 });
    expect(kinds).toEqual({ update: { messages: 4, bytes: 11 }, heads: { messages: 1, bytes: 4 } });
    expect(head).toMatch(/^[0-9a-f]{64}$/);
    const records = await all(checkedRecords(egressLines(path)));
    expect(records.map((record) => record.bytes)).toEqual([1, 2, 3, 4, 5]);
    await second.close();
    await expect(second.append(message(1))).rejects.toMatchObject({ code: "EGRESS_LEDGER" });
  });

  test("loses only the torn record of a crash, wherever it tears, and the chain goes on", async () => {
    const whole = await open();
    await whole.append(message(1));
    const { length } = await readFile(path);
    await whole.append(message(2));
    await whole.close();
    const bytes = await readFile(path);
    for (const at of [0, 1, 30, length - 1, length, length + 1, bytes.length - 2, bytes.length - 1]) {
      await writeFile(path, bytes.subarray(0, at));
      const ledger = await open();
      await ledger.append(message(9));
      await ledger.close();
      const kept = at >= length ? 2 : 1;
      expect((await summary()).messages, `torn at ${at}`).toBe(kept);
    }
    expect(warnings).toContain("the egress ledger ended in the middle of a record, which is cut off");
  });

  test("is cut before blocks that a power cut left empty", async () => {
    const ledger = await open();
    await ledger.append(message(1));
    await ledger.close();
    await appendFile(path, new Uint8Array(4096));
    await (await open()).close();
    expect((await summary()).messages).toBe(1);
  });

  test.each([
    ["changed", (text: string) => text.replace('"bytes":2', '"bytes":3'), 1],
    ["missing", (text: string) => text.split("\n").toSpliced(1, 1).join("\n"), 1],
    ["swapped", (text: string) => [1, 0, 2, 3].map((i) => text.split("\n")[i]).join("\n"), 0],
    ["written in another way", (text: string) => text.replace('"bytes":2', '"bytes": 2'), 1],
  ])("shows that a record was %s", async (_, change, record) => {
    const ledger = await open();
    for (const bytes of [1, 2, 3]) await ledger.append(message(bytes));
    await ledger.close();
    await writeFile(path, change(await readFile(path, "utf8")));
    await expect(summary()).rejects.toMatchObject({ code: "EGRESS_LEDGER", facts: { record } });
  });

  test("is not begun in a file of something else", async () => {
    await writeFile(path, "a diary\n".repeat(10_000));
    await expect(open()).rejects.toMatchObject({ code: "EGRESS_LEDGER" });
  });

  test("is exported as CSV and JSON, and is empty where there is none", async () => {
    expect(await textOf(egressJson(checkedRecords(egressLines(path))))).toBe("[]\n");
    const ledger = await open();
    await ledger.append(message(7));
    await ledger.append({ ...message(8), epsilon: null, protocol: 'a "quoted", one' });
    await ledger.close();
    const records = JSON.parse(await textOf(egressJson(checkedRecords(egressLines(path)))));
    expect(records.map((record: EgressMessage) => [record.bytes, record.epsilon])).toEqual([
      [7, 0.7],
      [8, null],
    ]);
    const rows = (await textOf(egressCsv(checkedRecords(egressLines(path))))).split("\r\n");
    expect(rows[0]).toBe("number,at,kind,protocol,to,bytes,content,epsilon,previous,hash,repeats,messages");
    expect(rows[1]).toContain(`update,/weft/blob/1,b c,7,${"ab".repeat(32)},0.7,`);
    expect(rows[2]).toContain('"a ""quoted"", one",b c,8,');
    expect(rows.length).toBe(4);
    await truncate(path, 0);
    expect((await summary()).messages).toBe(0);
  });
});
