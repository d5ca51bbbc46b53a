import { describe, expect, test } from "vitest";
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import type { Checkpoint } from "../interface/checkpoint.ts";
import type { PeerReport } from "../interface/peer-event.ts";
import type { ExampleSets } from "../interface/trainer.ts";
import type { VirtualClock } from "../system/platform/virtual-clock.ts";
import { adapterOf, ofType, type Peer, peer, run, world } from "./driver.suite.ts";
import { createMemoryCheckpoints, EXAMPLES, testManifest, throughTime } from "./twins.suite.ts";

describe("nothing is lost", () => {
  const manifest = testManifest({ count: 2, localSteps: 20 });

  async function whole(): Promise<{ readonly report: PeerReport; readonly saved: readonly Checkpoint[] }> {
    const { clock, hub } = world();
    const a = await peer(clock, hub, "a", { manifest });
    const [report] = await run(clock, a);
    return { report: report!, saved: a.checkpoints.saved };
  }

  const losses = ({ base, alone, swarm, rounds }: PeerReport) => ({
    base,
    alone,
    swarm,
    rounds: rounds.map(({ round, trainLoss, validationLoss }) => ({ round, trainLoss, validationLoss })),
  });

  test("a kill at any checkpoint leads to the same end, bit for bit", async () => {
    const { report, saved } = await whole();
    // 20 steps in chunks of 8: two inside a round, one after it, one after aggregating; then the run alone.
    expect(saved.length).toBeGreaterThanOrEqual(8 + 5);
    for (const [i, checkpoint] of saved.entries()) {
      const { clock, hub } = world();
      const again = await peer(clock, hub, "a", { manifest, checkpoints: createMemoryCheckpoints(checkpoint) });
      const [resumed] = await run(clock, again);
      expect(losses(resumed!), `killed after checkpoint ${i}`).toEqual(losses(report));
      expect(adapterOf(again.checkpoints.saved.at(-1))).toEqual(adapterOf(saved.at(-1)));
      const repeated = ofType(again.events, "step").filter(({ phase }) => phase === "swarm").length;
      expect(repeated).toBeLessThanOrEqual(40);
    }
  });

  test("a stop at any step leads to the same end, bit for bit", async () => {
    const { report } = await whole();
    for (let stopAt = 1; stopAt <= 80; stopAt += 7) {
      const { clock, hub } = world();
      let steps = 0;
      let stopping: Promise<void> | undefined;
      const first = await peer(clock, hub, "a", {
        manifest,
        onEvent: (event) => {
          if (event.type === "step" && ++steps === stopAt) stopping = first.driver.stop();
        },
      });
      expect(await throughTime(clock, first.driver.run()), `stopped at step ${stopAt}`).toBeUndefined();
      await stopping;
      const second = await peer(clock, hub, "a", { manifest, checkpoints: first.checkpoints });
      const [resumed] = await run(clock, second);
      expect(losses(resumed!), `stopped at step ${stopAt}`).toEqual(losses(report));
      const taken = [...ofType(first.events, "step"), ...ofType(second.events, "step")];
      expect(taken.length, "no step is taken twice").toBe(80);
    }
  });

  test("stopping does not wait for others, and may be asked for twice", async () => {
    const { clock, hub } = world();
    hub.join("b");
    const patient = testManifest({ deadlineMs: { min: 200, max: 1e9 } });
    const a = await peer(clock, hub, "a", { manifest: patient });
    const running = a.driver.run();
    for (let i = 0; i < 50 && a.driver.status().phase !== "collecting"; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      if (a.driver.status().phase === "training") clock.advance(10);
    }
    expect(a.driver.status()).toEqual({ phase: "collecting", round: 0 });
    await Promise.all([a.driver.stop(), a.driver.stop()]);
    expect(await running).toBeUndefined();
    // Beyond what is on its way to b, nothing waits.
    clock.advance(5);
    expect(clock.waiting()).toBe(0);
    // It was published: going on, it is announced again as it was, not trained again.
    const setting = { manifest: patient, checkpoints: a.checkpoints, compareAlone: false };
    const again = await peer(clock, hub, "a", setting);
    await run(clock, again);
    expect(ofType(again.events, "step").length).toBe(9);
  });

  test("on a full disk it pauses, says so once, and goes on by itself", async () => {
    const { clock, hub } = world();
    const checkpoints = createMemoryCheckpoints(undefined, (attempt) => attempt >= 2 && attempt < 7);
    const a = await peer(clock, hub, "a", { manifest, checkpoints });
    const before = clock.now();
    const [report] = await run(clock, a);
    expect(ofType(a.events, "paused")).toEqual([
      { type: "paused", reason: "no space left to write checkpoint; free some space and it goes on" },
    ]);
    expect(losses(report!)).toEqual(losses((await whole()).report));
    // 1 + 2 + 4 + 8 + 16 seconds.
    expect(clock.now() - before).toBeGreaterThan(31_000);
  });

  test("while it waits for space it can be stopped; the checkpoint before stays", async () => {
    const { clock, hub } = world();
    const checkpoints = createMemoryCheckpoints(undefined, (attempt) => attempt >= 2);
    let stopping: Promise<void> | undefined;
    const a = await peer(clock, hub, "a", {
      manifest,
      checkpoints,
      onEvent: (event) => {
        if (event.type === "paused") stopping = a.driver.stop();
      },
    });
    expect(await throughTime(clock, a.driver.run())).toBeUndefined();
    await stopping;
    expect(checkpoints.saved.length).toBe(2);
    expect(clock.waiting()).toBe(0);
  });

  test("after the end, another start reports the same without training", async () => {
    const { report, saved } = await whole();
    const { clock, hub } = world();
    const again = await peer(clock, hub, "a", { manifest, checkpoints: createMemoryCheckpoints(saved.at(-1)) });
    const [repeated] = await run(clock, again);
    expect(repeated).toEqual(report);
    expect(ofType(again.events, "step")).toEqual([]);
  });

  test("a checkpoint of other examples is refused; one from before they were kept is accepted and keeps them from then on", async () => {
    const { report, saved } = await whole();
    const last = saved.at(-1)!;
    const other = { ...EXAMPLES, train: EXAMPLES.train.slice(1) };
    const open = async (checkpoint: Checkpoint, examples: ExampleSets): Promise<Peer & { clock: VirtualClock }> => {
      const { clock, hub } = world();
      const checkpoints = createMemoryCheckpoints(checkpoint);
      return { clock, ...(await peer(clock, hub, "a", { manifest, examples, checkpoints })) };
    };
    await expect(open(last, other)).rejects.toMatchObject({
      code: "DATA_MISMATCH",
      message: expect.stringContaining("different: train examples"),
    });
    const { examples, ...without } = last.state as Record<string, unknown>;
    expect(examples).toBeDefined();
    const old = await open({ ...last, state: without }, other);
    expect(await run(old.clock, old)).toEqual([report]);
    // A finished one saves nothing more; one that still trains does.
    const middle = saved.find(({ state }) => (state as { position: { round: number } }).position.round === 1)!;
    const { examples: _kept, ...begun } = middle.state as Record<string, unknown>;
    const resumed = await open({ ...middle, state: begun }, other);
    await run(resumed.clock, resumed);
    await expect(open(resumed.checkpoints.saved.at(-1)!, EXAMPLES)).rejects.toMatchObject({ code: "DATA_MISMATCH" });
    await open(resumed.checkpoints.saved.at(-1)!, other);
  });

  test("a checkpoint of another network, and a damaged one, are refused", async () => {
    const { saved } = await whole();
    const last = saved.at(-1)!;
    const open = async (checkpoint: Checkpoint, of: NetworkManifest = manifest): Promise<Peer> => {
      const { clock, hub } = world();
      return peer(clock, hub, "a", { manifest: of, checkpoints: createMemoryCheckpoints(checkpoint) });
    };
    await expect(open(last, { ...manifest, seed: 2 })).rejects.toMatchObject({ code: "MANIFEST_MISMATCH" });
    const rows: Checkpoint[] = [
      { ...last, state: null },
      { ...last, state: { ...(last.state as object), stepsTaken: -1 } },
      { ...last, vectors: new Map([...last.vectors].filter(([name]) => name !== "first_moment")) },
      { ...last, vectors: new Map(last.vectors).set("adapter", new Float32Array(5)) },
      { ...last, vectors: new Map(last.vectors).set("reference.7", new Float32Array(6)) },
    ];
    for (const row of rows) await expect(open(row)).rejects.toMatchObject({ code: "CHECKPOINT_CORRUPT" });
  });
});
