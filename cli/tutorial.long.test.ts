/** Every command of docs/TUTORIAL.md in order, each by the shell, peers in processes of their own (`npm run test:tutorial`). */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { packageFolder } from "./package-folder.ts";

const page = readFileSync(join(packageFolder(), "docs", "TUTORIAL.md"), "utf8");
const commands = [...page.matchAll(/```sh\n(.*?)```/gs)].flatMap(([, block = ""]) => block.trimEnd().split("\n"));
/** What the page says that a command prints, by the first words of the command. */
const PRINTS: readonly (readonly [command: string, text: RegExp])[] = [
  ["weft data check", /sets +34 to train, 10 to validate, 16 to test/],
  ["weft train", /before training[\s\S]*after training/],
  ["weft eval", /with the adapter/],
  ["weft init", /12D3KooW\w+/],
  ["weft network sign network.json --data-dir south", /2 of 2 admins have signed, 2 are needed: valid/],
  ["weft status", /tutorial/],
  ["weft members pending", /^[0-9a-f]{12} admit /m],
];
/** A peer's command stays, and is there once it has said this. */
const STAYS: readonly (readonly [command: string, said: RegExp])[] = [
  ["weft run --data-dir north", /dial this peer at/],
  ["weft run --data-dir south", /[1-9]\d* neighbours? mixed in/],
  ["weft join", /waiting until admins approve/],
];
const WAITING = { timeout: 300_000, interval: 500 };

const folder = mkdtempSync(join(tmpdir(), "weft-tutorial-"));
const bin = join(folder, "bin");
const env = { ...process.env, PATH: `${bin}:${process.env.PATH}`, NO_COLOR: "1" };
const running: ChildProcess[] = [];
/** What stands for what earlier commands printed. */
const words = new Map([["TASKS", join(packageFolder(), "examples", "tasks.jsonl")]]);

beforeAll(() => {
  mkdirSync(bin);
  const program = `exec ${process.execPath} ${join(packageFolder(), "cli", "weft.js")} "$@"`;
  writeFileSync(join(bin, "weft"), `#!/bin/sh\n${program}\n`, { mode: 0o755 });
});
afterAll(async () => {
  for (const child of running) child.kill("SIGTERM");
  await Promise.all(running.map((child) => child.exitCode ?? new Promise((resolve) => child.once("close", resolve))));
  rmSync(folder, { recursive: true, force: true });
});

/** The command with what stands for earlier output put in. */
const filledIn = (line: string): string =>
  [...words].reduce((text, [word, value]) => text.replaceAll(word, value), line);

/** Run a command to its end.  Returns what it printed and said. */
async function run(line: string): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)("bash", ["-ec", line], { cwd: folder, env });
  return stdout + stderr;
}

/** Start a command that stays.  Returns what it has said until now, when asked. */
function start(line: string): () => string {
  const child = spawn("bash", ["-ec", `exec ${line}`], { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  running.push(child);
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", (text) => (said += text));
  return () => said;
}

const textOf = (table: readonly (readonly [string, RegExp])[], line: string): RegExp | undefined =>
  table.find(([command]) => line.startsWith(command))?.[1];

it("has commands for the whole way", () => {
  for (const [command] of [...PRINTS, ...STAYS]) {
    expect(
      commands.some((line) => line.startsWith(command)),
      command,
    ).toBe(true);
  }
});

it.each(commands)("%s", async (line) => {
  const command = filledIn(line);
  const stays = textOf(STAYS, line);
  if (stays !== undefined) {
    const said = start(command);
    await expect.poll(said, WAITING).toMatch(stays);
    return;
  }
  const text = textOf(PRINTS, line) ?? /(?:)/;
  // News of the roster takes a moment from one peer to the other.
  await expect.poll(() => run(command).catch(String), WAITING).toMatch(text);
  if (line.startsWith("weft init --data-dir")) {
    const [, name = ""] = /--data-dir (\w+)/.exec(line) ?? [];
    words.set(name.toUpperCase(), /12D3KooW\w+/.exec(await run(command))?.[0] ?? "");
  }
  if (line.startsWith("weft members pending")) {
    words.set("REQUEST", /^([0-9a-f]{12}) admit /m.exec(await run(command))?.[1] ?? "");
  }
  if (line.startsWith("weft members list")) {
    await expect.poll(() => run(command).catch(String), WAITING).toMatch(/trainer/);
    await expect.poll(() => run("weft status --data-dir west").catch(String), WAITING).toMatch(/tutorial/);
  }
});
