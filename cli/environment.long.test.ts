/** Weft where something is missing that programs take for granted: a home, a folder for temporary files, descriptors, a store. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectionsWithin } from "../node/system/platform/descriptors.ts";
import { WEFT, watch } from "./process.suite.ts";

const TIMEOUT_MS = 180_000;
let root: string;
const at = (name: string): string => join(root, name);
const weft = (words: readonly string[], env: Record<string, string> = {}) =>
  spawnSync(process.execPath, [WEFT, ...words], { encoding: "utf8", env: { ...process.env, ...env } });

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "weft-environment-"));
  for (const [name, ...more] of [["open"], ["closed", "--members", at("founders.txt"), "--threshold", "1"]] as const) {
    if (name === "closed") {
      const id = execFileSync(process.execPath, [WEFT, "init", "--data-dir", at("alice")], { encoding: "utf8" }).trim();
      writeFileSync(at("founders.txt"), `${id} admin\n`);
    }
    const words = ["network", "create", "--name", name, "--rounds", "1000", "--local-steps", "3"];
    weft([...words, ...more, "--out", at(`${name}.json`)]);
  }
}, TIMEOUT_MS);
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("what is missing is said in one line", { timeout: TIMEOUT_MS }, () => {
  it.skipIf(process.getuid?.() !== 0)("an account without HOME and without an entry", () => {
    const run = (...words: string[]) =>
      spawnSync(
        "setpriv",
        ["--reuid", "54321", "--clear-groups", "env", "-u", "HOME", process.execPath, WEFT, ...words],
        { encoding: "utf8" },
      );
    expect(run("--version")).toMatchObject({ status: 0, stdout: expect.stringMatching(/^\d/), stderr: "" });
    expect(run("--help")).toMatchObject({ status: 0, stdout: expect.stringMatching(/^Usage/), stderr: "" });
    const line = "weft: this account has no home folder; give --data-dir or set WEFT_DATA_DIR\n";
    expect(run("status")).toMatchObject({ status: 2, stderr: line });
  });

  it.each(["", "home"])("a home that depends on the folder at hand: HOME=%j", (HOME) => {
    mkdirSync(at("at-hand"), { recursive: true });
    const env = { ...process.env, HOME, XDG_DATA_HOME: "data", XDG_CACHE_HOME: "cache" };
    const result = spawnSync(process.execPath, [WEFT, "init"], { encoding: "utf8", env, cwd: at("at-hand") });
    const stderr = "weft: this account has no home folder; give --data-dir or set WEFT_DATA_DIR\n";
    expect(result).toMatchObject({ status: 2, stderr });
    expect(readdirSync(at("at-hand"))).toEqual([]);
  });

  it.skipIf(process.platform !== "linux")("a home that takes no folders, where a peer has another place", () => {
    const result = weft(["init", "--data-dir", at("elsewhere")], { HOME: "/proc" });
    expect(result.status, result.stderr).toBe(0);
  });

  it("a folder for temporary files", () => {
    const result = weft(["testnet", "--peers", "2", "--rounds", "1"], { TMPDIR: "/nonexistent" });
    expect(result.status).toBe(2);
    expect(result.stderr).toMatch(/^weft: cannot make a folder in \/nonexistent, .*set TMPDIR or give --data-dir\n$/m);
  });

  it("data, in a network that is no demonstration", () => {
    weft(["network", "sign", at("closed.json"), "--data-dir", at("alice")]);
    const refused = weft(["run", "--data-dir", at("alice"), "--network", at("closed.json")]);
    expect(refused.status).toBe(2);
    expect(refused.stderr).toContain(
      "weft: this peer has no data to train on in network closed; give --data FILE, or --data embedded",
    );
  });

  it("the key of a directory that has a peer's files, and a store that does not open", () => {
    writeFileSync(at("alice/egress.jsonl"), "");
    expect(weft(["init", "--data-dir", at("alice")]).status).toBe(0);
    rmSync(at("alice/key"));
    const lost = weft(["init", "--data-dir", at("alice")]);
    expect(lost.status).toBe(2);
    expect(lost.stderr).toMatch(/has the files of a peer \(.*egress\.jsonl\) and no key; weft keys restore brings/);
  });
});

describe("few descriptors", { timeout: TIMEOUT_MS }, () => {
  it("leave room for files", () => {
    expect(connectionsWithin(128, 64)).toBe(10);
    expect(connectionsWithin(128, 20)).toBe(4);
    expect(connectionsWithin(128, 1024)).toBe(128);
  });

  it("and 60 connections that say nothing do not end a peer, and a store that is damaged afterwards is explained", async () => {
    const words = ["run", "--data-dir", at("few"), "--network", at("open.json"), "--listen", "/ip4/127.0.0.1/tcp/0"];
    const peer = watch("sh", ["-c", `ulimit -n 64; exec "$@"`, "sh", process.execPath, WEFT, ...words]);
    const [, port] = await peer.said(/^dial this peer at \/ip4\/127\.0\.0\.1\/tcp\/(\d+)/m);
    const idle: Socket[] = [];
    for (let i = 0; i < 60; i++) idle.push(connect(Number(port), "127.0.0.1").on("error", () => undefined));
    const [, round] = (await peer.said(/^round (\d+)\/1000/m)) as unknown as [string, string];
    await peer.said(new RegExp(`^round ${Number(round) + 10}/1000`, "m"));
    peer.child.kill("SIGTERM");
    expect(await peer.ended).toBe(0);
    for (const socket of idle) socket.destroy();

    writeFileSync(at("few/store/CURRENT"), "MANIFEST-999999\n");
    const broken = weft(["run", "--data-dir", at("few"), "--network", at("open.json")]);
    expect(broken.status).toBe(5);
    expect(broken.stderr).toMatch(
      /store failed: .*; stop the peer, move .*store away and start it again: checkpoints stay/,
    );
  });
});
