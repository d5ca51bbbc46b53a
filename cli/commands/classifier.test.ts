/** A classifier's way from texts with classes to an adapter, as a user has it: train, eval, and a network's manifest. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CONFIGS, randomTensors } from "../../node/model/random-model.suite.ts";
import { writeSafetensors } from "../../node/model/safetensors.ts";
import { weft as run } from "../command.suite.ts";

let folder: string;
const at = (name: string): string => join(folder, name);
const LABELS = ["no", "yes", "maybe"];
/** A word for each id of the model's vocabulary; the first one of a text says its class. */
const WORDS = Array.from({ length: 29 }, (_, id) => ["<unk>", "<pad>", "<s>", "</s>"][id] ?? `w${id}`);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "weft-classifier-"));
  await mkdir(at("model"));
  const config = CONFIGS.roberta;
  await writeFile(at("model/config.json"), JSON.stringify(config));
  await writeFile(at("model/model.safetensors"), writeSafetensors(randomTensors(config)));
  await writeFile(at("model/tokenizer.json"), JSON.stringify(wordTokenizer()));
  await writeFile(at("model/tokenizer_config.json"), JSON.stringify({ bos_token: "<s>", eos_token: "</s>" }));
  const rows = Array.from({ length: 60 }, (_, n) => {
    const words = [
      `w${10 + (n % 3)}`,
      ...Array.from({ length: 1 + (n % 5) }, (_, t) => `w${13 + ((n * 7 + t * 5) % 16)}`),
    ];
    return JSON.stringify({ prompt: words.join(" "), response: LABELS[n % 3], task: n % 2 === 0 ? "even" : "odd" });
  });
  await writeFile(at("texts.jsonl"), rows.join("\n"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function wordTokenizer(): object {
  const added = (content: string) => ({
    id: WORDS.indexOf(content),
    content,
    special: true,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
  });
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: ["<unk>", "<pad>", "<s>", "</s>"].map(added),
    normalizer: null,
    pre_tokenizer: { type: "WhitespaceSplit" },
    post_processor: { type: "BertProcessing", cls: ["<s>", 2], sep: ["</s>", 3] },
    decoder: null,
    model: { type: "WordLevel", vocab: Object.fromEntries(WORDS.map((word, id) => [word, id])), unk_token: "<unk>" },
  };
}

const weft = (...words: readonly string[]) => run(words, undefined, { WEFT_DATA_DIR: at("peer") });

const MODEL = ["--model", "MODEL"];
const given = (words: readonly string[]): string[] => words.map((word) => (word === "MODEL" ? at("model") : word));
const ADAPTER = ["--adapter", "lora:r2:query,value"];

describe("a classifier", () => {
  it("is trained on texts with classes, head included, and evaluated with what was written", async () => {
    const options = ["--data", at("texts.jsonl"), "--threads", "1", "--batch-size", "6", "--json"];
    const trained = await weft(
      ...given([
        "train",
        ...MODEL,
        ...ADAPTER,
        "--steps",
        "40",
        "--learning-rate",
        "0.02",
        "--out",
        at("adapter"),
        ...options,
      ]),
    );
    expect([trained.code, trained.err]).toEqual([0, expect.stringContaining("step 40 of 40")]);
    const { before, after, parameters } = JSON.parse(trained.out);
    expect(after.accuracy).toBeGreaterThan(0.8);
    expect(after.accuracy).toBeGreaterThan(before.accuracy);
    expect(after.tasks.map(({ task }: { task: string }) => task)).toEqual(["even", "odd"]);
    // B and A of two layers' query and value, and the head: a dense layer and the classes.
    expect(parameters).toBe(2 * 2 * (2 * 32 + 32 * 2) + (32 * 32 + 32 + 32 * 3 + 3));
  });

  it("refuses a class that the model does not know, naming file and record", async () => {
    await writeFile(at("other.jsonl"), JSON.stringify({ prompt: "w10", response: "perhaps" }));
    const refused = await weft(
      ...given(["train", ...MODEL, ...ADAPTER, "--data", at("other.jsonl"), "--out", at("none")]),
    );
    expect(refused.code).toBe(2);
    expect(refused.err).toMatch(
      /other\.jsonl: record 1: the response "perhaps" is none of the model's classes \(no, yes, maybe\)/,
    );
  });

  it("begins from an encoder that has no head yet", async () => {
    await mkdir(at("bare"));
    const config = { ...CONFIGS.roberta, architectures: ["RobertaModel"] };
    const encoder = randomTensors(config).filter(({ name }) => !name.startsWith("classifier"));
    await writeFile(at("bare/config.json"), JSON.stringify(config));
    await writeFile(at("bare/model.safetensors"), writeSafetensors(encoder));
    await writeFile(at("bare/tokenizer.json"), JSON.stringify(wordTokenizer()));
    await writeFile(at("bare/tokenizer_config.json"), JSON.stringify({ bos_token: "<s>", eos_token: "</s>" }));
    const words = ["--model", at("bare"), "--data", at("texts.jsonl"), "--threads", "1"];
    const before = await weft("eval", ...words);
    expect([before.code, before.err]).toEqual([
      2,
      expect.stringMatching(/no head with .* yet; weft train with this --model/),
    ]);
    const trained = await weft(
      ...["train", ...words, ...ADAPTER, "--steps", "2", "--batch-size", "4", "--out", at("begun"), "--json"],
    );
    expect(trained.code, trained.err).toBe(0);
    const after = await weft("eval", ...words, "--adapter", at("begun"), "--json");
    expect(after.code, after.err).toBe(0);
  });

  it("keeps its head out of what peers send, unless a network says otherwise, with a warning", async () => {
    const create = (name: string, ...more: string[]) =>
      weft(...given(["network", "create", ...MODEL, ...ADAPTER, "--out", at(name), ...more]));
    const namesOf = async (name: string): Promise<string[]> =>
      JSON.parse(await readFile(at(name), "utf8")).tensors.map((tensor: { name: string }) => tensor.name);
    const local = await create("local.json");
    expect([local.code, local.err]).toEqual([0, expect.not.stringContaining("warning")]);
    expect((await namesOf("local.json")).filter((name) => name.startsWith("classifier."))).toEqual([]);
    const shared = await create("shared.json", "--head", "shared");
    expect(shared.err).toMatch(/warning: the classifier's head is shared: .* averaged head is good at none/);
    expect((await namesOf("shared.json")).filter((name) => name.startsWith("classifier."))).toHaveLength(4);
    expect(JSON.parse(await readFile(at("shared.json"), "utf8")).head).toBe("shared");
  });

  it("has a head, which a language model has not", async () => {
    const refused = await weft(
      "network",
      "create",
      "--adapter",
      "loreft:r1:f1",
      "--out",
      at("llama.json"),
      "--head",
      "shared",
    );
    expect(refused.code).toBe(2);
    expect(refused.err).toMatch(/a shared head is of classifiers only, and this model \(llama\) has none/);
  });
});
