import { describe, expect, test } from "vitest";
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import type { PeerEvent } from "../interface/peer-event.ts";
import { createVirtualClock } from "../system/platform/virtual-clock.ts";
import { ofType, type Peer, peer, run, world } from "./driver.suite.ts";
import {
  createHub,
  createMemoryCheckpoints,
  createQuadraticTrainer,
  testManifest,
  throughTime,
} from "./twins.suite.ts";

describe("peers together", () => {
  test("all rounds are done, everybody hears everybody, and what is learned is shared", async () => {
    const { clock, hub } = world();
    const peers = [await peer(clock, hub, "a"), await peer(clock, hub, "b"), await peer(clock, hub, "c")];
    const reports = await run(clock, ...peers);
    for (const [i, report] of reports.entries()) {
      expect(report.rounds.map(({ round }) => round)).toEqual([0, 1, 2, 3]);
      expect(report.rounds.map(({ neighbours }) => neighbours)).toEqual([2, 2, 2, 2]);
      expect(report.updates).toEqual({ accepted: 8, ignored: 0, rejected: 0 });
      expect(report.bytes.received).toBe(8 * 24);
      expect(peers[i]!.exchange.published.map(({ round }) => round)).toEqual([0, 1, 2, 3]);
      expect(ofType(peers[i]!.events, "round").map(({ summary }) => summary)).toEqual(report.rounds);
      const sizes = [0, 1, 2, 3].map((round) => ({ type: "published", round, bytes: 24, encoding: 1 }));
      expect(ofType(peers[i]!.events, "published")).toEqual(sizes);
      expect(report.rounds.map(({ updateBytes }) => updateBytes)).toEqual([24, 24, 24, 24]);
      expect(ofType(peers[i]!.events, "finished")).toEqual([{ type: "finished", report }]);
      expect(ofType(peers[i]!.events, "update").length).toBe(8);
    }
    // Alone each moves towards its own target; together towards one another, too.
    const [low, , high] = await Promise.all(peers.map(async ({ trainer }) => (await trainer.adapter())[0]!));
    const alone = await Promise.all(
      [1, 3].map(async (target) => {
        const trainer = createQuadraticTrainer({ clock }, { target, seed: 9 });
        await throughTime(clock, trainer.train({ steps: 12 }));
        return (await trainer.adapter())[0]!;
      }),
    );
    expect(high! - low!).toBeLessThan(0.7 * (alone[1]! - alone[0]!));
  });

  test("a proximal term holds each round to the mean of the adapters that left the last two, after a restart too", async () => {
    const { clock, hub } = world();
    const base = testManifest();
    const manifest = { ...base, training: { ...base.training, proximal: 0.1 } };
    const given: (Float32Array | undefined)[] = [];
    const checkpoints = createMemoryCheckpoints();
    const a = await peer(clock, hub, "a", {
      manifest,
      checkpoints,
      compareAlone: false,
      onReference: (reference) => given.push(reference),
    });
    await run(clock, a);
    const left = new Map<number, Float32Array>();
    for (const { state, vectors } of checkpoints.saved) {
      const { position } = state as { position: { round: number; phase: string } };
      if (position.phase === "training") left.set(position.round, vectors.get("adapter")!.slice());
    }
    expect(given[0]).toBeUndefined();
    expect(given[1]).toEqual(left.get(1));
    for (const round of [2, 3]) {
      for (const [i, x] of given[round]!.entries()) {
        expect(x).toBeCloseTo((left.get(round)![i]! + left.get(round - 1)![i]!) / 2, 6);
      }
    }
    // Go on from the checkpoint with which round 2 began.
    const begin = checkpoints.saved.findIndex(
      ({ state }) => (state as { position: { round: number } }).position.round === 2,
    );
    const again: (Float32Array | undefined)[] = [];
    const resumed = await peer(createVirtualClock(1_000_000), createHub({ clock }), "a", {
      manifest,
      checkpoints: createMemoryCheckpoints(checkpoints.saved[begin]),
      compareAlone: false,
      onReference: (reference) => again.push(reference),
    });
    const running = resumed.driver.run();
    await resumed.driver.stop();
    await running;
    expect(again).toEqual([given[2]]);
    const free = await peer(clock, createHub({ clock }), "b", { onReference: () => expect.unreachable() });
    await run(clock, free);
  });

  test("steps are told one by one, in the swarm and alone", async () => {
    const { clock, hub } = world();
    const a = await peer(clock, hub, "a", { manifest: testManifest({ count: 2, localSteps: 10 }) });
    await run(clock, a);
    const steps = ofType(a.events, "step");
    for (const phase of ["swarm", "alone"] as const) {
      const told = steps
        .filter((event) => event.phase === phase)
        .map(({ round, step, steps: of }) => [round, step, of]);
      expect(told).toEqual([0, 1].flatMap((round) => Array.from({ length: 10 }, (_, i) => [round, i + 1, 10])));
    }
  });

  test("time goes to what it is spent on", async () => {
    const { clock, hub } = world();
    const [report] = await run(clock, await peer(clock, hub, "a", { compareAlone: false }));
    for (const { seconds, deadlineMs } of report!.rounds) {
      expect(seconds.train).toBeCloseTo(0.03, 9);
      // Nobody is there: the shortest deadline.
      expect(seconds.network).toBeCloseTo(0.2, 9);
      expect(seconds.total).toBeCloseTo(0.23, 9);
      expect(deadlineMs).toBe(5000);
    }
    expect(report!.seconds.total).toBeCloseTo(4 * 0.23, 9);
  });

  test("lambda by search and an average over time as reference", async () => {
    const { clock, hub } = world();
    const manifest = testManifest(
      {},
      {
        aggregation: { ...testManifest().aggregation, lambda: { mode: "search" } },
        reference: { kind: "ema", decay: 0.5, l1: 0, l2: 0.1 },
      },
    );
    const reports = await run(
      clock,
      await peer(clock, hub, "b", { manifest }),
      await peer(clock, hub, "d", { manifest }),
    );
    for (const { rounds } of reports)
      for (const { lambda } of rounds) expect([0, 0.25, 0.5, 0.75, 1]).toContain(lambda);
  });
});

describe("a robust rule of the manifest", () => {
  const trimmed = testManifest(
    { count: 2 },
    { aggregation: { ...testManifest().aggregation, rule: "trimmed-mean", trim: 0.25 } },
  );

  test("holds a liar off, for which the mean has to be refused, and is silent where there are enough neighbours", async () => {
    const ends = async (
      manifest: NetworkManifest,
    ): Promise<{ lowest: number; highest: number; warned: unknown[]; refused: unknown[] }> => {
      const { clock, hub } = world();
      const warned: unknown[] = [];
      const onWarn = (text: string, fields?: object): void => void warned.push({ text, ...fields });
      const peers = await Promise.all(
        ["a", "b", "c", "d", "liar"].map((name) => peer(clock, hub, name, { manifest, onWarn })),
      );
      await run(clock, ...peers);
      const first = await Promise.all(peers.slice(0, 4).map(async ({ trainer }) => (await trainer.adapter())[0]!));
      const refused = peers.flatMap(({ events }) => ofType(events, "refused"));
      return { lowest: Math.min(...first), highest: Math.max(...first), warned, refused };
    };
    const robust = await ends(trimmed);
    expect(robust.highest).toBeLessThan(3);
    expect(robust.lowest).toBeGreaterThan(0);
    expect([robust.warned, robust.refused]).toEqual([[], []]);
    const mean = await ends(testManifest({ count: 2 }));
    expect(mean.highest).toBeLessThan(3);
    expect(mean.lowest).toBeGreaterThan(0);
    const refused = { type: "refused", reason: "values" };
    expect(mean.refused).toEqual(expect.arrayContaining([0, 1].map((round) => ({ ...refused, round }))));
    // The event tells it, and no warning beside it.
    expect(mean.warned).toEqual([]);
  });

  test("says what stood in for it where there are too few", async () => {
    const { clock, hub } = world();
    const warned: unknown[] = [];
    const onWarn = (text: string, fields?: object): void => void warned.push({ text, ...fields });
    const peers = [
      await peer(clock, hub, "a", { manifest: trimmed, onWarn }),
      await peer(clock, hub, "b", { manifest: trimmed }),
      await peer(clock, hub, "c", { manifest: trimmed }),
      await peer(clock, hub, "d", { manifest: trimmed }),
    ];
    const reports = await run(clock, ...peers);
    expect(reports[0]!.rounds.map(({ neighbours }) => neighbours)).toEqual([3, 3]);
    expect(warned).toEqual(
      [0, 1].map((round) => ({
        text: "too few neighbours for the rule",
        round,
        rule: "trimmed-mean",
        neighboursMin: 4,
        neighbours: 3,
        instead: "geometric-median",
      })),
    );
  });
});

describe("base, alone and swarm", () => {
  test("alone means: the same start, the same batches, as many steps as in the swarm, nobody else", async () => {
    const { clock, hub } = world();
    const peers = [await peer(clock, hub, "a"), await peer(clock, hub, "c")];
    const [report] = await run(clock, ...peers);
    const trainer = createQuadraticTrainer({ clock }, { target: 1, seed: "a".charCodeAt(0) });
    const base = await trainer.evaluate({ set: "test", adapter: "base" });
    await throughTime(clock, trainer.train({ steps: 12 }));
    const alone = await trainer.evaluate({ set: "test" });
    expect(report!.base.loss).toBe(base.loss);
    expect(report!.alone!.loss).toBe(alone.loss);
    expect(report!.swarm.loss).toBe((await peers[0]!.trainer.evaluate({ set: "test" })).loss);
    expect(report!.swarm.loss).not.toBe(report!.alone!.loss);
  });

  test("without the comparison nothing is trained afterwards", async () => {
    const { clock, hub } = world();
    const a = await peer(clock, hub, "a", { compareAlone: false });
    const [report] = await run(clock, a);
    expect(report).not.toHaveProperty("alone");
    expect(ofType(a.events, "step").length).toBe(12);
  });

  test("steps that are not finite are counted and leave no trace in the mean loss", async () => {
    const { clock, hub } = world();
    const [report] = await run(clock, await peer(clock, hub, "a", { faults: { isBad: (step) => step === 1 } }));
    expect(report!.rounds.map(({ stepsSkipped }) => stepsSkipped)).toEqual([1, 0, 0, 0]);
    expect(report!.rounds.every(({ trainLoss }) => Number.isFinite(trainLoss))).toBe(true);
  });

  test("training that diverges ends the run; what was saved stays", async () => {
    const { clock, hub } = world();
    const a = await peer(clock, hub, "a", { faults: { diverges: (step) => step === 7 } });
    await expect(run(clock, a)).rejects.toMatchObject({ code: "TRAINING_DIVERGED" });
    const again = await peer(clock, hub, "a", { checkpoints: a.checkpoints });
    expect(again.driver.position).toEqual({ round: 2, resumed: true });
    await a.driver.stop();
  });

  test("when only the run alone diverges it is evaluated where it stands", async () => {
    const { clock, hub } = world();
    let hasEnded = false;
    const a = await peer(clock, hub, "a", {
      faults: { diverges: (step) => hasEnded && step === 8 },
      onEvent: (event) => (hasEnded ||= event.type === "round" && event.summary.round === 3),
    });
    const [report] = await run(clock, a);
    expect(report!.alone!.loss).toBeLessThan(report!.base.loss);
  });
});

describe("peers come and go", () => {
  test("one that vanishes holds nobody up", async () => {
    const { clock, hub } = world();
    const manifest = testManifest({ count: 8 });
    const c = await peer(clock, hub, "c", {
      manifest,
      onEvent: (event) => {
        if (event.type === "round" && event.summary.round === 2) hub.leave("c");
      },
    });
    const others = [await peer(clock, hub, "a", { manifest }), await peer(clock, hub, "b", { manifest })];
    void c.driver.run();
    const reports = await run(clock, ...others);
    for (const { rounds } of reports) {
      expect(rounds.length).toBe(8);
      for (const { seconds } of rounds) expect(seconds.network).toBeLessThan(0.3);
      expect(rounds.at(-1)!.neighbours).toBe(1);
    }
    await throughTime(clock, c.driver.stop());
  });

  test("a slow one is not waited for beyond the deadline, and its late updates are used", async () => {
    const { clock, hub } = world();
    const manifest = testManifest({ count: 6, deadlineMs: { min: 20, max: 100 } });
    const slow = await peer(clock, hub, "c", { manifest, stepMs: 300, compareAlone: false });
    const quick = [
      await peer(clock, hub, "a", { manifest, stepMs: 100 }),
      await peer(clock, hub, "b", { manifest, stepMs: 100 }),
    ];
    const [a] = await run(clock, ...quick, slow);
    for (const { seconds } of a!.rounds) expect(seconds.network).toBeLessThanOrEqual(0.1 + 1e-9);
    expect(Math.max(...a!.rounds.map(({ stalenessMax }) => stalenessMax))).toBeGreaterThan(0);
  });

  test("a late joiner goes on where the others are", async () => {
    const { clock, hub } = world();
    const manifest = testManifest({ count: 10 });
    const reached = Promise.withResolvers<void>();
    const onEvent = (event: PeerEvent): void => {
      if (event.type === "round" && event.summary.round === 5) reached.resolve();
    };
    const early = [await peer(clock, hub, "a", { manifest, onEvent }), await peer(clock, hub, "b", { manifest })];
    let late: Promise<Peer> | undefined;
    const warnings: unknown[] = [];
    const running = Promise.all(early.map(({ driver }) => driver.run()));
    const joining = reached.promise.then(async () => {
      late = peer(clock, hub, "c", { manifest, onWarn: (text, fields) => warnings.push([text, fields]) });
      return (await late).driver.run();
    });
    const [reports, report] = await throughTime(clock, Promise.all([running, joining]));
    const rounds = report!.rounds.map(({ round }) => round);
    expect(rounds[0]).toBe(0);
    expect(rounds[1]).toBeGreaterThanOrEqual(6);
    expect(rounds.at(-1)).toBe(9);
    expect(reports[0]!.rounds.at(-1)!.neighbours).toBe(2);
    const jump = { from: 0, to: rounds[1]! };
    expect(ofType((await late!).events, "jumped")).toEqual([{ type: "jumped", ...jump }]);
    expect(warnings).toEqual([]);
    // Alone it trained exactly as long.
    expect(ofType((await late!).events, "step").filter(({ phase }) => phase === "alone").length).toBe(
      3 * rounds.length,
    );
  });

  test("an observer that is alone stays in its round, and goes with the others when they come", async () => {
    const clock = createVirtualClock(1_000_000);
    const hub = createHub({ clock }, { observers: ["c"] });
    const observer = await peer(clock, hub, "c", { compareAlone: false });
    const running = observer.driver.run();
    await throughTime(clock, new Promise<void>((resolve) => clock.after(10_000, resolve)));
    const alone = ofType(observer.events, "round").map(({ summary }) => summary.round);
    expect(alone.length).toBeGreaterThan(5);
    expect(new Set(alone)).toEqual(new Set([0]));
    const others = await Promise.all(["a", "b"].map((name) => peer(clock, hub, name)));
    const [report] = await throughTime(clock, Promise.all([running, ...others.map(({ driver }) => driver.run())]));
    expect(report!.rounds.at(-1)).toMatchObject({ round: testManifest().rounds.count - 1, neighbours: 2 });
    expect(ofType(observer.events, "update").filter(({ verdict }) => verdict !== "accept")).toEqual([]);
  });

  test("who comes when the others are through does all its rounds, and mixes in what they have", async () => {
    const { clock, hub } = world();
    await run(clock, await peer(clock, hub, "a"), await peer(clock, hub, "b"));
    const late = await peer(clock, hub, "c", { compareAlone: false });
    const [report] = await run(clock, late);
    expect(report!.rounds.map(({ round }) => round)).toEqual([0, 1, 2, 3]);
    expect(report!.rounds.map(({ neighbours }) => neighbours)).toEqual([2, 2, 2, 2]);
    expect(report!.rounds.map(({ stalenessMax }) => stalenessMax)).toEqual([0, 0, 0, 0]);
    expect(ofType(late.events, "step").length).toBe(12);
  });

  test("a lost announcement is asked for", async () => {
    const { clock, hub } = world();
    const peers = [await peer(clock, hub, "a"), await peer(clock, hub, "b")];
    hub.loseAnnouncementsOf("b");
    const [a] = await run(clock, ...peers);
    expect(a!.rounds.map(({ neighbours }) => neighbours)).toEqual([1, 1, 1, 1]);
  });

  test("who is through first stays until the others have published their last round", async () => {
    const { clock, hub } = world();
    const manifest = testManifest({ count: 1, deadlineMs: { min: 20, max: 2000 } });
    const quick = await peer(clock, hub, "a", { manifest, compareAlone: false, stepMs: 1 });
    const slow = await peer(clock, hub, "b", { manifest, compareAlone: false, stepMs: 1000 });
    const ends: [string, number][] = [];
    const note = async (name: string, { driver }: Peer): Promise<void> => {
      await driver.run();
      ends.push([name, clock.now() - 1_000_000]);
    };
    await throughTime(clock, Promise.all([note("a", quick), note("b", slow)]));
    // a publishes at 3 ms, waits 2000 for b, serves until b has published at 3000 and its update is there; b finds the
    // update of a, and stays for the shortest deadline so that its own can be fetched.
    expect(ends).toEqual([
      ["a", 3005],
      ["b", 3020],
    ]);
  });
});
