import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createNetwork } from "../manifest/create-network.ts";
import type { TrialResult } from "../system/compute/device-trial.ts";
import { embeddedModelDirectory } from "../system/files/embedded-model.ts";
import { readOrCreateKey } from "../system/files/key-file.ts";
import { examine, judge } from "./doctor.ts";

const result = (difference: number): TrialResult => {
  const step = { loss: 2, gradient: Float32Array.of(1, 4 + 4 * difference), seconds: 0.1, startSeconds: 1 };
  const steps = { loreft: { ...step, gradient: Float32Array.of(1, 4) }, lora: step };
  return { ok: true, steps, float16: { ok: false, reason: "no such numbers" } };
};

describe("what a trial says of a device", () => {
  it("that agrees with the processor: it is well, and how much they differ", () => {
    const finding = judge("webgpu", result(2 ** -12), result(0));
    expect(finding).toMatchObject({ device: "webgpu", state: "ok" });
    expect(finding.steps?.lora.difference).toBeCloseTo(2 ** -12, 6);
    expect(finding.steps?.loreft.difference).toBe(0);
  });

  it.each([2 ** -8, Number.NaN])("that differs by %d: it fails, in which step and by how much", (difference) => {
    const { state, reason } = judge("webgpu", result(difference), result(0));
    expect(state).toBe("failed");
    expect(reason).toMatch(/^its lora step differs from the processor's by (0\.0039|NaN), more than 0\.001$/);
  });

  it("and of products in 16 bits: why there are none, how much they differ, and whether that is too much", () => {
    expect(judge("webgpu", result(0), result(0)).float16).toEqual({ ok: false, reason: "no such numbers" });
    const [fine, wrong] = [2 ** -8, 2 ** -5].map((difference) => {
      const trial = result(difference);
      if (!trial.ok) return expect.unreachable();
      return judge("webgpu", { ...result(0), float16: { ok: true, steps: trial.steps } } as TrialResult, result(0));
    });
    expect(fine).toMatchObject({ state: "ok", float16: { ok: true } });
    const reason = expect.stringMatching(/^its lora step differs from the processor's by 0\.031, more than 0\.02$/);
    expect(wrong).toMatchObject({ state: "ok", float16: { ok: false, reason } });
  });

  it("that cannot be used: that is no failure; one that crashes is", () => {
    const missing: TrialResult = { ok: false, code: "DEVICE_UNAVAILABLE", reason: "no driver" };
    expect(judge("cuda", missing, result(0))).toEqual({ device: "cuda", state: "unavailable", reason: "no driver" });
    const crashed: TrialResult = { ok: false, code: "CRASHED", reason: "SIGSEGV" };
    expect(judge("cuda", crashed, result(0))).toEqual({ device: "cuda", state: "failed", reason: "SIGSEGV" });
    expect(judge("cuda", result(0), crashed)).toMatchObject({ state: "failed", reason: /processor to compare with/ });
  });
});

describe("an examination", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "weft-doctor-"));
    await readOrCreateKey(join(folder, "key"));
  });
  afterAll(() => rm(folder, { recursive: true }));
  const modelDirectory = embeddedModelDirectory();
  const manifest = createNetwork({
    name: "poems",
    modelDirectory,
    adapter: { kind: "lora", rank: 1, alpha: 1, targets: ["q_proj"], layers: [0] },
    seed: 1,
  });
  const look = (change: Partial<Parameters<typeof examine>[0]>) =>
    examine({
      dataDirectory: folder,
      modelDirectory,
      manifest,
      devices: ["cpu"],
      signal: new AbortController().signal,
      ...change,
    });

  it("of a peer that is well finds nothing wrong", async () => {
    const report = await look({});
    expect(report).toMatchObject({ healthy: true, auto: "cpu", devices: [{ device: "cpu", state: "ok" }] });
    const states = Object.fromEntries(report.findings.map(({ name, state }) => [name, state]));
    expect(states).toEqual({ machine: "ok", "data folder": "ok", key: "ok", disk: states.disk, model: "ok" });
    expect(report.findings.at(-1)?.text).toBe(`${modelDirectory} is that of network poems`);
  });

  it("names what is wrong: a key that others may read, another model than the network's", async () => {
    const { digest, family } = manifest.model;
    const other = { ...manifest, model: { family, digest: { ...digest, weights: "0".repeat(64) } } };
    await chmod(join(folder, "key"), 0o644);
    const report = await look({ manifest: other, devices: [] });
    expect(report.healthy).toBe(false);
    const problems = report.findings.filter(({ state }) => state === "problem").map(({ name }) => name);
    expect(problems).toEqual(process.platform === "win32" ? ["model"] : ["key", "model"]);
    expect(report.findings.at(-1)?.text).toMatch(/is not the model of network poems: the weights .* has digest/);
  });
});
