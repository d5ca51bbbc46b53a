import { describe, expect, it } from "vitest";
import { createNetwork, embeddedModelDirectory } from "../../../node/index.ts";
import type { Terminal } from "../../terminal.ts";
import { CentralRun } from "./central-run.ts";

const manifest = await createNetwork({
  name: "testnet",
  modelDirectory: embeddedModelDirectory(),
  adapter: { kind: "loreft", rank: 1, layers: [3], positions: "all" },
  rounds: { count: 2, localSteps: 1 },
  bootstrap: [],
  seed: 1,
});
const settings = { peers: 2, engine: {}, logLevel: "warn" };

function run(model?: string) {
  let said = "";
  const stopped = new AbortController();
  const terminal: Terminal = {
    out: () => undefined,
    err: (text) => void (said += text),
    errIsTerminal: false,
    columns: () => 80,
    nextLine: () => Promise.resolve(),
    environment: {},
    signal: stopped.signal,
  };
  const flags = { threads: 1, ...(model !== undefined && { model }) };
  const central = new CentralRun({ flags, manifest, settings, terminal });
  return { central, said: () => said, stop: () => stopped.abort() };
}

const figures = (scores: Awaited<ReturnType<CentralRun["scores"]>>) => ({ ...scores, seconds: 0 });

describe("the training with everybody's data", () => {
  it("reaches the same beside the peers as after them, where it is said that it begins", async () => {
    const [beside, after] = [run(), run(embeddedModelDirectory())];
    for (const { central } of [beside, after]) central.beginBeside();
    const scores = await beside.central.scores();
    expect(scores).toMatchObject({ steps: 4, peers: [{ loss: expect.any(Number) }, { loss: expect.any(Number) }] });
    expect(after.said()).toBe("");
    expect(figures(await after.central.scores())).toEqual(figures(scores));
    expect(after.said()).toBe("all data in one place, to compare with: training\n");
  });

  it("is nothing where the person stops it, and ends with a run that fails", async () => {
    const [stopped, failed] = [run(), run()];
    for (const { central } of [stopped, failed]) central.beginBeside();
    stopped.stop();
    expect(await stopped.central.scores()).toBeUndefined();
    await failed.central.stop();
    await expect(failed.central.scores()).rejects.toThrow();
  });
});
