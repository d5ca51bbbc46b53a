/** Real peers as real processes: one is killed in the middle of a run, and started again or gone for good. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { expectBounded } from "../node/data-directory/file-bounds.suite.ts";
import type { PeerEvent } from "../node/interface/peer-event.ts";
import { createNetwork } from "../node/manifest/create-network.ts";
import { embeddedModelDirectory } from "../node/system/files/embedded-model.ts";
import { parameterCount as parameterCountOf } from "../protocol/adapter-spec.ts";
import { type PeerProcess, startPeerProcess } from "./peer-process.ts";

const ROUNDS = 10;
const command = join(import.meta.dirname, "..", "cli", "weft.js");
/** For waiting on real training; a failure shows in far less. */
const waiting = { timeout: 60_000, interval: 20 };

let folder: string;
const processes: PeerProcess[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "weft-kill-"));
});
afterEach(async () => {
  await Promise.all(processes.splice(0).map((process) => process.stop(5_000)));
  await rm(folder, { recursive: true, force: true });
});

let parameterCount = 0;
async function writeNetwork({ rounds }: { readonly rounds: number }): Promise<void> {
  const manifest = createNetwork({
    name: "kill and resume",
    modelDirectory: embeddedModelDirectory(),
    adapter: { kind: "loreft", rank: 2, layers: [0], positions: { first: 2, last: 2, tied: true } },
    seed: 1,
    rounds: { count: rounds, localSteps: 4 },
    aggregation: { lambda: { mode: "fixed", value: 0.5 } },
  });
  parameterCount = parameterCountOf(manifest.tensors);
  await writeFile(join(folder, "network.json"), JSON.stringify(manifest));
}

function start(peer: number, options: { readonly bootstrap?: readonly string[]; readonly hold: boolean }) {
  const { bootstrap = [], hold } = options;
  const events: PeerEvent[] = [];
  const process = startPeerProcess({
    command,
    arguments: [
      ...["run", "--events", "--serve", "--threads", "1", ...(hold ? ["--hold"] : [])],
      ...["--network", join(folder, "network.json"), "--data-dir", join(folder, `peer-${peer}`)],
      ...["--part", `${peer}/4`],
      ...bootstrap.flatMap((address) => ["--bootstrap", address]),
    ],
    onEvent: (event) => events.push(event),
  });
  processes.push(process);
  const of = <T extends PeerEvent["type"]>(type: T) =>
    events.filter((event): event is Extract<PeerEvent, { type: T }> => event.type === type);
  return { process, of, rounds: () => of("round").map(({ summary }) => summary.round) };
}

it("goes on without a peer that is killed, which resumes from its checkpoint and catches up", {
  timeout: 120_000,
}, async () => {
  await writeNetwork({ rounds: ROUNDS });
  const first = start(1, { hold: true });
  await expect.poll(() => first.of("started").length, waiting).toBe(1);
  const bootstrap = first.of("started")[0]!.addresses;
  const other = start(2, { bootstrap, hold: true });
  const victim = start(3, { bootstrap, hold: true });
  // Together, so that none is so far ahead on a busy machine that the others skip rounds to be with it.
  for (const peer of [first, other, victim]) {
    await expect.poll(() => peer.of("neighbours").length, waiting).toBeGreaterThanOrEqual(1);
  }
  for (const peer of [first, other, victim]) peer.process.begin();

  await expect.poll(() => victim.rounds().length, waiting).toBeGreaterThanOrEqual(3);
  victim.process.kill();
  expect(await victim.process.ended).toMatchObject({ signal: "SIGKILL" });
  const lastRound = victim.rounds().at(-1)!;
  expect(victim.of("finished")).toEqual([]);

  // Nobody waits for it: the others come to their end.
  for (const peer of [first, other]) {
    await expect.poll(() => peer.of("finished").length, waiting).toBe(1);
    expect(peer.rounds()).toEqual(Array.from({ length: ROUNDS }, (_, round) => round));
  }

  const again = start(3, { bootstrap, hold: false });
  await expect.poll(() => again.of("finished").length, waiting).toBe(1);
  const [started] = again.of("started");
  expect(started).toMatchObject({ resumed: true, peer: victim.of("started")[0]!.peer });
  // A kill may fall between the word that a round is done and its checkpoint; never is more than that round done again.
  expect(started!.round).toBeGreaterThanOrEqual(lastRound);
  expect(again.rounds().at(0)).toBe(started!.round);
  expect(again.rounds().at(-1)).toBe(ROUNDS - 1);
  const { report } = again.of("finished")[0]!;
  expect(report.rounds.map(({ round }) => round)).toEqual(Array.from({ length: ROUNDS }, (_, round) => round));
  // The others' newest updates came from their stores, and went into its aggregate.
  const heardFrom = new Set(again.of("update").map(({ from, verdict }) => `${verdict} ${from}`));
  for (const peer of [first, other]) expect(heardFrom).toContain(`accept ${peer.of("started")[0]!.peer}`);
  expect(again.of("round").some(({ summary }) => summary.neighbours === 2)).toBe(true);
  expect(Number.isFinite(report.swarm.loss)).toBe(true);
  // One was killed, two still run: each file that they have written is one that is known, and within its bound.
  for (const peer of [1, 2, 3]) await expectBounded(join(folder, `peer-${peer}`), { values: parameterCount });
});

it("goes on as one network when the only peer that the others were given is killed for good", async () => {
  // More than they get to: nobody may come to an end before alice has gone.
  await writeNetwork({ rounds: 1000 });
  const alice = start(1, { hold: true });
  await expect.poll(() => alice.of("started").length, waiting).toBe(1);
  const bootstrap = alice.of("started")[0]!.addresses;
  const bob = start(2, { bootstrap, hold: true });
  const carol = start(3, { bootstrap, hold: true });
  const neighboursOf = (peer: ReturnType<typeof start>) => peer.of("neighbours").at(-1)?.connected;
  // Each has learned from alice where the other is.
  for (const peer of [bob, carol]) await expect.poll(() => neighboursOf(peer), waiting).toBe(2);
  for (const peer of [alice, bob, carol]) peer.process.begin();

  await expect.poll(() => alice.rounds().length, waiting).toBeGreaterThanOrEqual(1);
  alice.process.kill();
  expect(await alice.process.ended).toMatchObject({ signal: "SIGKILL" });
  for (const peer of [bob, carol]) await expect.poll(() => neighboursOf(peer), waiting).toBe(1);

  const lastRound = Math.max(...[alice, bob, carol].flatMap((peer) => peer.rounds()));
  const acceptedRounds = (peer: ReturnType<typeof start>, author: ReturnType<typeof start>) =>
    peer
      .of("update")
      .filter(({ from, verdict }) => verdict === "accept" && from === author.of("started")[0]!.peer)
      .map(({ round }) => round);
  await expect.poll(() => Math.max(...acceptedRounds(bob, carol)), waiting).toBeGreaterThan(lastRound);
  await expect.poll(() => Math.max(...acceptedRounds(carol, bob)), waiting).toBeGreaterThan(lastRound);
}, 120_000);
