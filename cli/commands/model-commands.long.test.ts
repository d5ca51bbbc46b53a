/** train, eval, adapter, model and generate as a user has them, on the embedded model. */
import { readFileSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sharedAsset } from "../../node/golden/shared-assets.suite.ts";
import { loadOnnxRuntime } from "../../node/system/compute/load-onnxruntime.ts";
import { embeddedModelDirectory } from "../../node/system/files/embedded-model.ts";
import { parseAdapter } from "../adapter-argument.ts";
import { runCommandLine } from "../program.ts";
import type { Terminal } from "../terminal.ts";

const ort = loadOnnxRuntime();

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "weft-model-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));
const at = (...names: string[]): string => join(folder, ...names);

async function weft(words: readonly string[], signal = new AbortController().signal, hear?: (text: string) => void) {
  let [out, err] = ["", ""];
  const terminal: Terminal = {
    out: (chunk) => {
      out += chunk;
      hear?.(chunk);
    },
    err: (chunk) => {
      err += chunk;
      hear?.(chunk);
    },
    errIsTerminal: false,
    columns: () => 80,
    nextLine: () => Promise.resolve(),
    environment: { WEFT_DATA_DIR: at("peer") },
    signal,
  };
  const code = await runCommandLine(words, terminal);
  return { code, out, err, json: () => JSON.parse(out) };
}

const BOTH = "lora:r2:q_proj,down_proj+loreft:r2:f3+l3";
const train = (out: string, ...more: string[]) => [
  "train",
  "--steps",
  "10",
  "--threads",
  "1",
  "--length-buckets",
  "1",
  "--out",
  out,
  "--json",
  ...more,
];

describe("an ONNX file", () => {
  it("is trained on rows of tensors, and written beside the original", async () => {
    const model = join(import.meta.dirname, "../../node/model/golden/gpt-dynamo-20.onnx");
    const row = (first: number) => JSON.stringify({ input_ids: [first, 3, 7, 2], labels: [3, 7, 2, -100] });
    await writeFile(at("rows.jsonl"), [2, 4, 6].map(row).join("\n"));
    const words = ["model", "train", model, "--data", at("rows.jsonl"), "--threads", "1", "--json"];
    const chosen = ["--weights", "*norm*", "--weights", "words.weight", "--lora", "*", "--rank", "2"];
    const more = ["--learning-rate", "0.03", "--steps", "20", "--out", at("trained.onnx")];
    const { code, err, json } = await weft([...words, ...chosen, ...more]);
    expect([code, err]).toEqual([0, expect.stringContaining("step 20 of 20")]);
    const { weights, firstLoss, lastLoss, steps } = json();
    expect([steps, weights]).toEqual([20, expect.arrayContaining(["words.weight", "norm.bias"])]);
    expect(lastLoss).toBeLessThan(0.5 * firstLoss);
    const session = await ort.InferenceSession.create(at("trained.onnx"));
    const ids = new ort.Tensor("int64", BigInt64Array.from([2n, 3n, 7n]), [1, 3]);
    const { logits } = await session.run({ input_ids: ids });
    await session.release();
    // It has learnt what follows 2, 3 and 7, in sizes that it was not trained with.
    const data = logits!.data as Float32Array;
    const likeliest = [0, 1, 2].map((t) => data.subarray(13 * t, 13 * (t + 1))).map((z) => z.indexOf(Math.max(...z)));
    expect(likeliest).toEqual([3, 7, 2]);
    const heldOut = await weft([
      ...words,
      ...chosen,
      ...more,
      "--held-out",
      "0.3",
      "--batch-size",
      "1",
      "--accumulate",
      "2",
    ]);
    expect(heldOut).toMatchObject({ code: 0, err: expect.stringMatching(/loss on 1 row held out: \d\S+ before, \d/) });
    expect(heldOut.json().heldOut).toEqual({ before: expect.any(Number), after: expect.any(Number) });
    expect(await weft([...words, ...chosen, "--out", model])).toMatchObject({
      code: 2,
      err: expect.stringContaining("--out names the model itself; give another file"),
    });
  });
});

describe("an adapter's way", () => {
  beforeAll(async () => {
    const { code, err } = await weft(train(at("both"), "--adapter", BOTH, "--learning-rate", "0.01"));
    expect([code, err]).toEqual([0, expect.stringContaining("step 10 of 10")]);
  });
  const evaluate = async (...more: string[]) => (await weft(["eval", "--threads", "1", "--json", ...more])).json();

  it("begins with training, which says what it was good for", async () => {
    const before = await evaluate();
    const after = await evaluate("--adapter", at("both"));
    const { json } = await weft(train(at("again"), "--adapter", BOTH, "--learning-rate", "0.01"));
    expect(json()).toMatchObject({
      adapter: parseAdapter(BOTH),
      before: { loss: expect.closeTo(before.loss, 5) },
      after: { loss: after.loss, accuracy: after.accuracy },
      steps: 10,
      stepsSkipped: 0,
    });
    expect(after.loss).toBeLessThan(before.loss);
    // The same seed, the same bits.
    for (const name of await readdir(at("both"))) {
      expect([name, await readFile(at("again", name))]).toEqual([name, await readFile(at("both", name))]);
    }
  });

  it("leads to PEFT and back with the same loss, the LoRA part alone", async () => {
    const refused = await weft(["adapter", "export", "--adapter", at("both"), "--format", "peft", "--out", at("peft")]);
    expect(refused).toMatchObject({ code: 2, err: expect.stringContaining("--part lora") });
    const part = ["adapter", "export", "--adapter", at("both"), "--part", "lora"];
    await weft([...part, "--out", at("lora")]);
    expect((await weft([...part, "--format", "peft", "--out", at("peft")])).code).toBe(0);
    const files = ["adapter_config.json", "adapter_model.safetensors", "weft-data.json"];
    expect((await readdir(at("peft"))).toSorted()).toEqual(files);
    const { code, out } = await weft(["adapter", "import", at("peft"), "--out", at("imported")]);
    expect([code, out]).toEqual([0, expect.stringContaining("lora:r2:q_proj,down_proj:alpha4, ")]);
    const { loss } = await evaluate("--adapter", at("lora"));
    for (const name of ["peft", "imported"]) expect((await evaluate("--adapter", at(name))).loss).toBe(loss);
  });

  it("leads to pyreft and back with the same loss, the ReFT part alone", async () => {
    const part = ["adapter", "export", "--adapter", at("both"), "--part", "reft"];
    await weft([...part, "--out", at("reft")]);
    const { code, err } = await weft([...part, "--format", "pyreft", "--out", at("pyreft")]);
    expect([code, err]).toEqual([0, expect.stringContaining('position="f3+l3"')]);
    const unsaid = await weft(["adapter", "import", at("pyreft"), "--out", at("back")]);
    expect(unsaid).toMatchObject({ code: 2, err: expect.stringContaining("--positions f7+l7") });
    await weft(["adapter", "import", at("pyreft"), "--positions", "f3+l3", "--out", at("back")]);
    const { loss } = await evaluate("--adapter", at("reft"));
    expect((await evaluate("--adapter", at("back"))).loss).toBe(loss);
    const own = await weft(["generate", "--prompt", "x", "--adapter", at("reft"), "--positions", "f1"]);
    expect(own).toMatchObject({ code: 2, err: expect.stringContaining("leave --positions out") });
  });

  it("goes on from where it was", async () => {
    const { json } = await weft(train(at("longer"), "--from", at("both"), "--learning-rate", "0.01"));
    expect(json().before.loss).toBe((await evaluate("--adapter", at("both"))).loss);
    const both = await weft(train(at("x"), "--from", at("both"), "--adapter", BOTH));
    expect(both).toMatchObject({ code: 2, err: expect.stringContaining("not both") });
  });

  it("can end in the weights, as a directory and an ONNX file that say the same", async () => {
    await weft(["adapter", "export", "--adapter", at("both"), "--part", "lora", "--out", at("merge-lora")]);
    const config = JSON.parse(readFileSync(join(embeddedModelDirectory(), "config.json"), "utf8"));
    const layers: number = config.num_hidden_layers;
    const words = ["model", "merge", "--adapter", at("both"), "--part", "lora", "--out", at("merged")];
    const { code, json } = await weft([...words, "--format", "onnx", "--batch", "2", "--tokens", "5", "--json"]);
    expect([code, json().changed]).toEqual([0, 2 * layers]);
    expect((await readdir(at("merged"))).toSorted()).toEqual([
      ...["config.json", "model.onnx", "model.safetensors", "tokenizer.json", "tokenizer_config.json"],
    ]);
    const beside = await evaluate("--adapter", at("merge-lora"));
    const within = await evaluate("--model", at("merged"));
    expect(Math.abs(within.loss - beside.loss)).toBeLessThan(1e-5 * beside.loss);
    // The runtime opens the file by itself, weights and all.
    const session = await ort.InferenceSession.create(at("merged", "model.onnx"));
    const ids = new ort.Tensor("int64", BigInt64Array.from([1n, 9n, 8n, 7n, 6n, 1n, 2n, 3n, 4n, 5n]), [2, 5]);
    const { logits } = await session.run({ input_ids: ids });
    expect(logits!.dims).toEqual([2, 5, config.vocab_size]);
    expect((logits!.data as Float32Array).every(Number.isFinite)).toBe(true);
    await session.release();
  });

  it("is shown by inspect, in every form", async () => {
    const own = await weft(["adapter", "inspect", at("both")]);
    expect(own.out).toContain("adapter     lora:r2:q_proj,down_proj:alpha4+loreft:r2:f3+l3\n");
    expect(own.out).toContain("layers.0.prefix.R");
    const { parameters } = (await weft(["adapter", "inspect", at("both"), "--json"])).json();
    expect(own.out).toContain(`parameters  ${parameters}\n`);
    expect((await weft(["adapter", "inspect", at("peft")])).out).toContain("target_modules  q_proj, down_proj\n");
    expect((await weft(["adapter", "inspect", at("pyreft")])).out).toContain("nunit_1#1: rotate_layer");
  });

  it("shows in what is generated", async () => {
    const words = ["generate", "--prompt", "the cat", "--max-tokens", "8", "--threads", "1", "--json"];
    const [base, adapted, again] = [
      await weft(words),
      await weft([...words, "--adapter", at("longer")]),
      await weft([...words, "--adapter", at("longer")]),
    ];
    expect(adapted.out).toBe(again.out);
    const { prompt, response, ids, promptIds } = base.json();
    expect([prompt, typeof response, promptIds.length > 1]).toEqual(["the cat", "string", true]);
    expect(ids.length).toBeLessThanOrEqual(8);
    const drawn = await weft([...words, "--temperature", "1.5", "--top-p", "0.9", "--seed", "3"]);
    expect(drawn.json()).not.toEqual(base.json());
  });

  it("belongs to its model", async () => {
    const { code, err } = await weft(["eval", "--adapter", at("both"), "--model", at("merged")]);
    expect([code, err]).toEqual([2, expect.stringContaining("was trained on another model")]);
  });

  it("is kept when training is stopped, as far as it came", async () => {
    const controller = new AbortController();
    const stop = (text: string): void => {
      if (text.includes('"type":"step","step":10,')) controller.abort();
    };
    const words = ["train", "--steps", "100000", "--threads", "1", "--pack", "--out", at("stopped")];
    const { code, out } = await weft([...words, "--format", "jsonl"], controller.signal, stop);
    const lines = out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(code).toBe(130);
    expect(lines.map(({ type }) => type).slice(0, 3)).toEqual(["plan", "evaluation", "step"]);
    expect(lines.at(-1)).toMatchObject({ type: "result", after: null });
    expect(lines.at(-1).steps).toBeLessThan(100);
    expect((await weft(["adapter", "inspect", at("stopped")])).code).toBe(0);
  });
});

describe("weft generate", () => {
  const stories = sharedAsset("models/tinystories-656k", "tinystories-656k, a trained model by others");
  it.skipIf(stories.missing)("tells the golden story of tinystories-656k", async () => {
    const golden = JSON.parse(readFileSync(join(stories.path, "golden_greedy_numpy.json"), "utf8"));
    const words = ["generate", "--model", stories.path, "--prompt", golden.prompt, "--threads", "1"];
    const { out } = await weft([...words, "--max-tokens", String(golden.greedy_ids.length - golden.prompt_ids.length)]);
    expect(`<|start_story|> ${golden.prompt}${out}`).toBe(`${golden.greedy_text}\n`);
  });

  it.each([
    [["generate"], "give --prompt TEXT"],
    [["generate", "--prompt", "x", "--adapter", "nowhere"], "there is no folder"],
    [["generate", "--prompt", "x", "--top-p", "2"], "at most 1"],
    [["generate", "--prompt", "x", "--top-p", "0.9"], "give --temperature too, or leave --top-p out"],
    [["model", "merge"], "give --adapter FOLDER"],
    [["adapter", "import", "."], "no adapter of weft, PEFT or pyreft"],
    [["adapter", "export", "--adapter", "x", "--format", "gguf"], "expected weft, peft, pyreft"],
  ])("answers %j with one line", async (words, text) => {
    const { code, out, err } = await weft(words);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toMatch(/^weft: .*\n$/);
    expect(err).toContain(text);
  });
});
