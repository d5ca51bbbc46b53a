/** Classes by number get the names that the data set gives them, and a model's classes are found by these. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseColumnMap } from "../../data/column-map.ts";
import { encodeLabelled } from "../../data/labelled-example.ts";
import type { DataRecord } from "../../data/record.ts";
import type { Tokenizer } from "../../model/tokenizer.ts";
import { readDataFile } from "./data-files.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "weft-classes-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Made by `datasets` 5.0: texts with a ClassLabel of the names neg, neutral, pos. */
const table = (name: string): string => join(import.meta.dirname, "../../data/cases/tables", name);
const NAMES = ["neg", "neutral", "pos"];
const FEATURES = { text: { dtype: "string", _type: "Value" }, label: { names: NAMES, _type: "ClassLabel" } };
const CARD = `---
license: mit
dataset_info:
  features:
  - name: text
    dtype: string
  - name: label
    dtype:
      class_label:
        names:
          '0': neg
          '1': neutral
          '2': pos
  - name: ner_tags
    sequence:
      class_label:
        names: {'0': O, '1': B-PER}
---
# A data set
`;

function dataSet(name: string, files: Readonly<Record<string, string>>): string {
  const path = join(folder, name);
  mkdirSync(join(path, "data"), { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(path, file), text);
  return path;
}

const TABLE = "text,label\none,0\ntwo,2\nthree,1\n";

describe("the class of a row by number", () => {
  it.each(["class-names.parquet", "class-names.arrow"])("is learnt by its name in the metadata of %s", async (name) => {
    const records = await readDataFile(table(name));
    expect(records.slice(0, 3).map(({ response }) => response)).toEqual(NAMES);
    expect(records[2]).toMatchObject({ classNumber: 2, classes: NAMES });
    const columns = parseColumnMap("prompt=text,response=label");
    expect((await readDataFile(table(name), { columns }))[2]).toMatchObject({ response: "pos" });
  });

  it("is learnt by its name in README.md, dataset_info.json and dataset_infos.json", async () => {
    const sources = {
      "README.md": CARD,
      "dataset_info.json": JSON.stringify({ features: FEATURES }),
      "dataset_infos.json": JSON.stringify({ default: { features: FEATURES } }),
    };
    for (const [name, text] of Object.entries(sources)) {
      const path = dataSet(name, { [name]: text, "data/train.csv": TABLE });
      for (const given of [path, join(path, "data/train.csv")]) {
        expect(
          (await readDataFile(given)).map(({ response }) => response),
          name,
        ).toEqual(["neg", "pos", "neutral"]);
      }
    }
    const tagged = dataSet("tags", {
      "README.md": CARD,
      "data/rows.jsonl": '{"tokens":["Jo","is"],"ner_tags":[1,0]}',
    });
    expect((await readDataFile(tagged))[0]).toMatchObject({ response: "B-PER O", classes: ["O", "B-PER"] });
  });

  it("stays a number where nothing names it, where sources differ, and where the page is no YAML", async () => {
    const other = JSON.stringify({
      a: { features: FEATURES },
      b: { features: { label: { names: ["x", "y"], _type: "ClassLabel" } } },
    });
    for (const files of [
      {},
      { "README.md": "---\ndataset_info: [class_label\n---\n" },
      { "dataset_infos.json": other },
    ]) {
      const path = dataSet(`none-${Object.values(files).join("").length}`, { ...files, "data/train.csv": TABLE });
      expect((await readDataFile(path)).map(({ response }) => response)).toEqual(["0", "2", "1"]);
    }
  });

  it("is refused beyond the names", async () => {
    const path = dataSet("beyond", { "README.md": CARD, "data/train.csv": `${TABLE}four,3\n` });
    await expect(readDataFile(path)).rejects.toThrow('"label" is 3, and the data set names 3 classes, from 0 on');
  });
});

describe("a classifier's class", () => {
  const tokenizer: Tokenizer = { beginId: undefined, endId: undefined, encode: () => [7], decode: () => "" } as never;
  const classOf = (labels: readonly string[], record: Partial<DataRecord>): number | undefined =>
    encodeLabelled([{ prompt: "t", fields: {}, overflow: "cut", response: "", ...record }], {
      tokenizer,
      maxTokens: 8,
      labels,
    }).examples[0]!.tokens.at(-1);
  const pos = { response: "pos", classNumber: 2, classes: NAMES };

  it("is the one of that name, in whatever order and case the model has them", () => {
    expect(classOf(["pos", "neg", "neutral"], pos)).toBe(0);
    expect(classOf(["POS", "NEG", "NEUTRAL"], pos)).toBe(0);
  });

  it("is the one of that number where the model has none of the names", () => {
    expect(classOf(["LABEL_0", "LABEL_1", "LABEL_2"], pos)).toBe(2);
  });

  it("is refused where the model has other names of the data set, and not this one", () => {
    expect(() => classOf(["neg", "neutral", "mixed"], pos)).toThrow('"pos" is none of the model\'s classes');
  });

  it("of words is found in the same way", () => {
    const tagged = { words: ["Jo", "is"], tags: [1, 0] };
    const record = { prompt: "", response: "", fields: {}, overflow: "cut", tagged, classes: ["O", "B-PER"] } as const;
    const options = { tokenizer, maxTokens: 8, labels: ["B-PER", "O"], ofTokens: true };
    expect(encodeLabelled([record], options).examples[0]!.tokens.slice(-2)).toEqual([0, 1]);
  });
});
