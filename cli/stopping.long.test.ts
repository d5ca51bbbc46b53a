/**
 * Every command of the table under what ends programs: a signal while it works, a second one, a reader that goes, an output that
 * is full, no standard input. `LINES` of silence.suite.ts says how each is run, one after the other; each is stopped first, and
 * must then do its work as if nothing had been.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { COMMANDS } from "./command-table.ts";
import { WEFT, watchWeft } from "./process.suite.ts";
import { type Known, LINES, learnt, wordsOf, writeMaterial } from "./silence.suite.ts";

const TIMEOUT_MS = 300_000;
/** A process is there from about this time on, and most commands take longer. */
const DELAYS_MS = [500, 1_500];
/** A loaded machine takes its time; what ends by itself only takes far longer. */
const PROMPT_MS = 15_000;
let root: string;
const files = (): string => join(root, "files");
const known: Known = new Map();

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "weft-stopping-"));
  for (const name of ["home", "tmp", "files"]) mkdirSync(join(root, name));
  writeMaterial(files());
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const options = () => ({
  cwd: files(),
  env: { ...process.env, HOME: join(root, "home"), TMPDIR: join(root, "tmp"), WEFT_CACHE: join(root, "cache") },
});

/** Names of files under which nothing whole is kept, and folders that hold only a part of what belongs into them. */
function halfWritten(): string[] {
  const all = readdirSync(files(), { recursive: true, encoding: "utf8" });
  const isThere = (name: string): boolean => all.includes(name);
  const parts = [
    ["adapter", "adapter.json", "adapter.safetensors"],
    ["peft", "adapter_config.json", "adapter_model.safetensors"],
    ["back", "adapter.json", "adapter.safetensors"],
    ["merged", "config.json", "model.safetensors"],
  ] as const;
  const partly = parts.filter(([folder, ...names]) => {
    const there = names.filter((name) => isThere(`${folder}/${name}`));
    return there.length > 0 && there.length < names.length;
  });
  return [...all.filter((name) => name.endsWith(".tmp")), ...partly.map(([folder]) => folder)];
}

/** What an earlier try of a line may have left whole, and the line would refuse to write over. */
function clear(words: string): void {
  const out = / --out (\S+)$/.exec(words)?.[1];
  if (out !== undefined && ["adapter", "peft", "back", "merged"].includes(out)) {
    rmSync(join(files(), out), { recursive: true, force: true });
  }
}

describe("a command that is stopped", { timeout: TIMEOUT_MS }, () => {
  it.each(LINES)("weft $words", async ({ words, code = 0 }) => {
    const stays = / (run|join) |^(run|join|testnet) /.test(` ${words} `);
    const left = [128 + 2, code];
    // What changes a roster is done once only; it is stopped as it begins.
    const delays = /^members (promote|expire|revoke|policy)|^keys/.test(words) ? [] : DELAYS_MS;
    for (const [i, delay] of delays.entries()) {
      const signal = i === 0 ? "SIGINT" : "SIGTERM";
      const command = watchWeft(wordsOf(words, known), options());
      const timer = setTimeout(() => command.child.kill(signal), delay);
      const began = performance.now();
      const ended = await command.ended;
      clearTimeout(timer);
      expect(performance.now() - began, command.text.err).toBeLessThan(delay + PROMPT_MS);
      // Death by the signal itself, before anything is loaded that could hear of it, is 128 + its number in a shell.
      if (ended !== null) expect(stays ? [...left, 0] : left, command.text.err).toContain(ended);
      expect(command.text.err).not.toMatch(/^ +at /m);
      expect(halfWritten()).toEqual([]);
      clear(words);
    }
    const whole = spawnSync(process.execPath, [WEFT, ...wordsOf(words, known)], { ...options(), encoding: "utf8" });
    expect(whole.status, whole.stderr).toBe(code);
    learnt(known, words, whole.stdout + whole.stderr, files());
  });
});

describe("an output that is full", { timeout: TIMEOUT_MS }, () => {
  const full = (words: readonly string[], redirection: string) =>
    spawnSync("sh", ["-c", `exec "$@" ${redirection}`, "sh", process.execPath, WEFT, ...words], {
      ...options(),
      encoding: "utf8",
    });
  const LINE = /^weft: cannot write standard output: no space is left where it leads/m;

  it.each(COMMANDS.map(({ name }) => name.join(" ")))("fails the help of weft %s, in one line", (name) => {
    const { status, stderr } = full([...name.split(" "), "--help"], ">/dev/full");
    expect(status).toBe(5);
    expect(stderr).toMatch(LINE);
    expect(stderr.trim().split("\n")).toHaveLength(1);
  });

  it.each(
    [
      "status --data-dir open",
      "members list --data-dir alice --json",
      "egress verify --data-dir open",
      "network show closed.json",
      "eval --adapter adapter",
      "generate --adapter adapter --prompt Once --max-tokens 2",
      "config show --data-dir alice",
      "data check rows.jsonl",
      "adapter inspect adapter",
      "bugreport --data-dir open",
    ].map((words) => [words]),
  )("fails weft %s", (words) => {
    const { status, stderr } = full(words.split(" "), ">/dev/full");
    expect(status, stderr).toBe(5);
    expect(stderr).toMatch(LINE);
  });

  it("is no failure where only talk is lost", () => {
    expect(full(["status", "--data-dir", "open"], "2>/dev/full")).toMatchObject({ status: 0 });
  });
});

describe("a reader that goes, and no standard input", { timeout: TIMEOUT_MS }, () => {
  it.each(["members log --data-dir alice", "completion bash", "network show closed.json", "--help"])(
    "weft %s | head -1",
    (words) => {
      const script = `${process.execPath} ${WEFT} ${words} | head -1`;
      const { status, stdout, stderr } = spawnSync("sh", ["-c", script], { ...options(), encoding: "utf8" });
      expect(status).toBe(0);
      expect(stdout.trim().split("\n")).toHaveLength(1);
      expect(stderr).not.toMatch(/^ +at |EPIPE/m);
    },
  );

  it.each([
    ["eval --adapter adapter", 0],
    ["join - --data-dir eve", 2],
    ["data check -", 2],
  ] as const)("weft %s with standard input closed ends with %i", (words, code) => {
    const script = `exec ${process.execPath} ${WEFT} ${words} <&-`;
    const { status, stderr } = spawnSync("sh", ["-c", script], { ...options(), encoding: "utf8" });
    expect(status, stderr).toBe(code);
    expect(stderr).not.toMatch(/^ +at /m);
  });
});
