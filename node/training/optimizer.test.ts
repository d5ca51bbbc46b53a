import { describe, expect, it } from "vitest";
import { adamWStep, clipGradient, optimizerStep, sgdStep, zeroMoments } from "./optimizer.ts";

describe("AdamW", () => {
  it("takes the published steps: three steps written out by hand in float64", () => {
    const settings = { learningRate: 0.1, weightDecay: 0.01 };
    const theta = Float32Array.of(1, -2);
    const moments = zeroMoments(2);
    const expected = [1, -2];
    const [m, v] = [
      [0, 0],
      [0, 0],
    ];
    for (let t = 1; t <= 3; t++) {
      const gradient = Float32Array.of(0.5 * t, -1 / t);
      adamWStep(theta, gradient.slice(), moments, settings);
      for (let i = 0; i < 2; i++) {
        m[i] = 0.9 * m[i]! + 0.1 * gradient[i]!;
        v[i] = 0.999 * v[i]! + 0.001 * gradient[i]! ** 2;
        const update = m[i]! / (1 - 0.9 ** t) / (Math.sqrt(v[i]! / (1 - 0.999 ** t)) + 1e-8);
        expected[i] = expected[i]! - 0.1 * (update + 0.01 * expected[i]!);
      }
      for (let i = 0; i < 2; i++) expect(theta[i]).toBeCloseTo(expected[i]!, 5);
    }
    expect(moments.step).toBe(3);
  });

  it("finds the minimum of a quadratic", () => {
    const theta = Float32Array.of(5, -3);
    const moments = zeroMoments(2);
    for (let i = 0; i < 500; i++) {
      adamWStep(theta, Float32Array.of(2 * (theta[0]! - 1), 20 * (theta[1]! - 2)), moments, {
        learningRate: 0.05,
        weightDecay: 0,
      });
    }
    expect(theta[0]).toBeCloseTo(1, 2);
    expect(theta[1]).toBeCloseTo(2, 2);
  });
});

describe("gradient descent", () => {
  it.each([0, 0.9])("with momentum %s: three steps written out by hand in float64", (momentum) => {
    const settings = { learningRate: 0.1, weightDecay: 0.01, momentum };
    const theta = Float32Array.of(1, -2);
    const moments = zeroMoments(2);
    const expected = [1, -2];
    const m = [0, 0];
    for (let t = 1; t <= 3; t++) {
      const gradient = [0.5 * t, -1 / t];
      sgdStep(theta, Float32Array.from(gradient), moments, settings);
      for (let i = 0; i < 2; i++) {
        m[i] = momentum * m[i]! + gradient[i]! + 0.01 * expected[i]!;
        expected[i] = expected[i]! - 0.1 * m[i]!;
        expect(theta[i]).toBeCloseTo(expected[i]!, 6);
      }
    }
    expect(moments.step).toBe(3);
    expect([...moments.second]).toEqual([0, 0]);
  });

  it("is what the settings ask for, and AdamW where they ask for that", () => {
    const gradient = Float32Array.of(3);
    const step = (optimizer: "adamw" | "sgd"): number => {
      const theta = Float32Array.of(1);
      optimizerStep(theta, gradient, zeroMoments(1), { optimizer, learningRate: 0.5, weightDecay: 0 });
      return theta[0]!;
    };
    expect(step("sgd")).toBe(-0.5);
    // The first step of AdamW is the learning rate in the direction of the gradient's sign.
    expect(step("adamw")).toBeCloseTo(0.5, 6);
  });
});

describe("gradient clipping", () => {
  it.each([
    { gradient: [3, 4], normMax: 1, norm: 5, clipped: [0.6, 0.8] },
    { gradient: [3, 4], normMax: 5, norm: 5, clipped: [3, 4] },
    { gradient: [0, 0], normMax: 1, norm: 0, clipped: [0, 0] },
  ])("of $gradient to $normMax", ({ gradient, normMax, norm, clipped }) => {
    const values = Float32Array.from(gradient);
    expect(clipGradient(values, normMax)).toBeCloseTo(norm, 6);
    expect([...values].map((x) => Math.round(x * 1e6) / 1e6)).toEqual(clipped);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])("reports a norm of NaN for %s", (bad) => {
    expect(clipGradient(Float32Array.of(1, bad), 1)).toBeNaN();
  });
});
