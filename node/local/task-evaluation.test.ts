import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { sharedAsset } from "../golden/shared-assets.suite.ts";
import { tokenizerOfFiles } from "../model/tokenizer.ts";
import { createOnnxRuntime } from "../system/compute/onnxruntime.ts";
import { embeddedModelDirectory } from "../system/files/embedded-model.ts";
import { openModel } from "./stored-adapter.ts";
import { evaluateTasks, logLikelihoods, pairExample } from "./task-evaluation.ts";
import { type ChooseItem, itemOf } from "./task-items.ts";

interface Golden {
  readonly tasks: readonly {
    readonly task: string;
    readonly rows: readonly number[];
    readonly logLikelihoods: readonly (readonly number[])[];
    readonly measures: Readonly<Record<string, number>>;
  }[];
}

const golden = JSON.parse(readFileSync(join(import.meta.dirname, "../golden/lm-eval.json"), "utf8")) as Golden;
const model = sharedAsset("models/tinystories-656k", "lm-evaluation-harness's numbers, on tinystories-656k");
const data = sharedAsset("data/llm-adapters", "questions of LLM-Adapters");
const FILES: Readonly<Record<string, string>> = {
  arc_easy: "ARC-Easy",
  arc_challenge: "ARC-Challenge",
  openbookqa: "openbookqa",
  boolq: "boolq",
};
const signal = new AbortController().signal;

/** The items that node/golden/make_lm_eval.py asks, all of a file. */
function itemsOf(task: string): ChooseItem[] {
  const rows = JSON.parse(readFileSync(join(data.path, `${FILES[task]}_test.json`), "utf8")) as {
    readonly instruction: string;
    readonly answer: string;
  }[];
  return rows.flatMap(({ instruction, answer }, i) => {
    const item = (question: string, choices: readonly string[], right: number): ChooseItem =>
      itemOf({ task, prompt: `Question: ${question}\nAnswer:`, choices, answer: right }, task, i) as ChooseItem;
    if (task === "boolq") {
      const question = /question: (.*?)\n\nAnswer format/s.exec(instruction)![1]!;
      return [item(question, ["no", "yes"], Number(answer === "true"))];
    }
    const [, question, listed] = /question: (.*?)\n\n(.*?)\n\nAnswer format/s.exec(instruction)!;
    const choices = listed!
      .split(/Answer\d: /)
      .slice(1)
      .map((choice) => choice.trim());
    const right = Number(answer.replace("answer", "")) - 1;
    return choices.length >= 2 && right < choices.length && !choices.includes("")
      ? [item(question!, choices, right)]
      : [];
  });
}

const isMissing = model.missing || data.missing;
describe.skipIf(isMissing)("items with choices, held to lm-evaluation-harness", () => {
  const opened = openModel(isMissing ? embeddedModelDirectory() : model.path);
  // What is skipped is read all the same.
  const asked = (isMissing ? [] : golden.tasks).map(({ task, rows }) => {
    const all = itemsOf(task);
    return rows.map((row) => all[row]!);
  });

  it("have its log likelihoods, token for token", async () => {
    const items = asked.flat();
    const expected = golden.tasks.flatMap(({ logLikelihoods: of }) => of);
    const found = await logLikelihoods(items, {
      opened,
      engine: { threads: 1 },
      signal,
      runtime: createOnnxRuntime(),
      tokenizer: tokenizerOfFiles(opened.files),
    });
    for (const [i, [, values]] of found.entries()) {
      for (const [k, value] of values.entries()) expect(Math.abs(value - expected[i]![k]!)).toBeLessThan(2e-3);
    }
  });

  it("have its acc, acc_norm, F1 and Matthews", async () => {
    const found = await evaluateTasks({ opened, items: asked.flat(), engine: { threads: 1 }, signal });
    expect(found.map(({ task }) => task)).toEqual(golden.tasks.map(({ task }) => task));
    for (const [i, { measures }] of golden.tasks.entries()) {
      const own = found[i] as unknown as Readonly<Record<string, number>>;
      for (const [name, value] of Object.entries(measures))
        expect(own[name], `${golden.tasks[i]!.task} ${name}`).toBeCloseTo(value, 9);
    }
  });
});

describe("items of the embedded model", () => {
  const opened = openModel(embeddedModelDirectory());
  const tokenizer = tokenizerOfFiles(opened.files);

  it("are written greedily up to what ends them, and counted as they come", async () => {
    const done: number[] = [];
    const item = (until: string[]) =>
      itemOf({ task: "w", prompt: "first: small door horse ->", target: "small", until, tokensMax: 4 }, "f", 1);
    const items = [item([]), item([" "])];
    const [{ items: count, ...measures } = { items: 0 }] = await evaluateTasks({
      ...{ opened, items, engine: { threads: 1 }, signal },
      onItem: (one) => done.push(one),
    });
    expect([count, done]).toEqual([2, [1, 2]]);
    expect(Object.keys(measures).sort()).toEqual(["exactMatch", "f1", "task"]);
  });

  it("of both sorts in one task are refused", async () => {
    const items = [
      itemOf({ task: "t", prompt: "p", target: "x" }, "f", 1),
      itemOf({ task: "t", prompt: "p", choices: ["a", "b"], answer: 0 }, "f", 2),
    ];
    await expect(evaluateTasks({ opened, items, engine: {}, signal })).rejects.toMatchObject({ code: "DATA_FORMAT" });
  });

  it("keep a token at the seam out of the pair, and cut what does not fit off in front", () => {
    const pair = { prompt: "second: big cat ", continuation: "dog" };
    const { tokens, promptLength } = pairExample(pair, { tokenizer, contextTokens: 256 });
    const context = tokenizer.encode("second: big cat");
    expect(tokens.slice(0, promptLength)).toEqual([tokenizer.beginId, ...context]);
    expect(tokens.slice(promptLength)).toEqual(tokenizer.encode("second: big cat dog").slice(context.length));
    const short = pairExample(pair, { tokenizer, contextTokens: 3 });
    expect(short.tokens).toEqual(tokens.slice(-3));
    expect(short.promptLength).toBeGreaterThan(0);
  });
});
