/** Training that goes on, and training that keeps its best step, by the command line. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CommandResult, weft } from "../../command.suite.ts";
import { watchWeft } from "../../process.suite.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "weft-train-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const NODE = join(import.meta.dirname, "../../../node");
const MODEL = ["--model", join(NODE, "model/cases/base-llama"), "--threads", "1"];
const DATA = join(NODE, "data/cases/A1-array.json");
const ADAPTER = ["--adapter", "lora:r2:q_proj", "--batch-size", "4"];
const train = (out: string, ...more: string[]): Promise<CommandResult> =>
  weft(["train", ...MODEL, "--data", DATA, "--json", "--out", join(folder, out), ...more]);
const bytes = (name: string): string => readFileSync(join(folder, name, "adapter.safetensors")).toString("base64");

describe("weft train --from", () => {
  it("goes on where the training stopped: so many steps and so many more are all of them, bit for bit", async () => {
    const schedule = ["--schedule", "linear:2", "--learning-rate", "0.01", "--optimizer", "sgd:0.9"];
    const whole = await train("whole", ...ADAPTER, ...schedule, "--steps", "6");
    // The schedule ends where it was to end, so the first part names all the steps and is stopped.
    const first = await train("first", ...ADAPTER, ...schedule, "--steps", "2");
    expect([whole.code, first.code]).toEqual([0, 0]);
    const second = await train("second", "--from", join(folder, "first"), "--steps", "4");
    expect(second.err).toContain("from step 2 on");
    expect(second.err).toContain("the learning rate was to fall until step 2; it falls until step 6 now");
    expect(JSON.parse(second.out)).toMatchObject({ steps: 4, step: 6 });
    // With a warm-up of both first steps the rates are the same in either.
    expect(bytes("second")).toBe(bytes("whole"));
  });

  it("goes on with the steps that were left when a process was interrupted, as if it had not been", async () => {
    const words = ["train", ...MODEL, "--data", DATA, ...ADAPTER, "--schedule", "cosine:3", "--steps", "600"];
    const once = watchWeft([...words, "--out", join(folder, "once")]);
    expect(await once.ended).toBe(0);
    const stopped = watchWeft([...words, "--format", "jsonl", "--out", join(folder, "interrupted")]);
    await stopped.said(/"step":20,/);
    stopped.child.kill("SIGINT");
    expect(await stopped.ended).toBe(130);
    const from = ["--from", join(folder, "interrupted"), "--out", join(folder, "finished")];
    const rest = watchWeft(["train", ...MODEL, "--data", DATA, ...from]);
    expect(await rest.ended).toBe(0);
    expect(rest.text.err).toMatch(/from step \d+ on/);
    expect(bytes("finished")).toBe(bytes("once"));
    expect(bytes("finished")).not.toBe(bytes("interrupted"));
  });

  it("refuses what would make the moments or the order mean something else, unless it begins anew", async () => {
    const from = ["--from", join(folder, "first"), "--steps", "1"];
    const refused = await train("refused", ...from, "--batch-size", "2");
    expect([refused.code, refused.err]).toEqual([2, expect.stringContaining("batchSize was 4 where the training")]);
    expect(refused.err).toContain("--fresh");
    const other = await weft(["train", ...MODEL, ...from, "--out", join(folder, "other")]);
    expect([other.code, other.err]).toEqual([2, expect.stringContaining("the training examples are not those")]);
    const changed = await train("changed", ...from, "--learning-rate", "0.02");
    expect([changed.code, changed.err]).toEqual([0, expect.stringContaining("with another learningRate than before")]);
    const fresh = await train("fresh", ...from, "--batch-size", "2", "--fresh");
    expect([fresh.code, JSON.parse(fresh.out).step]).toEqual([0, 1]);
    expect((await train("none", ...ADAPTER, "--fresh")).code).toBe(2);
  });

  it("says of an adapter that does not tell where its training stopped that it begins anew", async () => {
    const peft = join(folder, "peft");
    const words = ["--adapter", join(folder, "first"), ...MODEL.slice(0, 2), "--format", "peft", "--out", peft];
    expect((await weft(["adapter", "export", ...words])).code).toBe(0);
    const { code, err } = await train("of-peft", "--from", peft, "--steps", "1", "--batch-size", "4");
    expect([code, err]).toEqual([0, expect.stringContaining("begin anew")]);
  });
});

describe("weft train --early-stop", () => {
  it("keeps the adapter of the best validation, stops when none is better, and goes on with what it watched", async () => {
    // Steps so large that the loss rises after the first ones.
    const rate = ["--learning-rate", "3", "--schedule", "constant"];
    const words = [...ADAPTER, ...rate, "--steps", "40", "--early-stop", "2", "--eval-steps", "2"];
    const { code, out, err } = await train("stopped", ...words);
    expect(code).toBe(0);
    const { best, step, steps } = JSON.parse(out);
    expect(steps).toBeLessThan(40);
    expect(step).toBe(best.step + 4);
    expect(err).toContain(`stopped at step ${step}: 2 validations were no better`);
    // The same steps without a look at validation end with the best one's adapter.
    await train("until", ...ADAPTER, ...rate, "--steps", String(best.step));
    expect(bytes("stopped")).toBe(bytes("until"));
    const on = JSON.parse((await train("on", "--from", join(folder, "stopped"))).out);
    expect(on.steps).toBeLessThanOrEqual(40 - step);
    expect(on.best.loss).toBeLessThanOrEqual(best.loss);
  });
});
