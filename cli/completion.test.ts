/** Completion in real shells: what a user gets who presses Tab. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { weft } from "./command.suite.ts";
import { COMMANDS } from "./command-table.ts";
import { completionScript, SHELLS } from "./completion.ts";

const folder = mkdtempSync(join(tmpdir(), "weft-completion-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The words that bash offers for the last of these. */
function bashOffers(...words: string[]): string[] {
  writeFileSync(join(folder, "weft.bash"), completionScript("bash", COMMANDS));
  const program = `source weft.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _weft; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const out = execFileSync("bash", ["-c", program, "bash", "weft", ...words], { cwd: folder, encoding: "utf8" });
  return out.split("\n").filter((line) => line !== "");
}

describe("bash", () => {
  it.each([
    [["tes"], ["testnet"]],
    [["network", "cr"], ["create"]],
    [["testnet", "st"], ["status"]],
    [["testnet", "--kee"], ["--keep"]],
    [["testnet", "--peers", "3", "--kee"], ["--keep"]],
    [
      ["testnet", "down", "--"],
      ["--help", "--dir", "--json", "--keep", "--quiet"],
    ],
    [["run", "--compare"], ["--compare-alone"]],
    [["run", "--log-level", "de"], ["debug"]],
    [["members", "revoke", "--re"], ["--reason"]],
    [["members", "li"], ["list"]],
    [["run", "--network", "weft.b"], ["weft.bash"]],
    [["network", "show", "weft.b"], ["weft.bash"]],
    [["run", "--port", "9"], []],
    [["nothing", "--x"], []],
  ])("completes weft %j to %j", (words, offers) => {
    expect(bashOffers(...words)).toEqual(offers);
  });

  it("offers every command and every flag of the table", () => {
    expect(bashOffers("")).toEqual(expect.arrayContaining(COMMANDS.map(({ name }) => name[0])));
    const { options } = COMMANDS.find(({ name }) => name[0] === "run")!;
    expect(bashOffers("run", "--")).toEqual(expect.arrayContaining(options.map(({ flags }) => flags.split(" ")[0])));
  });
});

it.each(["zsh", "fish"] as const)("the script for %s is one that the shell can read", (shell) => {
  const path = join(folder, `weft.${shell}`);
  writeFileSync(path, completionScript(shell, COMMANDS));
  const { status, stderr, error } = spawnSync(shell, ["-n", path], { encoding: "utf8" });
  // A shell that is not here cannot say; what it would read still names every command.
  if (error === undefined) expect([status, stderr]).toEqual([0, ""]);
  for (const { name, options } of COMMANDS) {
    const script = completionScript(shell, COMMANDS);
    expect(script).toContain(name.at(-1));
    for (const { flags } of options) expect(script).toContain(flags.slice(2).split(" ")[0]);
  }
});

it("weft completion prints the script, and names the shells that it knows", async () => {
  for (const shell of SHELLS) expect((await weft(["completion", shell])).out).toBe(completionScript(shell, COMMANDS));
  expect(await weft(["completion", "fihs"])).toMatchObject({
    code: 2,
    err: expect.stringContaining("did you mean fish?"),
  });
  expect(await weft(["completion", "cmd"])).toMatchObject({
    code: 2,
    err: expect.stringContaining("give bash, zsh, fish"),
  });
});
