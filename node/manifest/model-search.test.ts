/** Finding a network's model, saying what is missing of it, and noticing when it comes. */
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { embeddedModelDirectory } from "../system/files/embedded-model.ts";
import { patient } from "../system/network/transport.suite.ts";
import { createVirtualClock } from "../system/platform/virtual-clock.ts";
import { createNetwork } from "./create-network.ts";
import { LOOK_INTERVAL_MS, type ModelSearch, searchModel, waitForModel } from "./model-search.ts";

const right = embeddedModelDirectory();
const adapter = { kind: "loreft", rank: 1, layers: [0], positions: { first: 1, last: 1, tied: true } } as const;
const manifest = createNetwork({ name: "hearts", modelDirectory: right, adapter, seed: 1 });
const { digest } = manifest.model;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "weft-model-"));
});
afterEach(() => rm(folder, { recursive: true }));

test("the first directory that has it is taken; of the last one it is said what to put there", async () => {
  expect(searchModel(manifest, [folder, right])).toEqual({ directory: right, needs: [] });
  expect(searchModel(manifest, [right, folder])).toEqual({ directory: right, needs: [] });
  const absent = join(folder, "absent");
  expect(searchModel(manifest, [absent])).toEqual({
    directory: absent,
    needs: [
      { field: "model.digest.config", file: "config.json", expected: digest.config },
      { field: "model.digest.tokenizer", file: "tokenizer.json", expected: digest.tokenizer },
      { field: "model.digest.weights", file: "model.safetensors", expected: digest.weights },
    ],
  });
  await cp(right, folder, { recursive: true });
  await writeFile(join(folder, "tokenizer.json"), `${await readFile(join(right, "tokenizer.json"), "utf8")} `);
  expect(searchModel(manifest, [folder]).needs).toEqual([
    {
      field: "model.digest.tokenizer",
      file: "tokenizer.json",
      expected: digest.tokenizer,
      found: expect.stringMatching(/^[0-9a-f]{64}$/),
    },
  ]);
  await writeFile(join(folder, "config.json"), "{");
  expect(searchModel(manifest, [folder]).needs).toMatchObject([{ found: expect.stringContaining("not valid JSON") }]);
});

test("it is noticed once its files are whole, and the person is reminded until then", async () => {
  const clock = createVirtualClock(0);
  const reminders: ModelSearch[] = [];
  const place = join(folder, "model");
  let isThere = false;
  const signal = patient();
  const onReminder = (search: ModelSearch): void => void reminders.push(search);
  const waiting = waitForModel({ clock }, manifest, [place], { onReminder, signal }).then(() => {
    isThere = true;
  });
  const look = async (times: number): Promise<void> => {
    for (let i = 0; i < times; i++) {
      clock.advance(LOOK_INTERVAL_MS);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await look(121);
  expect(reminders.map(({ needs }) => needs.length)).toEqual([3]);
  await mkdir(place);
  await cp(join(right, "config.json"), join(place, "config.json"));
  await look(3);
  expect(isThere).toBe(false);
  await cp(right, place, { recursive: true });
  // Changed since the last look: it may still be being written.
  await look(1);
  expect(isThere).toBe(false);
  await look(2);
  await waiting;
  expect(isThere).toBe(true);
});

test("the wait ends with its signal", async () => {
  const controller = new AbortController();
  const clock = createVirtualClock(0);
  const waiting = waitForModel({ clock }, manifest, [folder], { onReminder: () => {}, signal: controller.signal });
  controller.abort();
  await waiting;
});
