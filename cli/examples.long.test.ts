/** The programs of examples/, each in a process of its own, from the source (`npm run test:examples`). */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, describe, expect, it } from "vitest";
import { packageFolder } from "./package-folder.ts";

const examples = join(packageFolder(), "examples");
const programs = globSync("*.mjs", { cwd: examples });
/** The package's own name leads to the source instead of the compiled files. */
const FROM_SOURCE = "--conditions=weft-source";

async function outputOf(name: string): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [FROM_SOURCE, join(examples, name)]);
  return stdout;
}

describe("examples/", () => {
  it.each(programs)("%s is short, and README names it", (name) => {
    expect(readFileSync(join(examples, name), "utf8").trimEnd().split("\n").length).toBeLessThanOrEqual(50);
    expect(readFileSync(join(examples, "README.md"), "utf8")).toContain(`](${name})`);
  });

  it("train-locally.mjs learns, and writes what PEFT reads", async () => {
    const said = await outputOf("train-locally.mjs");
    const [, before, after] = /held-out loss: ([\d.]+) -> ([\d.]+)/.exec(said) ?? [];
    expect(Number(after)).toBeLessThan(0.8 * Number(before));
    const [, folder = ""] = /written to (.+)/.exec(said) ?? [];
    expect(globSync("*/*", { cwd: folder })).toEqual(
      expect.arrayContaining([join("adapter", "adapter.json"), join("peft", "adapter_config.json")]),
    );
  });

  it("two-peers.mjs: both learn", async () => {
    expect(await outputOf("two-peers.mjs")).toMatch(/^held-out loss: [\d.]+ -> [\d.]+, [\d.]+ -> [\d.]+\n$/);
  });

  it("own-rule.mjs: the rule is asked in each round, and the peers learn", async () => {
    const said = await outputOf("own-rule.mjs");
    expect(said.match(/^round \d: the nearest of [12] neighbours is [\d.]+ away$/gm)).toHaveLength(3);
    const [, before, after] = /by its own rule: ([\d.]+) -> ([\d.]+)/.exec(said) ?? [];
    expect(Number(after)).toBeLessThan(Number(before));
  });

  it("own-adapter.mjs: the kind is trained, written and read again", async () => {
    const said = await outputOf("own-adapter.mjs");
    const [, before, after] = /held-out loss: ([\d.]+) -> ([\d.]+)/.exec(said) ?? [];
    expect(Number(after)).toBeLessThan(0.8 * Number(before));
    expect(said).toMatch(new RegExp(`read back from .+: ${after}$`, "m"));
  });
});

describe("web-server.mjs", () => {
  let server: ChildProcess | undefined;
  afterEach(() => server?.kill("SIGKILL"));

  it("shows a peer's state, tells its events, and ends with it", async () => {
    server = spawn(process.execPath, [FROM_SOURCE, join(examples, "web-server.mjs")], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = new Promise<number | null>((resolve) => server?.once("close", resolve));
    const url = await new Promise<string>((resolve) => {
      server?.stdout?.setEncoding("utf8").on("data", (text: string) => {
        const [, found] = /(http:\S+)/.exec(text) ?? [];
        if (found !== undefined) resolve(found);
      });
    });
    const events = await fetch(new URL("/events", url));
    let heard = "";
    for await (const part of events.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      heard += part;
      if (heard.includes('"type":"step"')) break;
    }
    const view = (await (await fetch(url)).json()) as { readonly phase?: unknown };
    expect(view).toMatchObject({ peer: expect.stringMatching(/^12D3KooW/) });
    server.kill("SIGTERM");
    expect(await ended).toBe(0);
  });
});
