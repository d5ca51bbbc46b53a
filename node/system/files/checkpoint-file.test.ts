import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Checkpoint } from "../../interface/checkpoint.ts";
import { readSafetensors, writeSafetensors } from "../../model/safetensors.ts";
import { createLogger } from "../platform/log.ts";
import { createCheckpointFiles, decodeCheckpoint, encodeCheckpoint } from "./checkpoint-file.ts";

let folder: string;
let lines: string[];
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), "weft-checkpoint-")), "checkpoints");
  lines = [];
});
afterEach(() => rm(join(folder, ".."), { recursive: true }));

const files = () =>
  createCheckpointFiles({ logger: createLogger({ level: "warn", write: (l) => lines.push(l) }) }, { folder });

const made = (round: number): Checkpoint => ({
  vectors: new Map([
    ["adapter", Float32Array.of(round, Number.NaN, -0)],
    ["empty", new Float32Array(0)],
  ]),
  state: { round, phase: "training", pace: [1.5, null] },
});

const newest = async (): Promise<string> => join(folder, (await readdir(folder)).sort().at(-1)!);

test("there is none at first", async () => {
  expect(await files().load()).toBeUndefined();
});

test("the newest comes back bit for bit, also to another process, and the one before it stays", async () => {
  for (let round = 1; round <= 4; round++) await files().save(made(round));
  expect(await files().load()).toEqual(made(4));
  expect(await readdir(folder)).toEqual(["checkpoint-000003.safetensors", "checkpoint-000004.safetensors"]);
});

test.each([
  ["cut off", async (path: string) => truncate(path, 200)],
  ["empty", async (path: string) => truncate(path, 0)],
  [
    "changed in one bit",
    async (path: string) => {
      const bytes = await readFile(path);
      bytes[bytes.length - 1] ^= 1;
      await writeFile(path, bytes);
    },
  ],
])("when the newest is %s the one before it is used, with a warning, and work goes on", async (_title, damage) => {
  await files().save(made(1));
  await files().save(made(2));
  await damage(await newest());
  expect(await files().load()).toEqual(made(1));
  expect(lines.join("")).toContain("checkpoint is damaged");
  await files().save(made(3));
  await files().save(made(4));
  expect(await files().load()).toEqual(made(4));
  expect((await readdir(folder)).filter((name) => name.startsWith("checkpoint-")).length).toBe(2);
});

test("when none is whole it says so instead of starting over, every time", async () => {
  await files().save(made(1));
  await files().save(made(2));
  for (const name of await readdir(folder)) await truncate(join(folder, name), 50);
  for (let i = 0; i < 2; i++) await expect(files().load()).rejects.toMatchObject({ code: "CHECKPOINT_CORRUPT" });
});

test("what a killed writer left behind does not count", async () => {
  await files().save(made(1));
  await writeFile(join(folder, ".checkpoint-000002.safetensors.tmp"), "half");
  expect(await files().load()).toEqual(made(1));
  await files().save(made(2));
  expect(await files().load()).toEqual(made(2));
});

test("the checksum covers names, values and state", () => {
  const bytes = encodeCheckpoint(made(1));
  expect(decodeCheckpoint(bytes, "x")).toEqual(made(1));
  const { metadata } = readSafetensors(bytes, { name: "x" });
  const tensors = [...made(1).vectors].map(([name, data]) => ({ name, shape: [data.length], data }));
  const rows = [
    writeSafetensors(tensors, { ...metadata, state: '{"round":9}' }),
    writeSafetensors(tensors.slice(1), metadata),
    writeSafetensors([{ ...tensors[0]!, name: "other" }, ...tensors.slice(1)], metadata),
    writeSafetensors(tensors, { ...metadata, schema: "weft-checkpoint/2" }),
    writeSafetensors(tensors),
  ];
  for (const [i, row] of rows.entries()) {
    expect(() => decodeCheckpoint(row, "x"), `row ${i}`).toThrow(
      expect.objectContaining({ code: "CHECKPOINT_CORRUPT" }),
    );
  }
});

test("a folder that cannot be used is said so", async () => {
  await writeFile(folder, "");
  await expect(files().save(made(1))).rejects.toMatchObject({ code: "DATA_DIRECTORY" });
  await expect(files().load()).rejects.toMatchObject({ code: "DATA_DIRECTORY" });
});
