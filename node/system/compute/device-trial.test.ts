import { describe, expect, it } from "vitest";
import { DIFFERENCE_MAX, trialDifference } from "../../training/trial-step.ts";
import { embeddedModelDirectory } from "../files/embedded-model.ts";
import { tryDevice } from "./device-trial.ts";

const modelDirectory = embeddedModelDirectory();
const signal = new AbortController().signal;

describe("a device that is tried in a process of its own", () => {
  it("gives the same bits twice on the processor", async () => {
    const trial = () => tryDevice("cpu", { modelDirectory, timeoutMs: 60_000, signal });
    const [a, b] = await Promise.all([trial(), trial()]);
    if (!a.ok || !b.ok) return expect.unreachable();
    for (const kind of ["loreft", "lora"] as const) {
      expect(a.steps[kind].gradient).toEqual(b.steps[kind].gradient);
      expect(trialDifference(a.steps[kind], b.steps[kind])).toBe(0);
      expect(a.steps[kind].gradient.some((g) => Math.abs(g) > 1e-3)).toBe(true);
    }
  });

  it("says why it cannot be used, and what else went wrong", async () => {
    const absent = process.platform === "win32" ? "coreml" : "dml";
    expect(await tryDevice(absent, { modelDirectory, timeoutMs: 60_000, signal })).toMatchObject({
      ok: false,
      code: "DEVICE_UNAVAILABLE",
      reason: expect.stringMatching(/^onnxruntime-node has it on /),
    });
    expect(await tryDevice("cpu", { modelDirectory: "/nowhere", timeoutMs: 60_000, signal })).toMatchObject({
      ok: false,
      code: "MODEL_MISSING",
      reason: expect.stringContaining("/nowhere"),
    });
  });

  it("is given up after its time, or when its process dies, or when nobody wants to know any more", async () => {
    expect(await tryDevice("cpu", { modelDirectory, timeoutMs: 1, signal })).toEqual({
      ok: false,
      code: "CRASHED",
      reason: "no result within 0.001 s",
    });
    const environment = { NODE_OPTIONS: "--no-such-option" };
    expect(await tryDevice("cpu", { modelDirectory, timeoutMs: 60_000, signal, environment })).toMatchObject({
      code: "CRASHED",
      reason: expect.stringMatching(/^its process ended with code \d+: .*no-such-option/),
    });
    const aborted = AbortSignal.abort(new Error("enough"));
    expect(() => tryDevice("cpu", { modelDirectory, timeoutMs: 60_000, signal: aborted })).toThrow("enough");
    const later = new AbortController();
    const trial = tryDevice("cpu", { modelDirectory, timeoutMs: 60_000, signal: later.signal });
    later.abort(new Error("enough"));
    await expect(trial).rejects.toThrow("enough");
  });
});

describe("the difference of two steps", () => {
  const step = (loss: number, ...gradient: number[]) => ({ loss, gradient: Float32Array.from(gradient) });
  it.each([
    { name: "nothing", found: step(2, 1, -4), expected: step(2, 1, -4), difference: 0 },
    { name: "a part of the largest gradient", found: step(2, 1.5, -4), expected: step(2, 1, -4), difference: 0.125 },
    { name: "the loss, where that differs more", found: step(3, 1.5, -4), expected: step(2, 1, -4), difference: 0.5 },
  ])("is $name", ({ found, expected, difference }) => {
    expect(trialDifference(found, expected)).toBeCloseTo(difference, 12);
  });

  it("with a value that is no number is never small enough", () => {
    for (const found of [step(Number.NaN, 1, 2), step(1, Number.NaN, 2), step(1, 1, Number.NaN)]) {
      expect(trialDifference(found, step(1, 1, 2)) <= DIFFERENCE_MAX).toBe(false);
    }
  });
});
