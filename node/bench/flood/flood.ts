/**
 * `npm run flood [-- --only NAME] [--seconds N] [--out FILE]`: every attack on the resources of a peer against `weft run` as
 * it is installed, on loopback, each after a quiet time of half its length. Two peers train together, a neighbour of the
 * first one asks for heads, and the first one is attacked from another process. Figures go to measured.json, and docs/FLOODS.md
 * is written from it; a figure beyond its bound ends the run with status 1.
 */
import { fork } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { NetworkManifest } from "../../../protocol/network-manifest.ts";
import { createNetwork } from "../../manifest/create-network.ts";
import { embeddedModelDirectory } from "../../system/files/embedded-model.ts";
import type { AttackNews, AttackOrder } from "./attack-process.ts";
import { ATTACKS, type AttackCount } from "./attacks.ts";
import { FloodedPeer } from "./flooded-peer.ts";
import { beyondBounds, type Flood, floodsPage } from "./floods-page.ts";
import { HonestNeighbour } from "./honest-neighbour.ts";

const MEASURED = join(import.meta.dirname, "measured.json");
const PAGE = join(import.meta.dirname, "..", "..", "..", "docs", "FLOODS.md");
const START_MS = 120_000;
/** Rounds before anything is measured: from then on the first one is old news. */
const WARM_ROUNDS = 12;

const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true },
    seconds: { type: "string", default: "20" },
    keep: { type: "boolean", default: false },
  },
});

async function run(): Promise<number> {
  const all = Object.keys(ATTACKS) as (keyof typeof ATTACKS)[];
  const names = all.filter((name) => values.only === undefined || values.only.includes(name));
  const seconds = Number(values.seconds);
  if (names.length === 0 || !(seconds >= 2)) {
    console.error(`flood: --seconds is 2 or more, --only is one of ${all.join(", ")}`);
    return 2;
  }
  const faults: string[] = [];
  for (const name of names) {
    const flood = await measure(name, seconds);
    const beyond = beyondBounds(flood);
    console.log(JSON.stringify(flood));
    for (const fault of beyond) console.error(`${name}: ${fault}`);
    faults.push(...beyond);
    if (values.keep) keep(flood);
  }
  return faults.length === 0 ? 0 : 1;
}

/** One attack on a new pair of peers. */
async function measure(name: keyof typeof ATTACKS, seconds: number): Promise<Flood> {
  const folder = mkdtempSync(join(tmpdir(), "weft-flood-"));
  const peers: FloodedPeer[] = [];
  let honest: HonestNeighbour | undefined;
  try {
    const manifest = writeNetwork(folder);
    const target = new FloodedPeer({ folder, name: "target", part: "1/2" });
    peers.push(target);
    const address = await until(target, () => target.address());
    peers.push(new FloodedPeer({ folder, name: "other", part: "2/2", bootstrap: address }));
    await until(target, () => target.of("round").filter(({ summary }) => summary.neighbours > 0)[2]);
    honest = await HonestNeighbour.start(manifest, address);
    await until(target, () => (target.of("round").length > WARM_ROUNDS ? true : undefined));

    const load = loadavg()[0]!;
    const sides = { quiet: seconds / 2, flood: seconds };
    honest.take();
    const quietly = target.measure();
    await pause(1000 * sides.quiet);
    const quiet = { ...quietly(), ...honest.take(), loop: target.loop() };

    const round = target.of("round").at(-1)?.summary.round ?? 0;
    const attack = await beginAttack({ name, address, manifest, round, durationMs: 1000 * sides.flood });
    const flooded = target.measure();
    honest.take();
    await pause(1000 * sides.flood);
    const flood = { ...flooded(), ...honest.take(), loop: target.loop() };
    const { taken, refused } = await attack.ended;
    return { name, load, quiet, flood, taken, refused, isOver: target.isOver(), said: notable(target.said()) };
  } finally {
    await honest?.stop();
    await Promise.all(peers.map((peer) => peer.stop()));
    rmSync(folder, { recursive: true, force: true });
  }
}

function writeNetwork(folder: string): NetworkManifest {
  const manifest = createNetwork({
    name: "flood",
    modelDirectory: embeddedModelDirectory(),
    adapter: { kind: "loreft", rank: 2, layers: [0], positions: { first: 2, last: 2, tied: true } },
    seed: 1,
    rounds: { count: 100_000, localSteps: 4, deadlineMs: { min: 500, max: 2_000 } },
    aggregation: { lambda: { mode: "fixed", value: 0.5 } },
  });
  writeFileSync(join(folder, "network.json"), JSON.stringify(manifest));
  return manifest;
}

/** Resolves with the attack under way, and rejects where it ends before. */
async function beginAttack(order: AttackOrder): Promise<{ readonly ended: Promise<AttackCount> }> {
  const child = fork(join(import.meta.dirname, "attack-process.ts"), { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  const began = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<AttackCount>();
  child.on("message", (news: AttackNews) => (news.kind === "began" ? began.resolve() : ended.resolve(news)));
  child.once("exit", (code) => {
    const error = new Error(`the attack ended with code ${code}`);
    began.reject(error);
    ended.reject(error);
  });
  ended.promise.finally(() => child.kill()).catch(() => {});
  child.send(order);
  await began.promise;
  return { ended: ended.promise };
}

/** Wait for something of a peer that runs.  Throws: Error when it ends before. */
async function until<Value>(peer: FloodedPeer, look: () => Value | undefined): Promise<Value> {
  for (const end = performance.now() + START_MS; performance.now() < end; await pause(50)) {
    const value = look();
    if (value !== undefined) return value;
    if (peer.isOver()) break;
  }
  throw new Error(`the peer did not get so far: ${peer.said().join("\n")}`);
}

/** What the log says of holds, by handler. */
const notable = (lines: readonly string[]): readonly string[] =>
  lines.filter((line) => line.includes("the event loop was held")).slice(-4);

function keep(flood: Flood): void {
  const before = JSON.parse(readFileSync(MEASURED, "utf8")) as readonly Flood[];
  const order = Object.keys(ATTACKS);
  const after = [...before.filter(({ name }) => name !== flood.name), flood];
  after.sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
  writeFileSync(MEASURED, `${JSON.stringify(after, null, 1)}\n`);
  writeFileSync(PAGE, floodsPage(after));
}

process.exitCode = await run();
