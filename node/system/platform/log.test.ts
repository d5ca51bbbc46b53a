import { expect, test } from "vitest";
import { createLogger } from "./log.ts";

test("a line is JSON with level, fixed text and fields; lower levels are left out", () => {
  const lines: string[] = [];
  const log = createLogger({ level: "info", fields: { self: "a" }, write: (line) => lines.push(line) });
  log.debug("hidden", { round: 1 });
  log.info("update accepted", { peer: "b", round: 2 });
  log.warn("late");
  log.error("failed", { code: "X" });
  const read = lines.map((line) => JSON.parse(line));
  expect(read).toMatchObject([
    { level: "info", self: "a", peer: "b", text: "update accepted", round: 2 },
    { level: "warn", text: "late" },
    { level: "error", text: "failed", code: "X" },
  ]);
  expect(lines.every((line) => line.endsWith("\n"))).toBe(true);
});

test("what others wrote into a line is written out where it is hidden, and means the same", () => {
  const lines: string[] = [];
  const log = createLogger({ level: "info", write: (line) => lines.push(line) });
  const evil = "a\u001b[2J\u009b31m\u202eb\u2066c\u0007\u200f";
  log.warn("peer refused", { reason: evil, error: new Error(evil) });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these must not be there
  expect(lines[0]).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/);
  expect(JSON.parse(lines[0]!)).toMatchObject({ reason: evil });
});
