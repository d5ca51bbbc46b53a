/** `weft status` of a peer that runs, and of one that has ended. */
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import {
  type ExamplePeer,
  examplePeer,
  OTHER,
  SELF,
  summaryOf,
  tellExample,
} from "../../../node/admin/example-peer.suite.ts";
import { AdminInterface } from "../../../node/admin/serve-admin.ts";
import { takeLock } from "../../../node/system/files/lock-file.ts";
import { weft } from "../../command.suite.ts";
import { createStatusWriter } from "../../status-file.ts";
import { Interruption, type Terminal } from "../../terminal.ts";
import { watchStatus } from "../../watch-status.ts";

let folder: string;
let peer: ExamplePeer;
let admin: AdminInterface;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "weft-status-"));
  await writeFile(join(folder, "key"), "");
  peer = examplePeer(undefined, { [OTHER]: "hospital 4" });
  admin = new AdminInterface(peer, { dataDirectory: folder, version: "1", settings: {}, stop: () => undefined });
  tellExample(peer);
  await admin.serve();
});
afterEach(async () => {
  await admin.close();
  await rm(folder, { recursive: true });
});

const unheard = { onError: () => undefined, onGone: () => undefined };

const status = async (...words: readonly string[]) => weft(["status", "--data-dir", folder, ...words]);

it("is what the running peer says, without a file of its own", async () => {
  const { code, out } = await status();
  expect(code).toBe(0);
  expect(out).toMatch(new RegExp(`^peer +${SELF}$`, "m"));
  expect(out).toMatch(new RegExp(`^process +${process.pid}, running$`, "m"));
  expect(out).toMatch(/^round +2 of \d+ done$/m);
  expect(JSON.parse((await status("--json")).out)).toMatchObject({
    running: true,
    view: { peer: SELF, roundsDone: 2 },
  });
});

it("is what its files say once it has ended, also where a killed one has left its interface's address behind", async () => {
  const writer = createStatusWriter({ dataDirectory: folder, status: () => peer.status(), ...unheard });
  writer.note({ type: "started" } as never);
  await writer.end();
  await admin.close();
  const address = { kind: "socket", path: join(folder, "admin.sock") };
  await writeFile(join(folder, "admin.json"), JSON.stringify({ schema: "weft-admin/1", address, process: 1 }));
  const { code, out } = await status();
  expect([code, out]).toEqual([0, expect.stringMatching(/^doing +stopped$/m)]);
  const watched = await status("--watch");
  expect(watched.err).toContain("no peer runs there");
  expect(watched.out).toBe(out);
});

it("is what it wrote last where its process is there and does not answer", async () => {
  const writer = createStatusWriter({ dataDirectory: folder, status: () => peer.status(), ...unheard });
  writer.note({ type: "started" } as never);
  await new Promise((resolve) => setImmediate(resolve));
  await until(() => existsSync(join(folder, "status.json")));
  await admin.close();
  expect((await status()).out).toMatch(new RegExp(`^process +${process.pid}, running$`, "m"));
  const address = { kind: "socket", path: join(folder, "admin.sock") };
  await writeFile(join(folder, "admin.json"), JSON.stringify({ schema: "weft-admin/1", address, process: 1 }));
  expect((await status()).out).toMatch(new RegExp(`^process +${process.pid}, there, but it does not answer`, "m"));
  await writer.end();
});

it("tells a peer that starts from one that stopped, and a killed one from whoever has its number since", async () => {
  await admin.close();
  const lock = await takeLock(join(folder, "lock"));
  const first = await status();
  expect(first).toMatchObject({
    code: 2,
    out: "",
    err: expect.stringContaining("a peer that starts, or a command at work"),
  });
  expect(first.err).toMatch(new RegExp(`process ${process.pid} has .*; ask again in a moment\\n$`));
  const writer = createStatusWriter({ dataDirectory: folder, status: () => peer.status(), ...unheard });
  writer.note({ type: "started" } as never);
  await writer.end();
  const again = await status();
  expect([again.code, again.out]).toEqual([0, expect.stringMatching(/^process +stopped$/m)]);
  expect(again.err).toContain("a peer that starts, or a command at work; this is how it was before");
  expect(JSON.parse((await status("--json")).out)).toMatchObject({ running: false, starting: process.pid });
  await lock.release();
  const killed = { ...JSON.parse(await readFile(join(folder, "status.json"), "utf8")), ended: false };
  await writeFile(join(folder, "status.json"), JSON.stringify(killed));
  expect((await status()).out).toMatch(/^process +\d+, running$/m);
  await writeFile(
    join(folder, "lock"),
    JSON.stringify({ process: process.pid, startedAt: "another time", boot: "another" }),
  );
  expect((await status()).out).toMatch(/^process +not running \(it was killed/m);
});

it("of a copy that was made while the peer ran is what its files say, and asks the peer of the other directory nothing", async () => {
  const lock = await takeLock(join(folder, "lock"));
  const writer = createStatusWriter({ dataDirectory: folder, status: () => peer.status(), ...unheard });
  writer.note({ type: "started" } as never);
  await writer.end();
  const copy = `${folder}-copy`;
  try {
    // The socket cannot be copied; a copy made by cp leads to the same interface by its path in admin.json.
    await cp(folder, copy, { recursive: true, filter: (path) => !path.endsWith(".sock") });
    const { code, out, err } = await weft(["status", "--data-dir", copy]);
    expect([code, out]).toEqual([0, expect.stringMatching(/^process +\d+, which runs in another directory$/m)]);
    expect(err).toContain("this directory is a copy of one whose peer runs");
    expect(JSON.parse((await weft(["status", "--json", "--data-dir", copy])).out)).toMatchObject({ running: false });
  } finally {
    await lock.release();
    await rm(copy, { recursive: true, force: true });
  }
});

it("says what ended a peer that failed", async () => {
  const writer = createStatusWriter({ dataDirectory: folder, status: () => peer.status(), ...unheard });
  writer.note({ type: "started" } as never);
  await writer.end("this peer was removed from the network by its admins");
  await admin.close();
  const { out } = await status();
  expect(out).toMatch(/^process +ended: this peer was removed from the network by its admins$/m);
  expect(JSON.parse((await status("--json")).out)).toMatchObject({ running: false, failure: expect.any(String) });
});

it("that cannot be written is said once for each reason, and again after it could be", async () => {
  const said: string[] = [];
  const onError = (error: unknown): void => void said.push(String(error));
  const writer = createStatusWriter({ dataDirectory: folder, status: () => peer.status(), ...unheard, onError });
  writer.note({ type: "started" } as never);
  await writer.end();
  const path = join(folder, "status.json");
  for (const count of [1, 2]) {
    await rm(path, { recursive: true, force: true });
    // A folder of that name takes the place of a disk that takes nothing.
    await mkdir(join(path, "in the way"), { recursive: true });
    for (let i = 0; i < 3; i++) await writer.end();
    expect(said).toHaveLength(count);
    await rm(path, { recursive: true });
    await writer.end();
    expect(existsSync(path)).toBe(true);
  }
});

it("is written nowhere once the directory was taken away, which is told", async () => {
  let isGone = false;
  const onGone = (): void => void (isGone = true);
  const writer = createStatusWriter({ dataDirectory: folder, status: () => peer.status(), ...unheard, onGone });
  writer.note({ type: "started" } as never);
  await writer.end();
  expect([isGone, existsSync(join(folder, "status.json"))]).toEqual([false, true]);
  for (const name of ["key", "status.json"]) await rm(join(folder, name));
  await writer.end();
  expect([isGone, existsSync(join(folder, "status.json"))]).toEqual([true, false]);
});

it("names the neighbours that it tells of by what they call themselves and short ids that mean one each", async () => {
  const [one, two] = ["a", "b"].map((letter) => `12D3KooWx${letter}123456`) as [string, string];
  const score = { looks: 1, gain: -0.5 };
  peer.tell({
    type: "round",
    summary: summaryOf(2),
    forgetting: { loss: 0, accuracy: 0, tasks: [] },
    scores: [
      { peer: one, label: 'hospital "4\u001b[2J', ...score },
      { peer: two, ...score },
    ],
  });
  const address = `/ip4/127.0.0.1/tcp/1/p2p/${two}`;
  peer.tell({ type: "unreachable", address, label: "bob", reason: "refused", failures: 1 });
  const { out } = await status();
  expect(out).toContain('"hospital \\"4\\u001b[2J" …a123456 harms by 0.500 nats per token in 1 look\n');
  expect(out).toContain("…b123456 harms by");
  expect(JSON.parse((await status("--json")).out).view).toMatchObject({
    scores: [{ peer: one, label: expect.stringContaining("hospital") }, { peer: two }],
    unreachable: [{ address, label: "bob" }],
  });
  peer.tell({ type: "neighbours", connected: 0 });
  expect((await status()).out).toContain(`cannot reach ${address} ("bob"): refused (1 time)\n`);
});

/** A terminal that writes down what it is given. */
function paper(isTerminal: boolean) {
  const interrupt = new AbortController();
  const written = { out: "", drawn: [] as string[] };
  const terminal: Terminal = {
    out: (text) => void (written.out += text),
    err: () => undefined,
    draw: (text) => void written.drawn.push(text),
    errIsTerminal: isTerminal,
    columns: () => 60,
    nextLine: () => new Promise(() => undefined),
    environment: {},
    signal: interrupt.signal,
  };
  return { terminal, written, interrupt };
}
const until = async (isSo: () => boolean): Promise<void> => {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
};
const options = { json: false, linesOf: () => ["one", "x".repeat(100)], lookMs: 5 };

it("goes on with --watch, drawn over on a terminal, until Ctrl-C", async () => {
  const { terminal, written, interrupt } = paper(true);
  const watching = watchStatus(terminal, { ...options, folder });
  await until(() => written.drawn.length >= 2);
  interrupt.abort(new Interruption("SIGINT"));
  expect(await watching).toBe(true);
  const [first = "", second = ""] = written.drawn;
  const lines = first.replace("\r\x1b[J", "").trimEnd().split("\n");
  expect(lines.slice(0, 3)).toEqual(["one", "x".repeat(59), ""]);
  expect(lines.slice(3).join("\n")).toMatch(
    /^peer +link +round trip.*\n─.*\n"hospital 4" …WOther +direct +3 ms +1\.00 +1$/,
  );
  expect(second.startsWith(`\x1b[${lines.length}A\r\x1b[J`)).toBe(true);
});

it("writes a line for each change elsewhere, and ends when the peer does", async () => {
  const { terminal, written } = paper(false);
  const watching = watchStatus(terminal, { ...options, folder });
  await until(() => written.out.includes("round 2 of"));
  tellExample(peer, 3);
  await until(() => written.out.includes("round 3 of"));
  await admin.close();
  expect(await watching).toBe(true);
  expect(written.out.trimEnd().split("\n")).toEqual([
    expect.stringMatching(/^training, round 2 of \d+ done, validation 1\.500, 1 neighbour$/),
    expect.stringMatching(/^training, round 3 of \d+ done, validation 0\.500, 1 neighbour$/),
  ]);
});
