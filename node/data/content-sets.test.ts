import { describe, expect, test } from "vitest";
import type { Tokenizer } from "../model/tokenizer.ts";
import { contentDigest } from "./content-digest.ts";
import { prepareByContent } from "./content-sets.ts";
import { conversationParts } from "./conversation-parts.ts";
import { encodeRecords } from "./example.ts";
import { partition } from "./partition.ts";
import type { DataRecord } from "./record.ts";
import { formatTrainedData, parseTrainedData } from "./trained-data.ts";

/** One token per character, 1 before a text and 2 behind it. */
const tokenizer: Tokenizer = {
  encode: (text) => [...text].map((character) => 10 + character.charCodeAt(0)),
  decode: (ids) => ids.map((id) => String.fromCharCode(id - 10)).join(""),
  beginId: 1,
  endId: 2,
  vocabularySize: 1000,
};
const options = { tokenizer, maxTokens: 64, batchSize: 2 };
const record = (i: number, fields = {}): DataRecord => ({
  prompt: `say ${i} `,
  response: `it is ${i}`,
  fields,
  overflow: "cut",
});
const range = (count: number): DataRecord[] => Array.from({ length: count }, (_, i) => record(i));
const texts = (examples: readonly { readonly tokens: readonly number[] }[]): string[] =>
  examples.map(({ tokens }) => tokenizer.decode(tokens.slice(1, -1))).toSorted();

describe("sets by content", () => {
  test("are near 80 / 10 / 10 of large data, and the same whatever stands beside an example", async () => {
    const { sets } = await prepareByContent(range(1000), options);
    expect(sets.test.length).toBeGreaterThan(70);
    expect(sets.test.length).toBeLessThan(130);
    const half = await prepareByContent(range(500).toReversed(), { ...options, maxTokens: 32 });
    const all = new Set(texts(sets.test));
    for (const text of texts(half.sets.test)) expect(all.has(text)).toBe(true);
    for (const text of texts(half.sets.train)) expect(all.has(text)).toBe(false);
  });

  test("have a batch each where there is just enough, and say what is missing where there is not", async () => {
    const { sets } = await prepareByContent(range(24), { ...options, batchSize: 8 });
    expect([sets.train.length, sets.validation.length, sets.test.length]).toEqual([8, 8, 8]);
    await expect(prepareByContent(range(23), { ...options, batchSize: 8 })).rejects.toThrow(
      /23 examples, 24 are needed/,
    );
  });

  test("that no record names are taken from those to train on", async () => {
    const named = [
      ...range(40).map((_, i) => record(i, { set: "train" })),
      record(90, { set: "test" }),
      record(91, { set: "test" }),
    ];
    const { sets } = await prepareByContent(named, options);
    expect([sets.train.length + sets.validation.length, sets.test.length]).toEqual([40, 2]);
    expect(sets.validation.length).toBeGreaterThan(1);
    const all = await prepareByContent(range(40), options);
    const alone = await prepareByContent(named.slice(0, 40), options);
    expect(texts(alone.sets.test)).toEqual(texts(all.sets.test));
  });

  test("hold repeated records on one side, and windows of one text too", async () => {
    const twice = [...range(40), ...range(40)];
    const { sets, repeated } = await prepareByContent(twice, options);
    expect(repeated).toBe(40);
    const test = new Set(texts(sets.test));
    expect(texts(sets.train).some((text) => test.has(text))).toBe(false);
    expect(sets.train.length + sets.validation.length + sets.test.length).toBe(80);
  });

  test("leave out what was trained on before, and choose nothing else because of it", async () => {
    const first = await prepareByContent(range(60), options);
    const again = await prepareByContent(range(60), { ...options, trained: first.digests });
    expect(texts(again.sets.test)).toEqual(texts(first.sets.test));
    expect(texts(again.sets.train)).toEqual(texts(first.sets.train));
    const held = new Set(range(60).map(contentDigest));
    await expect(prepareByContent(range(60), { ...options, trained: held, needed: ["test"] })).rejects.toThrow(
      /no example is left in the test set; .*were trained on before and are left out/,
    );
  });

  test("follow the field set, also where it names one content twice, which is counted", async () => {
    const named = ["train", "validation", "test"].flatMap((set) =>
      range(3).map((one) => ({ ...one, fields: { set } })),
    );
    const { sets, alsoTrained } = await prepareByContent(named, options);
    expect([sets.train.length, sets.validation.length, sets.test.length, alsoTrained]).toEqual([3, 3, 3, 6]);
    await expect(prepareByContent([record(1, { set: "dev" })], options)).rejects.toThrow(/set is "dev"/);
    await expect(prepareByContent([record(1, { set: "test" }), record(2)], options)).rejects.toThrow(/1 of 2 records/);
  });

  test("records that repeat each other go to one peer", () => {
    const parts = partition([...range(30), ...range(30)], {
      rule: { kind: "iid" },
      peers: 4,
      seed: 1,
      repeated: "together",
    });
    const owners = new Map<string, number>();
    for (const [peer, own] of parts.entries()) {
      for (const one of own) {
        const digest = contentDigest(one);
        expect(owners.get(digest) ?? peer).toBe(peer);
        owners.set(digest, peer);
      }
    }
    expect(parts.flat()).toHaveLength(60);
  });

  test("what is kept beside an adapter is read back, and refused where it is damaged", () => {
    const data = {
      frame: "lines",
      maxTokens: 64,
      batchSize: 2,
      digests: new Set(range(5).map(contentDigest)),
    } as const;
    const bytes = formatTrainedData(data);
    const { digests, ...rest } = parseTrainedData(bytes, "a");
    expect([[...digests].toSorted(), rest]).toEqual([
      [...data.digests].toSorted(),
      { frame: "lines", maxTokens: 64, batchSize: 2 },
    ]);
    expect(() => parseTrainedData(bytes.subarray(5), "a")).toThrow(/a\/weft-data\.json cannot be read/);
  });
});

describe("conversations", () => {
  const conversation = {
    messages: [
      { role: "system", content: "s" },
      { role: "user", content: "q" },
      { role: "assistant", content: "ab" },
      { role: "user", content: "r" },
      { role: "assistant", content: "c" },
    ],
    learntFrom: 0,
  } as const;

  test("are learnt in the assistant's turns and their ends only", () => {
    const one: DataRecord = { prompt: "", response: "", fields: {}, overflow: "cut", conversation };
    const [example] = encodeRecords([one], { tokenizer, maxTokens: 64 }).examples;
    const { tokens, promptLength, learnt } = example!;
    expect(tokens).toEqual([1, ...tokenizer.encode("s\nq\nab"), 2, ...tokenizer.encode("r\nc"), 2]);
    expect([promptLength, learnt]).toEqual([
      5,
      [
        [5, 8],
        [10, 12],
      ],
    ]);
    const [cut] = encodeRecords([one], { tokenizer, maxTokens: 9 }).examples;
    expect(cut!.tokens).toHaveLength(9);
    expect(cut!.learnt![0]![0]).toBe(cut!.promptLength);
  });

  test("of one turn are a prompt and a response, and earlier turns of the assistant are given", () => {
    const { learnt } = conversationParts({ ...conversation, learntFrom: 3 }, tokenizer);
    expect(learnt).toEqual([[0, 2]]);
    const one: DataRecord = {
      prompt: "",
      response: "",
      fields: {},
      overflow: "cut",
      conversation: { ...conversation, learntFrom: 3 },
    };
    expect(encodeRecords([one], { tokenizer, maxTokens: 64 }).examples[0]).not.toHaveProperty("learnt");
  });
});
