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

const guardOf = (store: Store, settings: PrivacySettings, fresh = true): Promise<PrivacyGuard> =>
  createPrivacyGuard(
    { store, random },
    { settings, manifest, peer: "a", examples: 1000, commonStart: new Float32Array(P), fresh },
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
