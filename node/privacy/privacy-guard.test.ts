import { randomFillSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { parameterCount } from "../../protocol/adapter-spec.ts";
import type { PrivacySettings } from "../interface/privacy.ts";
import type { PrivacyGuard } from "../interface/privacy-guard.ts";
import type { Store } from "../interface/store.ts";
import { blindLambda } from "../lambda/peer-rule.ts";
import { testManifest } from "../round/twins.suite.ts";
import { createMemoryStore } from "../system/files/memory-store.ts";
import { epsilonOf } from "./accountant.ts";
import { hasBudget } from "./budget.ts";
import { createPrivacyGuard, stepMechanism } from "./privacy-guard.ts";

const random = { fill: (out: Uint8Array) => void randomFillSync(out) };
const manifest = testManifest();
const P = parameterCount(manifest.tensors);
const UPDATE: PrivacySettings = { mode: "update", clip: 1, noise: 8, epsilon: 3, delta: 1e-5 };
const EXAMPLE: PrivacySettings = { mode: "example", clip: 1, noise: 1.1, epsilon: 4, delta: 1e-5 };

const guardOf = (
  store: Store,
  settings: PrivacySettings,
  fresh = true,
  { isRestored = false } = {},
): Promise<PrivacyGuard> =>
  createPrivacyGuard(
    { store, random },
    { settings, manifest, peer: "a", examples: 1000, commonStart: new Float32Array(P), fresh, isRestored },
  );

const filled = (value: number): Float32Array => new Float32Array(P).fill(value);
const distance = (a: Float32Array, b: Float32Array): number => Math.hypot(...a.map((x, i) => x - b[i]!));

describe("by update", () => {
  test("the spend is in the store before the update is handed out, and sending ends with the budget", async () => {
    const store = createMemoryStore();
    const guard = await guardOf(store, UPDATE);
    let sent = 0;
    for (let round = 0; round < 200; round++) {
      await guard.roundStarts({ round, theta: filled(0) });
      const before = guard.status().spent;
      const theta = await guard.release({ round, theta: filled(1) });
      if (theta === undefined) break;
      sent += 1;
      const expected = epsilonOf([{ noise: UPDATE.noise / 2, rate: 1, count: sent }], UPDATE.delta);
      expect(guard.status().spent).toBeCloseTo(expected, 12);
      expect(guard.status().spent).toBeGreaterThan(before);
      // Another life of the peer, at this very moment, knows of it.
      expect((await guardOf(store, UPDATE, false)).status().spent).toBeCloseTo(expected, 12);
    }
    expect(sent).toBeGreaterThan(2);
    expect(guard.status()).toMatchObject({ sending: false, epsilon: 3 });
    expect(guard.status().spent).toBeLessThanOrEqual(3);
    const more = epsilonOf([{ noise: UPDATE.noise / 2, rate: 1, count: sent + 1 }], UPDATE.delta);
    expect(more).toBeGreaterThan(3);
    const again = await guardOf(store, UPDATE, false);
    expect(again.status().sending).toBe(false);
    expect(await again.release({ round: 999, theta: filled(1) })).toBeUndefined();
  });

  test("nothing but the clipped change of the round is in what is sent", async () => {
    const quiet = { ...UPDATE, noise: 1e-6, epsilon: 1e30 };
    const guard = await guardOf(createMemoryStore(), quiet);
    await guard.roundStarts({ round: 0, theta: filled(100) });
    const sent = await guard.release({ round: 0, theta: filled(200) });
    // The peer stands at 100 and moves by 100; the public start is 0 and the clip 1.
    expect(distance(sent!, filled(0))).toBeCloseTo(1, 3);
  });

  test("the public twin goes with the others, by what was received alone, and a restart keeps it", async () => {
    const store = createMemoryStore();
    const quiet = { ...UPDATE, noise: 1e-6, epsilon: 1e30 };
    const guard = await guardOf(store, quiet);
    const neighbours = [{ peer: "b", round: 0, theta: filled(4), sampleCount: 1 }];
    await guard.aggregated({ neighbours, asOf: 0 });
    const { value: lambda } = blindLambda(manifest.aggregation.lambda);
    const again = await guardOf(store, quiet, false);
    await again.roundStarts({ round: 1, theta: filled(-50) });
    const sent = await again.release({ round: 1, theta: filled(-50) });
    expect(distance(sent!, filled(4 * lambda))).toBeLessThan(1e-3);
  });
});

describe("by example", () => {
  test("local steps are counted before they are taken, whether their result is sent or not", async () => {
    const store = createMemoryStore();
    const guard = await guardOf(store, EXAMPLE);
    const mechanism = stepMechanism(EXAMPLE, manifest, 1000);
    await guard.beforeSteps(8);
    expect(guard.status().spent).toBe(0);
    await guard.beforeSteps(8);
    const theta = filled(3);
    expect(await guard.release({ round: 0, theta })).toBe(theta);
    const expected = epsilonOf([{ ...mechanism, count: 16 }], EXAMPLE.delta);
    expect(guard.status().spent).toBeCloseTo(expected, 12);
    // A crash and the same steps again: they count again.
    const again = await guardOf(store, EXAMPLE, false);
    await again.beforeSteps(8);
    await again.release({ round: 1, theta });
    expect(again.status().spent).toBeCloseTo(epsilonOf([{ ...mechanism, count: 24 }], EXAMPLE.delta), 12);
    await again.beforeSteps(10_000_000);
    expect(await again.release({ round: 2, theta })).toBeUndefined();
    expect(again.status()).toMatchObject({ sending: false });
    expect(again.status().spent).toBeLessThan(EXAMPLE.epsilon);
  });
  test("the peer goes towards an aggregate by a rule that looks at no data", async () => {
    expect((await guardOf(createMemoryStore(), EXAMPLE)).lambda.mode).toBe("fixed");
  });
});

describe("of a key that was restored alone", () => {
  const { localSteps } = manifest.rounds;
  const rows = [
    { settings: UPDATE, least: 5, most: 5, mechanism: { noise: UPDATE.noise / 2, rate: 1 } },
    {
      settings: EXAMPLE,
      least: 5 * localSteps,
      most: 13 * localSteps,
      mechanism: stepMechanism(EXAMPLE, manifest, 1000),
    },
  ];
  const earlier = { sequence: 4, round: 12 };
  const problem = "budget-not-counted";

  test.each(rows)("nothing follows what the chain shows until that is stated: $settings.mode", async (row) => {
    const { settings, least, most, mechanism } = row;
    const store = createMemoryStore();
    const roomy = { ...settings, epsilon: 1e6 };
    const guard = await guardOf(store, roomy);
    const refused = { code: "PRIVACY_BUDGET", facts: { problem, mode: settings.mode, count: most } };
    expect(() => guard.follows(earlier)).toThrow(expect.objectContaining(refused));
    const fewer = await guardOf(store, { ...roomy, earlier: least - 1 }, false);
    expect(() => fewer.follows(earlier)).toThrow(/update 4 of this peer, of round 12/);
    const stated = await guardOf(store, { ...roomy, earlier: least }, false);
    stated.follows(earlier);
    const spent = (count: number): number => epsilonOf([{ ...mechanism, count }], settings.delta);
    expect(stated.status().spent).toBeCloseTo(spent(least), 9);
    // Stated again, or a smaller number: nothing is counted twice, and nothing taken back.
    for (const again of [least, 1, undefined]) {
      const same = await guardOf(store, { ...roomy, ...(again !== undefined && { earlier: again }) }, false);
      expect(same.status().spent).toBeCloseTo(spent(least), 9);
      same.follows(earlier);
    }
  });

  test("the budget is not opened before that is stated, and what is stated may have spent it", async () => {
    const store = createMemoryStore();
    const restored = { isRestored: true };
    await expect(guardOf(store, EXAMPLE, true, restored)).rejects.toMatchObject({ facts: { problem } });
    expect(await hasBudget(store)).toBe(false);
    expect((await guardOf(createMemoryStore(), { ...EXAMPLE, earlier: 0 }, true, restored)).status().spent).toBe(0);
    const spent = await guardOf(store, { ...EXAMPLE, earlier: 10_000_000 }, true, restored);
    expect(spent.status()).toMatchObject({ sending: false });
    expect(await spent.release({ round: 0, theta: filled(1) })).toBeUndefined();
    // From now on the store knows.
    await guardOf(store, EXAMPLE, false, restored);
  });

  test("a sketch counts for the one that was sent before as well", async () => {
    const sketch = { noise: 2, rate: 0.5 };
    const guard = await guardOf(createMemoryStore(), { ...EXAMPLE, epsilon: 100, earlier: 3 });
    expect(await guard.releaseSketch(sketch)).toBe(true);
    const expected = epsilonOf(
      [
        { ...stepMechanism(EXAMPLE, manifest, 1000), count: 3 },
        { ...sketch, count: 2 },
      ],
      EXAMPLE.delta,
    );
    expect(guard.status().spent).toBeCloseTo(expected, 9);
  });
});

describe("a budget is refused", () => {
  const code = { code: "PRIVACY_BUDGET" };
  test("after training or sending without one", async () => {
    await expect(guardOf(createMemoryStore(), UPDATE, false)).rejects.toMatchObject(code);
  });
  test("of another mode", async () => {
    const store = createMemoryStore();
    await guardOf(store, EXAMPLE);
    expect(await hasBudget(store)).toBe(true);
    await expect(guardOf(store, UPDATE)).rejects.toMatchObject(code);
  });
  test.each(["", "{}", '{"schema":"weft-privacy/1","mode":"update","performed":[{"noise":0}],"released":[]}'])(
    "that cannot be read: %s",
    async (text) => {
      const store = createMemoryStore();
      await store.batch([{ put: "privacy/budget", value: new TextEncoder().encode(text) }]);
      await expect(guardOf(store, UPDATE)).rejects.toMatchObject(code);
    },
  );
});
