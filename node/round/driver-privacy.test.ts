import { describe, expect, test } from "vitest";
import type { PeerEvent } from "../interface/peer-event.ts";
import type { PrivacyGuard } from "../interface/privacy-guard.ts";
import { epsilonOf } from "../privacy/accountant.ts";
import { createPrivacyGuard, stepMechanism } from "../privacy/privacy-guard.ts";
import { createMemoryStore } from "../system/files/memory-store.ts";
import { createSecureRandom } from "../system/platform/secure-random.ts";
import { ofType, peer, run, world } from "./driver.suite.ts";
import { testManifest } from "./twins.suite.ts";

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
      // The status of the budget tells it, and no warning beside it.
      expect(said).toEqual([]);
    },
  );

  test("counts every local step before it is taken: of rounds, of rivals, and of the run alone", async () => {
    const { clock, hub } = world();
    let [counted, taken] = [0, 0];
    const guard = await guardOf("example", 1e9);
    const privacy: PrivacyGuard = {
      ...guard,
      // A rule that looks at losses and trains a rival.
      lambda: { mode: "adaptive" },
      beforeSteps: async (count) => {
        counted += count;
        await guard.beforeSteps(count);
      },
    };
    const onEvent = (event: PeerEvent): void => {
      if (event.type === "step") expect(++taken).toBeLessThanOrEqual(counted);
    };
    const a = await peer(clock, hub, "a", { privacy, onEvent, compareAlone: true });
    const b = await peer(clock, hub, "b");
    const [report] = await run(clock, a, b);
    const ofRivals = report!.rounds.reduce((sum, { lambdaCost }) => sum + lambdaCost.steps, 0);
    expect(ofRivals).toBeGreaterThan(0);
    expect(ofType(a.events, "step").filter(({ phase }) => phase === "alone").length).toBeGreaterThan(0);
    expect(counted).toBe(taken + ofRivals);
    // What comes next is charged for all of them.
    await guard.release({ round: 9, theta: new Float32Array(6) });
    const mechanism = stepMechanism({ ...settings, mode: "example", epsilon: 1e9 }, testManifest(), 100);
    expect(guard.status().spent).toBeCloseTo(epsilonOf([{ ...mechanism, count: counted }], settings.delta), 9);
  });

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
