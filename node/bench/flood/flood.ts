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
import type { AttackNews, AttackOrder } from "./attack-process.ts";
import { ATTACKS, type AttackCount, OF_ROSTERS } from "./attacks.ts";
import { openNetwork, rosterNetwork } from "./flooded-network.ts";
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
  const all = Object.keys(ATTACKS) as AttackName[];
  const names = all.filter((name) => values.only === undefined || values.only.includes(name));
  const seconds = Number(values.seconds);
  if (names.length === 0 || !(seconds >= 2)) {
    console.error(`flood: --seconds is 2 or more, --only is one of ${all.join(", ")}`);
    return 2;
  }
  const isOfRoster = (name: AttackName): boolean => OF_ROSTERS.includes(name);
  const groups = [names.filter((name) => !isOfRoster(name)), names.filter(isOfRoster)];
  let faults = 0;
  for (const group of groups) faults += group.length === 0 ? 0 : await measureAll(group, seconds);
  return faults === 0 ? 0 : 1;
}

/** Attacks on one pair of peers, one after the other.  Returns the number of figures beyond their bounds. */
async function measureAll(names: readonly AttackName[], seconds: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "weft-flood-"));
  const peers: FloodedPeer[] = [];
  let honest: HonestNeighbour | undefined;
  try {
    const isOfRoster = OF_ROSTERS.some((name) => names.includes(name));
    const who = { admin: "target", trainer: "other" };
    const { manifest, honestSeed, invite } = isOfRoster ? await rosterNetwork(folder, who) : await openNetwork(folder);
    const target = new FloodedPeer({ folder, name: "target", part: "1/2" });
    peers.push(target);
    const address = await until(target, () => target.address());
    peers.push(new FloodedPeer({ folder, name: "other", part: "2/2", bootstrap: address }));
    await until(target, () => target.of("round").filter(({ summary }) => summary.neighbours > 0)[2]);
    honest = await HonestNeighbour.start({ manifest, seed: honestSeed }, address);
    await until(target, () => (target.of("round").length > WARM_ROUNDS ? true : undefined));
    let faults = 0;
    for (const name of names) {
      const flood = await measure(name, { target, honest, address, manifest, invite, seconds });
      faults += tell(flood);
      if (values.keep) keep(flood);
    }
    return faults;
  } finally {
    await honest?.stop();
    await Promise.all(peers.map((peer) => peer.stop()));
    rmSync(folder, { recursive: true, force: true });
  }
}

type AttackName = keyof typeof ATTACKS;

/** A quiet time, then one attack. */
async function measure(
  name: AttackName,
  {
    target,
    honest,
    seconds,
    ...whom
  }: Pick<AttackOrder, "address" | "manifest" | "invite"> & {
    readonly target: FloodedPeer;
    readonly honest: HonestNeighbour;
    readonly seconds: number;
  },
): Promise<Flood> {
  const load = loadavg()[0] ?? 0;
  honest.take();
  const quietly = target.measure();
  await pause(500 * seconds);
  const quiet = { ...quietly(), ...honest.take() };

  const round = target.of("round").at(-1)?.summary.round ?? 0;
  const attack = await beginAttack({ name, ...whom, round, durationMs: 1000 * seconds });
  const flooded = target.measure();
  honest.take();
  await pause(1000 * seconds);
  const flood = { ...flooded(), ...honest.take() };
  const { taken, refused } = await attack.ended;
  return { name, load, quiet, flood, taken, refused, isOver: target.isOver() };
}

function tell(flood: Flood): number {
  const beyond = beyondBounds(flood);
  console.log(JSON.stringify(flood));
  for (const fault of beyond) console.error(`${flood.name}: ${fault}`);
  return beyond.length;
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

function keep(flood: Flood): void {
  const before = JSON.parse(readFileSync(MEASURED, "utf8")) as readonly Flood[];
  const order = Object.keys(ATTACKS);
  const after = [...before.filter(({ name }) => name !== flood.name), flood];
  after.sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
  writeFileSync(MEASURED, `${JSON.stringify(after, null, 1)}\n`);
  writeFileSync(PAGE, floodsPage(after));
}

process.exitCode = await run();
