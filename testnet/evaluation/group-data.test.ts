import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { adapterMethod } from "../../node/adapter/methods.ts";
import { encodeRecords } from "../../node/data/example.ts";
import type { Example } from "../../node/interface/trainer.ts";
import { embeddedModelDirectory } from "../../node/system/files/embedded-model.ts";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { rightShare } from "./answers.ts";
import { drawnGroups, intentGroups, speakerGroups } from "./assets-data.ts";
import { openSharedBase, type SharedBase } from "./base.ts";
import { groupData } from "./group-data.ts";
import { createScorer } from "./scorer.ts";

const SIZES = { train: 4, validation: 4, test: 4 };
const DOMAINS = ["red", "blue", "green"];
const FILES = {
  domains: Object.fromEntries(DOMAINS.map((domain) => [domain, [`${domain}_dog`, `${domain}_cat`, `${domain}_cow`]])),
  questions: Object.fromEntries(
    ["train", "val", "test", "oos_test"].map((part) => [
      part,
      DOMAINS.flatMap((domain) =>
        ["dog", "cat", "cow"].flatMap((pet) =>
          [0, 1, 2, 3].map(
            (i) => [`the ${domain} ${pet} ${part} ${i}`, part === "oos_test" ? "oos" : `${domain}_${pet}`] as const,
          ),
        ),
      ),
    ]),
  ),
};

let base: SharedBase;
beforeAll(() => {
  base = openSharedBase(embeddedModelDirectory(), { threads: 1 });
});
afterAll(() => base.release());

const settings = () => ({ peers: 3, seed: 1, sizes: SIZES, tokenizer: base.tokenizer, maxTokens: 40, batchSize: 2 });

describe("groups of records", () => {
  test("are drawn without drawing anything twice, and tests from the part that is for tests", () => {
    const drawn = drawnGroups(intentGroups(FILES), { count: 3, sizes: SIZES, seed: 1 });
    for (const records of drawn) {
      expect(new Set(records.map(({ prompt }) => prompt)).size).toBe(12);
      for (const { prompt, fields } of records) expect(prompt.includes(" test ")).toBe(fields.set === "test");
    }
    expect(() => drawnGroups(intentGroups(FILES), { count: 4, sizes: SIZES, seed: 1 })).toThrow(
      /3 groups .* 4 are needed/,
    );
    expect(() => drawnGroups(intentGroups(FILES), { count: 1, sizes: { ...SIZES, test: 40 }, seed: 1 })).toThrow(
      /"red" has 12 different records for its test set, 40 are needed/,
    );
  });

  test("are the speakers with enough to say, most first", () => {
    const long = "a speech of more than sixty characters, as every speaker of a play may have it, number";
    const speech = (speaker: string, i: number) =>
      ({ prompt: `${speaker}:\n`, response: `${long} ${i}`, fields: { speaker }, overflow: "continue" }) as const;
    const speeches = [...Array(13).keys()].flatMap((i) => [
      speech("A", i),
      ...(i < 12 ? [speech("B", i)] : []),
      ...(i < 11 ? [speech("C", i)] : []),
    ]);
    expect([
      ...speakerGroups([...speeches.toReversed(), { ...speech("C", 12), response: "no." }], SIZES).keys(),
    ]).toEqual(["A", "B"]);
  });

  test("are one task each, or a mixture that is mostly a peer's own, or all the same", () => {
    const groups = intentGroups(FILES);
    const distinct = groupData(groups, { ...settings(), split: { kind: "distinct" }, scoring: "intents" });
    expect(distinct.map(({ task }) => task)).toEqual(DOMAINS);
    for (const split of [{ kind: "mixed" }, { kind: "iid" }, { kind: "dirichlet", alpha: 10 }] as const) {
      const data = groupData(groups, { ...settings(), split, scoring: "intents" });
      expect(
        data.reduce((sum, { sets }) => sum + sets.train.length + sets.validation.length + sets.test.length, 0),
      ).toBe(36);
      expect(data.every(({ task }) => task === undefined)).toBe(true);
    }
  });
});

describe("a question", () => {
  const ADAPTER: AdapterSettings = { kind: "lora", rank: 1, alpha: 1, targets: ["q_proj"], layers: [0] };

  test("of choosing offers the intents of its domain, the right one first, and the most likely is taken", async () => {
    const [red] = groupData(intentGroups(FILES), { ...settings(), split: { kind: "distinct" }, scoring: "intents" });
    const asked = [...red!.questions!].map(([example, question]) => ({ example, question }));
    expect(asked).toHaveLength(4);
    const theta = adapterMethod(ADAPTER).start(ADAPTER, base.model.shape, 1);
    const answers = asked.flatMap(({ question }) => (question.kind === "choose" ? question.answers : []));
    const scorer = await createScorer(base, { adapter: ADAPTER, networkSeed: 1, fits: answers });
    const losses = await scorer.likelihoods(answers, theta);
    let right = 0;
    for (const [i, { example, question }] of asked.entries()) {
      if (question.kind !== "choose") throw new Error("asked to write");
      expect(question.answers[0]).toBe(example);
      expect(new Set(question.answers.map(({ tokens }) => tokens.join())).size).toBe(3);
      // One answer by itself: its loss is the mean over its tokens.
      for (const [k, answer] of question.answers.entries()) {
        const { loss, tokens } = await scorer.score([answer], theta);
        expect(losses[3 * i + k]! / tokens).toBeCloseTo(loss, 5);
      }
      const own = losses.slice(3 * i, 3 * i + 3);
      if (own.indexOf(Math.min(...own)) === 0) right += 1;
    }
    const share = await rightShare({ base, scorer }, asked, { settings: ADAPTER, networkSeed: 1, theta });
    expect(share).toBe(right / 4);
    expect(await rightShare({ base, scorer }, [], { settings: ADAPTER, networkSeed: 1, theta })).toBeUndefined();
  });

  test("of writing is answered by what the model writes", async () => {
    const theta = adapterMethod(ADAPTER).start(ADAPTER, base.model.shape, 1);
    const record = { prompt: "copy: dog cat ->", response: " dog cat", fields: {}, overflow: "cut" } as const;
    const { examples } = encodeRecords([record], { tokenizer: base.tokenizer, maxTokens: 40 });
    const [example] = examples as [Example];
    const scorer = await createScorer(base, { adapter: ADAPTER, networkSeed: 1, fits: [example] });
    const texts: string[] = [];
    const ask = (isRight: (text: string) => boolean) => {
      const heard = (text: string): boolean => {
        texts.push(text);
        return isRight(text);
      };
      const question = { kind: "write", tokensMax: 4, isRight: heard } as const;
      return rightShare({ base, scorer }, [{ example, question }], { settings: ADAPTER, networkSeed: 1, theta });
    };
    // The base model was trained to copy; an adapter at its start changes nothing.
    expect(await ask((text) => text.trim() === "dog cat")).toBe(1);
    expect(await ask(() => false)).toBe(0);
    expect(texts.map((text) => text.trim())).toEqual(["dog cat", "dog cat"]);
  });
});
