import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { boundOf } from "../data-directory/file-bounds.ts";
import { dataDirectoryLayout } from "../data-directory/layout.ts";
import { loadAdapter, openModel } from "../local/stored-adapter.ts";
import { createNetwork } from "../manifest/create-network.ts";
import { embeddedModelDirectory } from "../system/files/embedded-model.ts";
import { keepsBestRound } from "./best-adapter.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "weft-best-"));
});
afterEach(() => rm(folder, { recursive: true }));

it("lies in the data directory as any command takes an adapter, the better one in the place of the one before", async () => {
  const modelDirectory = embeddedModelDirectory();
  const adapter: AdapterSettings = { kind: "lora", rank: 1, alpha: 2, targets: ["q_proj"], layers: [0] };
  const manifest = createNetwork({ name: "n", modelDirectory, adapter, seed: 3 });
  const layout = dataDirectoryLayout(folder);
  const opened = openModel(modelDirectory);
  const start = adapterMethod(adapter).start(adapter, opened.model.shape, 3);
  const keep = keepsBestRound(layout, { manifest, modelDirectory });
  await keep(start);
  expect(await readdir(layout.bestRound)).toEqual(["adapter.json", "adapter.safetensors"]);
  await writeFile(join(folder, "weft-data.json"), "{}");
  const better = start.map((x) => x + 1);
  await keep(better);
  expect(await readdir(layout.bestRound)).toEqual(["adapter.json", "adapter.safetensors", "weft-data.json"]);
  expect((await loadAdapter(layout.bestRound, opened)).adapter).toMatchObject({ settings: adapter, values: better });
  for (const name of await readdir(folder)) expect(boundOf(name), name).toBeDefined();
});
