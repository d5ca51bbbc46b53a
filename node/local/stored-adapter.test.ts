import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { networkId } from "../../protocol/network-manifest.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { dataDirectoryLayout } from "../data-directory/layout.ts";
import { writeAdapterDirectory } from "../interchange/adapter-directory.ts";
import type { TrainerState } from "../interface/trainer.ts";
import { NO_TRIAL } from "../lambda/trial.ts";
import { createNetwork } from "../manifest/create-network.ts";
import { exampleDigests } from "../round/example-digests.ts";
import { NO_FORGETTING, NO_SCORES } from "../round/forgetting.ts";
import { encodeMemory, NO_PROGRESS, type PeerMemory } from "../round/peer-memory.ts";
import { prepareOutputFolder, writeFolder } from "../system/files/adapter-files.ts";
import { createCheckpointFiles } from "../system/files/checkpoint-file.ts";
import { embeddedModelDirectory } from "../system/files/embedded-model.ts";
import { createLogger } from "../system/platform/log.ts";
import { adapterOfPeer, loadAdapter, openModel } from "./stored-adapter.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "weft-stored-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const directory = embeddedModelDirectory();
const opened = openModel(directory);
/** Keeps A and B to itself: a checkpoint has more than what travels. */
const PERSONAL: AdapterSettings = {
  kind: "tri-lora",
  basis: "personal",
  rank: 2,
  alpha: 4,
  targets: ["q_proj"],
  layers: "all",
};
const manifest = createNetwork({ name: "n", modelDirectory: directory, adapter: PERSONAL, seed: 3 });
const start = adapterMethod(PERSONAL).start(PERSONAL, opened.model.shape, 3);

const trained = (shift: number): TrainerState => ({
  adapter: start.map((x) => x + shift),
  firstMoment: new Float32Array(start.length),
  secondMoment: new Float32Array(start.length),
  step: 1,
});

async function saveCheckpoint(evaluation: PeerMemory["evaluation"], network = networkId(manifest)): Promise<void> {
  const memory: PeerMemory = {
    trainer: trained(1),
    reference: { kind: "none" },
    position: { round: 1, phase: "training" },
    pace: [],
    progress: NO_PROGRESS,
    stepsTaken: 1,
    summaries: [],
    trial: NO_TRIAL,
    best: NO_SCORES,
    forgetting: NO_FORGETTING,
    evaluation,
  };
  const logger = createLogger({ level: "error", fields: {} });
  const files = createCheckpointFiles({ logger }, { folder: dataDirectoryLayout(folder).checkpoints });
  await files.save(
    encodeMemory(memory, { network, examples: exampleDigests({ train: [], validation: [], test: [] }) }),
  );
}

const fails = (code: string, text: string) => expect.objectContaining({ code, message: expect.stringContaining(text) });

describe("the adapter of a peer", () => {
  it("is that of its newest checkpoint, with what it keeps to itself", async () => {
    await saveCheckpoint({ stage: "none" });
    const adapter = await adapterOfPeer(folder, manifest, opened);
    expect(adapter).toMatchObject({ settings: PERSONAL, seed: 3, values: trained(1).adapter });
    expect(adapter.tensors.map(({ name }) => name.split(".").at(-1)).slice(0, 3)).toEqual(["A", "B", "C"]);
    await prepareOutputFolder(join(folder, "out"));
    await writeFolder(join(folder, "out"), writeAdapterDirectory(adapter));
    expect((await loadAdapter(join(folder, "out"), opened)).adapter).toEqual(adapter);
  });

  it("is the swarm's while the peer trains alone to compare", async () => {
    const score = { loss: 1, accuracy: 0, exactMatch: 0, tokens: 1 };
    const scores = { base: score, swarmScore: score };
    await saveCheckpoint({ stage: "alone", ...scores, swarm: trained(2), stepsDone: 1 });
    expect((await adapterOfPeer(folder, manifest, opened)).values).toEqual(trained(2).adapter);
  });

  it("is refused where there is none, or one of another network", async () => {
    await expect(adapterOfPeer(folder, manifest, opened)).rejects.toEqual(fails("ADAPTER_FILE", "no checkpoint yet"));
    await saveCheckpoint({ stage: "none" }, networkId({ ...manifest, seed: 4 }));
    await expect(adapterOfPeer(folder, manifest, opened)).rejects.toEqual(
      fails("MANIFEST_MISMATCH", "another network"),
    );
  });
});
