import { describe, expect, test } from "vitest";
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import type { Checkpoint } from "../interface/checkpoint.ts";
import type { PeerEvent, PeerReport } from "../interface/peer-event.ts";
import type { PrivacyGuard } from "../interface/privacy-guard.ts";
import type { ExampleSets } from "../interface/trainer.ts";
import { epsilonOf } from "../privacy/accountant.ts";
import { createPrivacyGuard } from "../privacy/privacy-guard.ts";
import { createMemoryStore } from "../system/files/memory-store.ts";
import { createSecureRandom } from "../system/platform/secure-random.ts";
import { createVirtualClock, type VirtualClock } from "../system/platform/virtual-clock.ts";
import { createRoundDriver, type RoundDriver } from "./driver.ts";
import {
  createHub,
  createMemoryCheckpoints,
  createQuadraticTrainer,
  EXAMPLES,
  type Hub,
  type MemoryCheckpoints,
  SILENT,
  type TrainerFaults,
  testManifest,
  throughTime,
} from "./twins.suite.ts";

const TARGETS: Readonly<Record<string, number>> = { a: 1, b: 2, c: 3, d: 2, liar: 1e6 };

interface Peer {
  readonly driver: RoundDriver;
  readonly events: PeerEvent[];
  readonly checkpoints: MemoryCheckpoints;
  readonly exchange: ReturnType<Hub["join"]>;
  readonly trainer: ReturnType<typeof createQuadraticTrainer>;
}

interface Setting {
  readonly manifest?: NetworkManifest;
  readonly compareAlone?: boolean;
  readonly examples?: ExampleSets;
  readonly stepMs?: number;
  readonly faults?: TrainerFaults;
  /** Told every reference model that the trainer is given. */
  readonly onReference?: (reference: Float32Array | undefined) => void;
  readonly checkpoints?: MemoryCheckpoints;
  readonly onEvent?: (event: PeerEvent) => void;
  readonly privacy?: PrivacyGuard;
  /** Told every warning. */
  readonly onWarn?: (text: string, fields?: object) => void;
}

async function peer(clock: VirtualClock, hub: Hub, name: string, setting: Setting = {}): Promise<Peer> {
  const { manifest = testManifest(), compareAlone = true, stepMs = 10, faults = {}, onEvent } = setting;
  const { examples = EXAMPLES } = setting;
  const checkpoints = setting.checkpoints ?? createMemoryCheckpoints();
  const { onReference = () => undefined, onWarn: warn = () => undefined } = setting;
  const trainer = createQuadraticTrainer(
    { clock },
    { target: TARGETS[name]!, seed: name.charCodeAt(0), stepMs, faults, onReference },
  );
  const exchange = hub.join(name);
  const events: PeerEvent[] = [];
  const emit = (event: PeerEvent): void => {
    events.push(event);
    onEvent?.(event);
  };
  const driver = await createRoundDriver(
    {
      trainer,
      exchange,
      checkpoints,
      clock,
      logger: { ...SILENT, warn },
      ...(setting.privacy && { privacy: setting.privacy }),
      emit,
    },
    { manifest, peer: name, examples, compareAlone },
  );
  return { driver, events, checkpoints, exchange, trainer };
}

const world = (): { clock: VirtualClock; hub: Hub } => {
  const clock = createVirtualClock(1_000_000);
  return { clock, hub: createHub({ clock }) };
};

const run = async (clock: VirtualClock, ...peers: readonly Peer[]): Promise<PeerReport[]> =>
  (await throughTime(clock, Promise.all(peers.map(({ driver }) => driver.run())))) as PeerReport[];

const ofType = <T extends PeerEvent["type"]>(
  events: readonly PeerEvent[],
  type: T,
): Extract<PeerEvent, { type: T }>[] =>
  events.filter((event): event is Extract<PeerEvent, { type: T }> => event.type === type);

const adapterOf = (checkpoint: Checkpoint | undefined): number[] => [...(checkpoint?.vectors.get("adapter") ?? [])];

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

  test("holds a liar off, which the mean does not, and is silent where there are enough neighbours", async () => {
    const ends = async (manifest: NetworkManifest): Promise<{ lowest: number; highest: number; warned: unknown[] }> => {
      const { clock, hub } = world();
      const warned: unknown[] = [];
      const onWarn = (text: string, fields?: object): void => void warned.push({ text, ...fields });
      const peers = await Promise.all(
        ["a", "b", "c", "d", "liar"].map((name) => peer(clock, hub, name, { manifest, onWarn })),
      );
      await run(clock, ...peers);
      const first = await Promise.all(peers.slice(0, 4).map(async ({ trainer }) => (await trainer.adapter())[0]!));
      return { lowest: Math.min(...first), highest: Math.max(...first), warned };
    };
    const robust = await ends(trimmed);
    expect(robust.highest).toBeLessThan(3);
    expect(robust.lowest).toBeGreaterThan(0);
    expect(robust.warned).toEqual([]);
    expect((await ends(testManifest({ count: 2 }))).highest).toBeGreaterThan(100);
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
    expect(warnings).toContainEqual(["fell behind, going on where the others are", jump]);
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
    expect(ofType(a.events, "paused")).toEqual([{ type: "paused", reason: "no space left to write checkpoint" }]);
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

describe("a peer with a privacy budget", () => {
  const settings = { clip: 0.01, noise: 1, delta: 1e-5 } as const;
  const guardOf = (mode: "update" | "example", epsilon: number): Promise<PrivacyGuard> =>
    createPrivacyGuard(
      { store: createMemoryStore(), random: createSecureRandom() },
      {
        settings: { ...settings, mode, epsilon },
        manifest: testManifest(),
        peer: "a",
        examples: 100,
        commonStart: new Float32Array(6),
        fresh: true,
      },
    );

  test("sends noise on a clipped change, keeps its own adapter, and does not say how many examples it has", async () => {
    const { clock, hub } = world();
    const a = await peer(clock, hub, "a", { privacy: await guardOf("update", 1e9) });
    const b = await peer(clock, hub, "b");
    await run(clock, a, b);
    expect(a.exchange.published.map(({ round, sampleCount }) => [round, sampleCount])).toEqual([
      [0, 1],
      [1, 1],
      [2, 1],
      [3, 1],
    ]);
    // The first is the common start, a change of at most 0.01 and noise of as much on each of six values.
    expect(Math.hypot(...a.exchange.published[0]!.theta)).toBeLessThan(0.01 + 6 * 0.01 * Math.sqrt(6));
    expect((await a.trainer.adapter())[0]!).toBeGreaterThan(0.3);
    expect(ofType(a.events, "privacy").map(({ status }) => status.sending)).toEqual([true, true, true, true]);
  });

  test.each(["update", "example"] as const)(
    "stops sending when it is spent, and goes on with the others (%s)",
    async (mode) => {
      const { clock, hub } = world();
      const mechanism = { update: { noise: 0.5, rate: 1, count: 2 }, example: { noise: 1, rate: 0.01, count: 7 } };
      const budget = epsilonOf([mechanism[mode]], settings.delta);
      const said: string[] = [];
      const a = await peer(clock, hub, "a", {
        privacy: await guardOf(mode, budget),
        onWarn: (text) => said.push(text),
      });
      const b = await peer(clock, hub, "b");
      const [report] = await run(clock, a, b);
      const sent = a.exchange.published.length;
      expect(sent).toBe(2);
      expect(report!.rounds.map(({ neighbours }) => neighbours)).toEqual([1, 1, 1, 1]);
      const last = ofType(a.events, "privacy").at(-1)!.status;
      expect(last).toMatchObject({ sending: false, epsilon: budget });
      expect(last.spent).toBeLessThanOrEqual(budget);
      expect(said.filter((text) => text === "the privacy budget is spent, nothing is sent any more")).toHaveLength(1);
    },
  );

  test("that is spent holds the others up for two rounds more, and then no longer", async () => {
    const { clock, hub } = world();
    const manifest = testManifest({ count: 7 });
    const privacy = await guardOf("update", epsilonOf([{ noise: 0.5, rate: 1, count: 2 }], settings.delta));
    const a = await peer(clock, hub, "a", { manifest, privacy, compareAlone: false });
    const b = await peer(clock, hub, "b", { manifest, compareAlone: false });
    const c = await peer(clock, hub, "c", { manifest, compareAlone: false });
    const [, ...reports] = await run(clock, a, b, c);
    expect(a.exchange.published.map(({ round }) => round)).toEqual([0, 1]);
    for (const { rounds } of reports) {
      const { min } = manifest.rounds.deadlineMs;
      const waited = rounds.map(({ seconds }) => 1000 * seconds.network >= min);
      // Rounds 2 and 3 go by without a, which is heard no more; what it sent last is too old from round 4 on.
      expect(waited).toEqual([false, false, true, true, false, false, false]);
      expect(rounds.map(({ neighbours }) => neighbours)).toEqual([2, 2, 2, 2, 1, 1, 1]);
    }
  });
});
