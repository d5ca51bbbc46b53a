/** What is held out stays held out, and what was learnt is answered: trainings by the command line that take seconds each. */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { weft } from "../command.suite.ts";
import { caseFolder, evaluate, given, train } from "./data-cases.suite.ts";

const folder = caseFolder();

describe("what is held out", () => {
  it("D1: the test set is that of training, whatever the flags of the command", async () => {
    const data = given("D1-notes.txt");
    const { out, folder: adapter } = await train(data, "--max-tokens", "256", "--batch-size", "8", "--steps", "4");
    const { after } = JSON.parse(out);
    expect((await evaluate("--data", data, "--adapter", adapter)).loss).toBe(after.loss);
    const other = await evaluate("--data", data, "--adapter", adapter, "--batch-size", "16", "--max-tokens", "64");
    expect(other.err).toMatch(/records are longer than 64 tokens|data: /);
  });

  it("D2: also with another seed, when training goes on, and after the way through PEFT", async () => {
    const data = given("D2-rows.jsonl");
    const first = await train(data, "--seed", "7", "--batch-size", "8", "--steps", "4");
    const { after } = JSON.parse(first.out);
    const again = join(folder(), "again");
    const words = [
      "train",
      "--from",
      first.folder,
      "--data",
      data,
      "--batch-size",
      "8",
      "--steps",
      "1",
      "--out",
      again,
    ];
    const goesOn = await weft([...words, "--threads", "1", "--json"]);
    expect(JSON.parse(goesOn.out).before.loss).toBe(after.loss);
    expect(goesOn.err).not.toContain("left out");
    const peft = join(folder(), "peft");
    const exported = await weft(["adapter", "export", "--adapter", first.folder, "--format", "peft", "--out", peft]);
    expect([exported.code, exported.out]).toEqual([0, expect.stringContaining("weft-data.json")]);
    const { loss } = await evaluate("--data", data, "--adapter", peft);
    expect(loss).toBe(after.loss);
  });
});

describe("a prompt is put to the adapter as it was trained", () => {
  it("C1: what was learnt as an instruction is answered when it is asked", async () => {
    const shape = "lora:r16:q_proj,v_proj,o_proj,up_proj,down_proj,gate_proj";
    const more = ["--batch-size", "8", "--steps", "300", "--learning-rate", "0.01"];
    const { code, err, folder: adapter } = await train(given("C1-colours.jsonl"), ...more, "--adapter", shape);
    expect([code, err]).toEqual([0, expect.stringContaining("16 held-out records are trained on too")]);
    const asked = ["generate", "--prompt", "What color is the dog?", "--adapter", adapter, "--threads", "1", "--json"];
    const { out } = await weft(asked);
    expect(JSON.parse(out).response).toBe("blue");
  }, 300_000);
});
