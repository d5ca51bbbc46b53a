/** A data directory that is about to go over to its network's next manifest, and what a restart finds in it. */
import { cp, mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { succeedingManifest } from "../../protocol/membership/succession.ts";
import { type NetworkManifest, networkId } from "../../protocol/network-manifest.ts";
import { EXAMPLE_GENESIS, ROSTER_MANIFEST } from "../../protocol/vectors/example-roster.ts";
import { type DataDirectory, dataDirectoryLayout } from "../data-directory/layout.ts";
import type { Checkpoint } from "../interface/checkpoint.ts";
import { NO_TRIAL } from "../lambda/trial.ts";
import { NO_FORGETTING, NO_SCORES } from "../round/forgetting.ts";
import { encodeMemory, NO_PROGRESS } from "../round/peer-memory.ts";
import { writeFileAtomic } from "../system/files/atomic-file.ts";
import { createCheckpointFiles } from "../system/files/checkpoint-file.ts";
import { openStore } from "../system/files/store.ts";
import { createLogger } from "../system/platform/log.ts";
import { finishSwitch, type Switch } from "./switch-network.ts";

/** Says nothing. */
export const logger = createLogger({ level: "silent" });

/** Round in which the next manifest takes over. */
export const ROUND = 7;
const STEPS = 56;

/** Manifests to go over to, by what the checkpoint has to do with them. */
export const SWITCHES = {
  "with the same adapter": succeedingManifest(ROSTER_MANIFEST, { name: "hearts-2" }, ROUND),
  "with another adapter": succeedingManifest(ROSTER_MANIFEST, { seed: ROSTER_MANIFEST.seed + 1 }, ROUND),
} as const satisfies Record<string, NetworkManifest>;

/** The change from the example network to this manifest. */
export const switchTo = (next: NetworkManifest): Switch => ({
  genesis: EXAMPLE_GENESIS,
  before: ROSTER_MANIFEST,
  next,
});

const digest = "0".repeat(64);
const theta = Float32Array.of(1, 2, 3, 4);
const memoryAt = (round: number): Checkpoint =>
  encodeMemory(
    {
      trainer: { adapter: theta, firstMoment: theta, secondMoment: theta, step: STEPS },
      reference: { kind: "window", snapshots: [] },
      position: { round, phase: "serving" },
      pace: [3],
      progress: NO_PROGRESS,
      stepsTaken: STEPS,
      summaries: [],
      trial: NO_TRIAL,
      best: NO_SCORES,
      forgetting: NO_FORGETTING,
      evaluation: { stage: "none" },
    },
    { network: networkId(ROSTER_MANIFEST), examples: { train: digest, validation: digest, test: digest } },
  );

/** What a peer's store holds, whose own head is the one thing that belongs to one network. */
const KEPT = { "roster/entry/00000000": Uint8Array.of(1, 2, 3), "privacy/budget": Uint8Array.of(9) };

/** Two checkpoints, a store with an own update, and the manifest of before. */
export async function createPeerFiles(folder: string): Promise<void> {
  const layout = dataDirectoryLayout(folder);
  await mkdir(folder, { recursive: true });
  await writeFileAtomic(layout.network, new TextEncoder().encode(JSON.stringify(EXAMPLE_GENESIS)));
  const checkpoints = await createCheckpointFiles({ logger }, { folder: layout.checkpoints });
  for (const round of [ROUND - 1, ROUND]) await checkpoints.save(memoryAt(round));
  const store = await openStore(layout.store);
  await store.batch([
    { put: "own/head", value: Uint8Array.of(7) },
    ...Object.entries(KEPT).map(([key, value]) => ({ put: key, value })),
  ]);
  await store.close();
}

/**
 * Begin as `weft run` does, and see where the peer is: wholly in the network before, with everything it had, or wholly in the
 * next one, with everything that belongs there and the rest put aside.
 */
export async function whereAfterRestart(folder: string, original: string, next: NetworkManifest) {
  const layout = dataDirectoryLayout(folder);
  const manifest = manifestIn(JSON.parse(await readFile(layout.network, "utf8")));
  const current = networkId(manifest);
  await finishSwitch(folder, current);
  const isOver = current === networkId(next);
  if (!isOver) expect(current).toBe(networkId(ROSTER_MANIFEST));
  expect(await valuesIn(layout)).toEqual({ ...KEPT, ...(!isOver && { "own/head": Uint8Array.of(7) }) });
  const names = (await readdir(folder)).filter((name) => /^(checkpoints|switch)/.test(name));
  const aside = `checkpoints-${networkId(ROSTER_MANIFEST).slice(0, 16)}`;
  const before = await filesIn(join(original, "checkpoints"));
  const carried = isOver && next.seed === ROSTER_MANIFEST.seed;
  expect(names.sort()).toEqual([...(!isOver || carried ? ["checkpoints"] : []), ...(isOver ? [aside] : [])]);
  expect(await filesIn(join(folder, isOver ? aside : "checkpoints"))).toEqual(before);
  if (carried) {
    const files = await createCheckpointFiles({ logger }, { folder: layout.checkpoints });
    const checkpoint = await files.load();
    expect(checkpoint?.state).toMatchObject({ network: current, stepsTaken: STEPS, position: { round: ROUND } });
    expect(checkpoint?.vectors.get("adapter")).toEqual(theta);
  }
  return isOver ? "over" : "before";
}

/** A fresh copy of such a directory. */
export async function copyOf(original: string, folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await cp(original, folder, { recursive: true });
}

const manifestIn = (value: NetworkManifest | { readonly manifest: NetworkManifest }): NetworkManifest =>
  "manifest" in value ? value.manifest : value;

async function valuesIn({ store: folder }: DataDirectory): Promise<Record<string, Uint8Array>> {
  const store = await openStore(folder);
  const values: Record<string, Uint8Array> = {};
  for await (const [key, value] of store.entries("")) values[key] = Uint8Array.from(value);
  await store.close();
  return values;
}

async function filesIn(folder: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const name of (await readdir(folder)).filter((one) => !one.startsWith("."))) {
    files[name] = (await readFile(join(folder, name))).toString("base64");
  }
  return files;
}
