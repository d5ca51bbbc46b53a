/** Arrow files with counts that their bytes do not bear out end in a line, and soon. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { NodeError } from "../errors.ts";
import { arrowRows } from "./arrow-rows.ts";

const bytes = readFileSync(join(import.meta.dirname, "cases/tables/chat-file.arrow"));

async function rowsOf(file: Uint8Array): Promise<number> {
  let count = 0;
  for await (const _ of arrowRows([file] as never, { file: "f" })) count += 1;
  return count;
}

it("a word of the file that becomes a large count is refused or changes no more than its value", async () => {
  const whole = await rowsOf(bytes);
  const refused = new Set<string>();
  for (let at = 0; at + 4 <= bytes.length; at += 4) {
    const changed = Uint8Array.from(bytes);
    new DataView(changed.buffer).setInt32(at, 0x7f_ff_ff_f0, true);
    const rows = await rowsOf(changed).catch((error: unknown) => {
      expect(error).toBeInstanceOf(NodeError);
      refused.add(String(error).replace(/\d+/gu, "N"));
      return 0;
    });
    expect([at, rows <= whole]).toEqual([at, true]);
  }
  expect([...refused].some((text) => text.includes("a list of N entries in N bytes"))).toBe(true);
}, 60_000);
