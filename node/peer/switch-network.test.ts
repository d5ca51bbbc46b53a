/** A peer that is killed while its files go over to the next manifest, at every write and in a process of its own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { dataDirectoryLayout } from "../data-directory/layout.ts";
import { copyOf, createPeerFiles, logger, SWITCHES, switchTo, whereAfterRestart } from "./switch-network.suite.ts";
import { switchNetwork } from "./switch-network.ts";

/** Calls that change something on disk, counted; from the call `last` on none of them is made any more. */
const disk = vi.hoisted(() => ({ calls: 0, last: Number.POSITIVE_INFINITY }));
vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  const mortal =
    <Call extends (...given: never[]) => Promise<unknown>>(call: Call) =>
    (...given: Parameters<Call>) => {
      if (disk.calls >= disk.last) return Promise.reject(new Error("killed"));
      disk.calls++;
      return call(...given);
    };
  const { mkdir, open, rename, rm: remove, writeFile, link } = real;
  const changed = { mkdir, open, rename, rm: remove, writeFile, link };
  return {
    ...real,
    ...Object.fromEntries(Object.entries(changed).map(([name, call]) => [name, mortal(call as never)])),
  };
});

let root: string;
let original: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "weft-switch-"));
  original = join(root, "original");
  await createPeerFiles(original);
});
afterAll(() => rm(root, { recursive: true }));

test.each([
  { name: "with the same adapter", step: 1 },
  { name: "with another adapter", step: 4 },
] as const)("$name, killed at every write, it is in one network and has lost nothing", async ({ name, step }) => {
  const next = SWITCHES[name];
  const folder = join(root, name);
  const outcomes: string[] = [];
  for (let last = 0; ; last += step) {
    await copyOf(original, folder);
    Object.assign(disk, { calls: 0, last });
    const isWhole = await switchNetwork(folder, switchTo(next), { logger }).then(
      () => true,
      () => false,
    );
    disk.last = Number.POSITIVE_INFINITY;
    // The process that held it is gone.
    await rm(dataDirectoryLayout(folder).lock, { force: true });
    const where = await whereAfterRestart(folder, original, next);
    outcomes.push(where);
    if (where === "before" && last % 8 === 0) {
      // It comes to its last round again, and goes over.
      await switchNetwork(folder, switchTo(next), { logger });
      expect(await whereAfterRestart(folder, original, next), `killed at ${last}`).toBe("over");
    }
    if (isWhole) break;
  }
  expect(outcomes.length).toBeGreaterThan(20 / step);
  // One moment in between decides.
  expect(outcomes.join(" ")).toMatch(/^(before )+(over ?)+$/);
});

test("a switch to another successor after one that was killed leaves nothing of the first one", async () => {
  const folder = join(root, "another");
  const [first, second] = Object.values(SWITCHES);
  await copyOf(original, folder);
  // Before the manifest is replaced, with a checkpoint carried over.
  Object.assign(disk, { calls: 0, last: 18 });
  await expect(switchNetwork(folder, switchTo(first!), { logger })).rejects.toThrow();
  disk.last = Number.POSITIVE_INFINITY;
  await rm(dataDirectoryLayout(folder).lock, { force: true });
  await switchNetwork(folder, switchTo(second!), { logger });
  expect(await whereAfterRestart(folder, original, second!)).toBe("over");
});

test("a process that is killed by the system leaves a peer that goes on", async () => {
  // With a checkpoint carried over, and the manifest not yet replaced.
  const last = 19;
  const next = SWITCHES["with the same adapter"];
  const folder = join(root, "process");
  await copyOf(original, folder);
  const child = spawn(
    process.execPath,
    [new URL("switch-network.child.suite.ts", import.meta.url).pathname, folder, String(last)],
    {
      stdio: "inherit",
    },
  );
  const [, signal] = await once(child, "exit");
  expect(signal).toBe("SIGKILL");
  const where = await whereAfterRestart(folder, original, next);
  if (where === "before") await switchNetwork(folder, switchTo(next), { logger });
  expect(await whereAfterRestart(folder, original, next)).toBe("over");
});
