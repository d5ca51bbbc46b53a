import { expect, test } from "vitest";
import { createLogger, createLogs } from "./log.ts";
import { logLine } from "./log-line.ts";

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

test("a part of the peer has a level of its own, and its name on its lines", () => {
  const lines: string[] = [];
  const logs = createLogs({
    level: "warn",
    modules: { network: "debug", exchange: "silent" },
    write: (line) => lines.push(line),
  });
  logs.logger.info("hidden");
  logs.of("rounds").info("hidden");
  logs.of("exchange").error("hidden");
  logs.of("rounds").warn("late");
  logs.of("network").debug("dialling");
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { level: "warn", module: "rounds", text: "late" },
    { level: "debug", module: "network", text: "dialling" },
  ]);
});

test("a line that names another peer says what it calls itself, once that is known", () => {
  const lines: string[] = [];
  const logs = createLogs({ level: "info", write: (line) => lines.push(line) });
  const log = logs.of("exchange");
  log.info("early", { peer: "b" });
  logs.nameBy((peer) => (peer === "b" ? "hospital 4\u001b[2J" : undefined));
  for (const field of ["peer", "author", "issuer"]) log.info("named", { [field]: "b" });
  log.info("of nobody known", { peer: "c" });
  log.info("told", { peer: "b", label: "as it was told" });
  const label = "hospital 4\u001b[2J";
  expect(lines.map((line) => JSON.parse(line).label)).toEqual([
    ...[undefined, label, label, label, undefined],
    "as it was told",
  ]);
  expect(lines.join("")).not.toContain("\u001b");
});

test("what is kept begins at info, whatever is shown, and has what a part is asked for besides", () => {
  const [shown, kept]: [string[], string[]] = [[], []];
  const logs = createLogs({
    level: "silent",
    modules: { network: "debug", files: "warn" },
    write: (line) => shown.push(line),
    keep: (line) => kept.push(line),
  });
  for (const log of [logs.logger, logs.of("network"), logs.of("files")]) {
    log.debug("debug");
    log.info("info");
    log.warn("warn");
  }
  const words = (lines: readonly string[]) =>
    lines.map((line) => [JSON.parse(line).module, JSON.parse(line).text].join(" "));
  expect(words(shown)).toEqual(["network debug", "network info", "network warn", "files warn"]);
  expect(words(kept)).toEqual([
    " info",
    " warn",
    "network debug",
    "network info",
    "network warn",
    "files info",
    "files warn",
  ]);
});

test("a line for people has its time, level, text and fields, and nothing hidden", () => {
  const json = JSON.stringify({
    level: "warn",
    time: "2026-11-30T12:00:01Z",
    self: "me",
    text: "update refused",
    peer: "a\u001b[2J",
    round: 3,
    tags: ["x"],
  });
  expect(logLine(json)).toMatch(/^\d\d:\d\d:01 warn {2}update refused {2}peer a\\u001b\[2J, round 3, tags \["x"\]\n$/);
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
