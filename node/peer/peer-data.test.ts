import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { EXAMPLE_MANIFEST } from "../../testnet/fixtures/example-run.ts";
import { dataDirectoryLayout } from "../data-directory/layout.ts";
import { loadExamples } from "../local/data-source.ts";
import { exampleDigests } from "../round/example-digests.ts";
import { createCheckpointFiles } from "../system/files/checkpoint-file.ts";
import { embeddedModelDirectory } from "../system/files/embedded-model.ts";
import { createLogger } from "../system/platform/log.ts";
import { loadPeerExamples } from "./peer-data.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "weft-peer-data-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

test("a peer that began with its data divided by the seed keeps them so; any other has them divided by content", async () => {
  const file = join(folder, "rows.jsonl");
  const rows = Array.from(
    { length: 120 },
    (_, i) => `${JSON.stringify({ prompt: `say ${i}`, response: `it is ${i}` })}\n`,
  );
  writeFileSync(file, rows.join(""));
  const modelDirectory = embeddedModelDirectory();
  const under = { manifest: EXAMPLE_MANIFEST, modelDirectory };
  const { maxTokens, batchSize } = EXAMPLE_MANIFEST.training;
  const options = { file, modelDirectory, maxTokens, batchSize, seed: EXAMPLE_MANIFEST.seed };
  const [byContent, bySeed] = [await loadExamples(options), await loadExamples({ ...options, heldOut: "by seed" })];
  expect(exampleDigests(byContent.sets)).not.toEqual(exampleDigests(bySeed.sets));

  const peer = join(folder, "peer");
  expect((await loadPeerExamples({ file }, under, peer)).sets).toEqual(byContent.sets);
  const logger = createLogger({ level: "error", fields: {} });
  const checkpoints = createCheckpointFiles({ logger }, { folder: dataDirectoryLayout(peer).checkpoints });
  await checkpoints.save({ vectors: new Map(), state: { examples: exampleDigests(bySeed.sets) } });
  const kept = await loadPeerExamples({ file }, under, peer);
  expect(kept.sets).toEqual(bySeed.sets);
  expect(kept.notes!.at(-1)).toContain("it stays so");
});
