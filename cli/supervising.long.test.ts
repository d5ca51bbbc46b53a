/** How a peer stops, and what stops it, under everything that starts programs. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { isThere, type Watched, WEFT, watch, watchWeft } from "./process.suite.ts";

const TIMEOUT_MS = 180_000;
const LISTENS = /dial this peer/;
let root: string;
let network: string;
const started: Watched[] = [];

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "weft-supervising-"));
  network = join(root, "network.json");
  const words = ["network", "create", "--name", "stops", "--rounds", "1000", "--local-steps", "3", "--out", network];
  execFileSync(process.execPath, [WEFT, ...words], { stdio: "ignore" });
}, TIMEOUT_MS);
afterEach(() => {
  for (const { child } of started.splice(0)) {
    try {
      process.kill(-child.pid!, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  }
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const runWords = (folder: string): string[] => ["run", "--data-dir", join(root, folder), "--network", network];
const keep = (watched: Watched): Watched => {
  started.push(watched);
  return watched;
};
/** A peer that has started and trains. */
async function running(folder: string): Promise<Watched> {
  const peer = keep(watchWeft(runWords(folder)));
  await peer.said(LISTENS);
  return peer;
}
const statusOf = (folder: string): string =>
  execFileSync(process.execPath, [WEFT, "status", "--data-dir", join(root, folder)], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
const quoted = (words: readonly string[]): string => words.map((word) => `'${word}'`).join(" ");
/** The process that runs in a data directory. */
const holderOf = (folder: string): number => JSON.parse(readFileSync(join(root, folder, "lock"), "utf8")).process;
const gone = async (id: number): Promise<void> => {
  while (isThere(id)) await new Promise((resolve) => setTimeout(resolve, 100));
};

describe("a peer that is stopped", { timeout: TIMEOUT_MS }, () => {
  it.each([
    ["SIGTERM", 0],
    ["SIGINT", 130],
  ] as const)("by %s ends with %i, says one line, and its status is that it is stopped", async (signal, code) => {
    const peer = await running(signal);
    peer.child.kill(signal);
    expect(await peer.ended).toBe(code);
    expect(peer.text.err.match(/^stopped .*$/gm)).toEqual([
      expect.stringMatching(/^stopped after round \d+ of 1000; the same command goes on from there$/),
    ]);
    const status = statusOf(signal);
    expect(status).toMatch(/^process +stopped$/m);
    expect(status).toMatch(/^doing +stopped$/m);
    expect(status).toMatch(/^neighbours +0$/m);
  });

  it("once, by a signal that reaches it several times, as from a group and who passes it on", async () => {
    const peer = await running("group");
    for (let i = 0; i < 3; i++) process.kill(-peer.child.pid!, "SIGTERM");
    expect(await peer.ended).toBe(0);
    expect(peer.text.err).toMatch(/^stopped after round/m);
  });

  it("not by a hang-up where it stands on no terminal, as under nohup", async () => {
    const peer = keep(watch("nohup", [process.execPath, WEFT, ...runWords("nohup")]));
    await peer.said(LISTENS);
    peer.child.kill("SIGHUP");
    await peer.said(/^round \d+\/1000/m);
    expect(isThere(peer.child.pid!)).toBe(true);
    peer.child.kill("SIGTERM");
    expect(await peer.ended).toBe(0);
  });

  it("by the hang-up of its terminal, cleanly", async () => {
    // script(1) makes a terminal; it hangs up when script is killed.
    if (spawnSync("script", ["--version"]).status !== 0) return;
    const command = quoted([process.execPath, WEFT, ...runWords("terminal")]);
    const peer = keep(watch("script", ["-qec", command, "/dev/null"]));
    // Before its first step a peer has no status to leave behind.
    await peer.said(/round \d+\/1000/);
    const holder = holderOf("terminal");
    peer.child.kill("SIGKILL");
    await gone(holder);
    expect(statusOf("terminal")).toMatch(/^process +stopped$/m);
  });

  it.each(["SIGTERM", "SIGKILL"] as const)("when npx, which started it, ends by %s", async (signal) => {
    // As npx does it: a shell between, which stays.
    const wrapper = keep(
      watch(process.execPath, [
        "-e",
        'process.env.npm_command = "exec"; require("child_process").spawn("sh", ["-c", process.argv[1] + "; true"], { stdio: "inherit" })',
        quoted([process.execPath, WEFT, ...runWords(`npx-${signal}`)]),
      ]),
    );
    await wrapper.said(LISTENS);
    const holder = holderOf(`npx-${signal}`);
    wrapper.child.kill(signal);
    await gone(holder);
    expect(statusOf(`npx-${signal}`)).toMatch(/^process +stopped$/m);
  });

  it("as the first process of a container", async () => {
    const isolated = ["--user", "--map-root-user", "--pid", "--fork", "--kill-child"];
    if (spawnSync("unshare", [...isolated, "true"]).status !== 0) return;
    const peer = keep(watch("unshare", [...isolated, process.execPath, WEFT, ...runWords("container")]));
    await peer.said(LISTENS);
    const [child] = readFileSync(`/proc/${peer.child.pid}/task/${peer.child.pid}/children`, "utf8").trim().split(" ");
    process.kill(Number(child), "SIGTERM");
    expect(await peer.ended).toBe(0);
    expect(peer.text.err).toMatch(/^stopped after round/m);
  });
});

describe("a peer that has started", { timeout: TIMEOUT_MS }, () => {
  it("leaves what it has compiled to those that start while it runs", async () => {
    const cache = join(root, "cache");
    const env = { WEFT_CACHE: cache, NODE_COMPILE_CACHE: "" };
    const peer = keep(watchWeft(runWords("compiled"), { env }));
    await peer.said(LISTENS);
    expect(readdirSync(join(cache, "code"), { recursive: true }).length).toBeGreaterThan(500);
    peer.child.kill("SIGTERM");
    expect(await peer.ended).toBe(0);
  });
});
