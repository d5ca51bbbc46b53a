import { describe, expect, test } from "vitest";
import { createTokenizer } from "../model/tokenizer.ts";
import { trainTokenizer } from "../pretrain/tokenizer-trainer.ts";
import { prepareExamples, readRecords, taskRecords } from "./dataset.ts";
import { defaultTasks } from "./embedded/default-tasks.ts";
import { formatJsonl } from "./jsonl.ts";
import type { DataRecord } from "./record.ts";

const tokenizer = createTokenizer(trainTokenizer(["a cat and a dog"]));
const options = { tokenizer, maxTokens: 128, batchSize: 4, seed: 1 };
const rows = (count: number, fields: (i: number) => Record<string, string>): DataRecord[] =>
  Array.from({ length: count }, (_, i) => ({ prompt: "a ", response: `cat ${i}`, fields: fields(i), overflow: "cut" }));

describe("data set", () => {
  test("the default tasks of a peer keep their sets, also through a file", async () => {
    const [tasks] = defaultTasks({ seed: 1, peers: 1, sizes: { train: 9, validation: 5, test: 6 } });
    const records = taskRecords(tasks!);
    const lines = formatJsonl(records).split("\n");
    expect(await readRecords({ file: "peer.jsonl", lines })).toEqual(records);
    const { sets, cut } = prepareExamples(records, options);
    expect([sets.train.length, sets.validation.length, sets.test.length]).toEqual([9, 5, 6]);
    expect(cut.records).toBe(0);
    const [first] = sets.train;
    expect(tokenizer.decode(first!.tokens.slice(0, first!.promptLength))).toBe(tasks!.train[0]!.prompt);
    expect(tokenizer.decode(first!.tokens.slice(first!.promptLength))).toBe(tasks!.train[0]!.response);
    expect(first!.tokens.at(-1)).toBe(tokenizer.endId);
  });

  test("without sets of their own, records are split by seed", () => {
    const { sets } = prepareExamples(
      rows(40, () => ({})),
      options,
    );
    expect([sets.train.length, sets.validation.length, sets.test.length]).toEqual([32, 4, 4]);
  });

  test("what is cut is counted over all sets", () => {
    const records = rows(12, (i) => ({ set: ["train", "validation", "test"][i % 3]! }));
    const { cut } = prepareExamples(records, { ...options, maxTokens: 5 });
    expect(cut.records).toBe(12);
    expect(cut.promptTokens + cut.responseTokens).toBeGreaterThan(12);
  });

  test("sets on some records only, unknown sets and sets without a batch are refused", () => {
    const some = [...rows(3, () => ({})), ...rows(1, () => ({ set: "test" }))];
    expect(() => prepareExamples(some, options)).toThrow(/3 of 4 records have no field "set"/);
    const unknown = rows(4, () => ({ set: "dev" }));
    expect(() => prepareExamples(unknown, options)).toThrow(/set is "dev"; it must be train, validation, test/);
    const lopsided = rows(20, () => ({ set: "train" }));
    expect(() => prepareExamples(lopsided, options)).toThrow(
      expect.objectContaining({ code: "DATA_TOO_SMALL", message: expect.stringMatching(/20, 0 and 0/) }),
    );
  });

  test("an empty text is refused", async () => {
    await expect(readRecords({ file: "a.txt", text: " \n" })).rejects.toThrow("a.txt is empty");
  });
});
