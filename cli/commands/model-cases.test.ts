/** Model directories as people have them (node/model/cases), by the command line; what is right is what transformers does. */
import { copyFile, cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { EXAMPLE_MANIFEST } from "../../testnet/fixtures/example-run.ts";
import { weft as run } from "../command.suite.ts";
import { peerOptions } from "../run-options.ts";
import type { Terminal } from "../terminal.ts";

const CASES = join(import.meta.dirname, "../../node/model/cases");
const at = (name: string): string => join(CASES, name);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "weft-cases-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const SILENT: Terminal = {
  out: () => undefined,
  err: () => undefined,
  errIsTerminal: false,
  columns: () => 80,
  nextLine: () => Promise.resolve(),
  environment: {},
  signal: new AbortController().signal,
};

async function weft(...words: readonly string[]) {
  const result = await run(words, undefined, { WEFT_DATA_DIR: join(folder, "peer") });
  return { ...result, json: () => JSON.parse(result.out) };
}

const generate = (model: string, prompt = "hello", tokens = 6) =>
  weft("generate", "--model", model, "--prompt", prompt, "--max-tokens", String(tokens), "--threads", "1", "--json");

/** A case with a file of it changed. */
async function changed(name: string, file: string, change: (content: Record<string, unknown>) => unknown) {
  const copy = join(folder, "model");
  await cp(at(name), copy, { recursive: true });
  const content = await readFile(join(copy, file), "utf8").then(JSON.parse, () => ({}));
  await writeFile(join(copy, file), JSON.stringify(change(content)));
  return copy;
}

describe("a directory as it comes", () => {
  const rows: readonly (readonly [string, string, readonly number[], string])[] = [
    ["says what it says in transformers", "base-llama", [68, 68, 68, 68, 239, 255], ""],
    ["with a tensor of another type that nothing reads", "I1-unused-u16", [68, 68, 68, 68, 239, 255], ""],
    ["with two matrices where the config ties them", "K1-tied-but-two", [112], "both are used as stored"],
    ["with rope_parameters and a rope_scaling that agree", "M1-both-rope-fields", [68, 68, 68, 68, 68, 255], ""],
    ["with a window that no layer has", "M3-qwen2-window-no-layer", [237, 38, 22, 132, 70, 29], ""],
    ["of a model that sees images: Gemma 3", "parted-gemma3", [83, 83, 83, 83, 83, 83], "its text model, gemma3_text"],
    ["of a model that sees images: LLaVA", "parted-llava", [236, 40, 236, 95, 253, 126], "its text model, llama"],
    ["of a model that sees images: Mistral 3", "parted-mistral3", [67, 167, 295, 57, 219, 254], "model, mistral"],
    ["with several end tokens in generation_config.json", "E1-stop-list", [], ""],
  ];
  it.each(rows)("%s", async (_, name, ids, note) => {
    const { code, err, json } = await generate(at(name));
    expect(code, err).toBe(0);
    expect(json().ids).toEqual(ids);
    expect(json().stopped).toBe(ids.length < 6 ? "end token" : "tokens");
    expect(err).toContain(note);
  });

  it("with added tokens beside tokenizer.json", async () => {
    const { json } = await generate(at("F1-added-tokens"), "<|im_start|>user hi<|im_end|>", 1);
    expect(json().promptIds).toEqual([1, 400, 325, 323, 393, 353, 312, 313, 401]);
  });

  it("with a default classifier of two classes, which its config does not name", async () => {
    const { code, err, json } = await weft(
      ...["eval", "--model", at("J1-two-classes"), "--data", at("J1-rows.jsonl"), "--threads", "1", "--json"],
    );
    expect(code, err).toBe(0);
    expect(json().loss).toBeGreaterThan(0);
  });

  it("with 8-bit floats is refused as quantised", async () => {
    const { code, err } = await generate(at("I3-fp8-weights"));
    expect(code).toBe(2);
    expect(err).toMatch(/holds F8_E4M3 values: quantised weights, which weft does not read/);
    expect(err).not.toContain("again");
  });
});

describe("an adapter as it comes", () => {
  const rows: readonly (readonly [string, string, string, string])[] = [
    ["of an older version, whose file says less", "G1-old-config", "lora:r2:q_proj,v_proj:alpha4:dropout0.05", ""],
    ["with a layer missing", "H1-layer-missing", "lora:r2:q_proj,v_proj:alpha4:layers=0", "missing: 2 of 4 layers"],
  ];
  it.each(rows)("%s", async (_, name, word, note) => {
    const { code, out, err } = await weft(
      ...["adapter", "import", at(name), "--model", at("base-llama"), "--out", join(folder, "adapter")],
    );
    expect(code, err).toBe(0);
    expect(out).toContain(`${word}, `);
    expect(err).toContain(note);
  });
});

describe("the same kinds, otherwise", () => {
  it("an end token that the tokenizer does not have is refused, not guessed", async () => {
    const model = await changed("base-llama", "tokenizer_config.json", (content) => ({
      ...content,
      eos_token: { content: "<|im_end|>" },
    }));
    const { code, err } = await generate(model);
    expect(code).toBe(2);
    expect(err).toMatch(/has no token "<\|im_end\|>", which the files beside it name as eos_token/);
  });

  it("an end token stands in special_tokens_map.json too", async () => {
    const model = await changed("base-llama", "tokenizer_config.json", ({ eos_token, ...content }) => content);
    await writeFile(join(model, "special_tokens_map.json"), JSON.stringify({ eos_token: { content: "<|no|>" } }));
    expect((await generate(model)).err).toContain('no token "<|no|>"');
  });

  it("an added token with two ids is refused", async () => {
    const model = await changed("F1-added-tokens", "added_tokens.json", () => ({ "<|im_start|>": 401 }));
    const { code, err } = await generate(model);
    expect(code).toBe(2);
    expect(err).toMatch(/the token "<\|im_start\|>" has id 400 there and id 401 beside it/);
  });

  it("sampling is as generation_config.json says, which is said, and greedy where that is asked for", async () => {
    const model = await changed("base-llama", "generation_config.json", (content) => ({
      ...content,
      ...{ do_sample: true, temperature: 5, top_p: 0.9, top_k: 40, repetition_penalty: 1.1 },
    }));
    const drawn = await generate(model);
    expect(drawn.err).toContain("temperature 5, top-p 0.9, top-k 40; --temperature 0 takes the likeliest");
    expect(drawn.err).toContain("weft does not do repetition_penalty = 1.1");
    expect(drawn.json().ids).not.toEqual([68, 68, 68, 68, 239, 255]);
    const cooler = await weft(
      "generate",
      "--model",
      model,
      "--prompt",
      "hello",
      "--max-tokens",
      "1",
      "--temperature",
      "2",
    );
    expect(cooler.err).toContain("says, and the flags: temperature 2, top-p 0.9, top-k 40;");
    const likeliest = await weft(
      ...["generate", "--model", model, "--prompt", "hello", "--max-tokens", "6", "--temperature", "0", "--json"],
    );
    expect(likeliest.json().ids).toEqual([68, 68, 68, 68, 239, 255]);
    expect(likeliest.err).toBe("");
  });

  it("a rope_scaling that differs from rope_parameters is refused", async () => {
    const model = await changed("M1-both-rope-fields", "config.json", (content) => ({
      ...content,
      rope_scaling: { rope_type: "linear", factor: 4 },
    }));
    expect((await generate(model)).err).toContain("rope_parameters and rope_scaling, which differ");
  });

  it("num_logits_to_keep changes nothing", async () => {
    const model = await changed("base-llama", "config.json", (content) => ({ ...content, num_logits_to_keep: 1 }));
    expect((await generate(model)).json().ids).toEqual([68, 68, 68, 68, 239, 255]);
  });

  it("MLX's words for quantised weights are understood", async () => {
    const model = await changed("base-llama", "config.json", (content) => ({
      ...content,
      quantization: { group_size: 64, bits: 4 },
    }));
    const { code, err } = await generate(model);
    expect(code).toBe(2);
    expect(err).toContain("quantised weights");
  });

  it("O1: weights of MLX are refused by what they are, whether or not the config says it", async () => {
    const { code, err } = await generate(at("O1-mlx-weights"));
    expect([code, err]).toEqual([
      2,
      expect.stringMatching(/quantization = .*"bits":4.*quantised weights; take the F32, F16 or BF16/),
    ]);
    const model = await changed(
      "O1-mlx-weights",
      "config.json",
      ({ quantization, quantization_config, ...rest }) => rest,
    );
    const unsaid = await generate(model);
    expect([unsaid.code, unsaid.err]).toEqual([
      2,
      expect.stringMatching(/down_proj\.(scales|biases) stands beside a packed matrix/),
    ]);
  });

  it("a model's notes are told before a peer runs, and before a testnet", async () => {
    const model = at("K1-tied-but-two");
    const data = join(folder, "rows.jsonl");
    const rows = Array.from({ length: 9 }, (_, i) => JSON.stringify({ prompt: `p${i}`, response: `r${i}` }));
    await writeFile(data, rows.join("\n"));
    const lines: string[] = [];
    const peer = peerOptions({ data }, join(folder, "peer"), { ...SILENT, err: (line) => void lines.push(line) });
    const manifest = { ...EXAMPLE_MANIFEST, training: { ...EXAMPLE_MANIFEST.training, batchSize: 2 } };
    if (typeof peer.data !== "function") throw new Error("a peer of the command line reads its data by itself");
    await peer.data({ manifest, modelDirectory: model });
    const memory = expect.stringMatching(/^base in f32; about .* of memory/);
    expect(lines).toEqual([
      expect.stringContaining("both are used as stored"),
      expect.stringContaining("data: "),
      memory,
    ]);
    const words = ["testnet", "--model", model, "--data", join(folder, "none.jsonl"), "--peers", "2", "--rounds", "1"];
    const testnet = await weft(...words);
    expect([testnet.code, testnet.err]).toEqual([2, expect.stringContaining("both are used as stored")]);
  });

  it("a classifier of classes that nobody names, and whose head is missing, is refused", async () => {
    const model = await changed("J1-two-classes", "config.json", (content) => ({
      ...content,
      architectures: ["BertForMaskedLM"],
    }));
    await copyFile(at("J1-rows.jsonl"), join(folder, "rows.jsonl"));
    const { code, err } = await weft("eval", "--model", model, "--data", join(folder, "rows.jsonl"));
    expect(code).toBe(2);
    expect(err).toContain("names no classes");
  });
});

describe("what is asked in vain", () => {
  it("weights that a wrapper was saved with are named as such", async () => {
    const copy = join(folder, "model");
    await cp(at("base-llama"), copy, { recursive: true });
    const file = join(copy, "model.safetensors");
    const bytes = await readFile(file);
    const length = Number(bytes.readBigUInt64LE());
    const header = bytes
      .subarray(8, 8 + length)
      .toString()
      .replaceAll('"model.', '"_orig_mod.model.');
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(Buffer.byteLength(header)));
    await writeFile(file, Buffer.concat([size, Buffer.from(header), bytes.subarray(8 + length)]));
    const { code, err } = await generate(copy);
    expect([code, err]).toEqual([2, expect.stringContaining("_orig_mod.model.embed_tokens.weight, as a wrapper does")]);
  });

  it("a template that fails says so with the flag to change", async () => {
    const copy = await changed("base-llama", "tokenizer_config.json", (content) => ({
      ...content,
      chat_template: "{{ messages | frobnicate }}",
    }));
    const words = ["generate", "--model", copy, "--prompt", "hello", "--system", "s", "--max-tokens", "1"];
    const { code, err } = await weft(...words);
    expect([code, err]).toEqual([2, expect.stringMatching(/filter: frobnicate; .*--chat-template none/)]);
  });

  it("an empty prompt is told, and positions without an adapter are refused", async () => {
    const { code, err } = await generate(at("base-llama"), "", 1);
    expect([code, err]).toEqual([0, expect.stringContaining("warning: --prompt is empty")]);
    const alone = await weft("generate", "--model", at("base-llama"), "--prompt", "a", "--positions", "f1");
    expect([alone.code, alone.err]).toEqual([2, expect.stringContaining("give --adapter too")]);
  });

  it("an adapter of another model's sizes asks for its own", async () => {
    const { code, err } = await weft("generate", "--prompt", "a", "--adapter", at("G1-old-config"));
    expect([code, err]).toEqual([
      2,
      expect.stringContaining("give --model the directory that the adapter was trained on"),
    ]);
  });
});
