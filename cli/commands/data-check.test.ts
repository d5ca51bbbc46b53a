/** `weft data check`: what it says of files as people have them. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { weft } from "../command.suite.ts";

const CASES = join(import.meta.dirname, "../../node/data/cases");
const EMBEDDED = join(import.meta.dirname, "../../node/model/embedded");

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "weft-check-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function check(...words: string[]) {
  const { code, out, err } = await weft(["data", "check", ...words, "--json"]);
  expect([code, err]).toEqual([0, ""]);
  return JSON.parse(out);
}
function rows(name: string, list: readonly object[]): string {
  const path = join(folder, name);
  writeFileSync(path, list.map((row) => `${JSON.stringify(row)}\n`).join(""));
  return path;
}

describe("weft data check", () => {
  it("says form, frame, tokens, labels and sets, and shows what is learnt", async () => {
    const report = await check(join(CASES, "C1-colours.jsonl"), "--rows", "1");
    expect(report).toMatchObject({
      form: "JSON lines; 24 rows of instruction",
      records: 24,
      examples: 24,
      frames: { instruction: 24 },
      cut: { left: 0, right: 0, tokens: 0 },
      labels: { red: 3, blue: 3, green: 3, pink: 3, black: 3, white: 3, brown: 3, gray: 3 },
      sets: { train: 8, validation: 8, test: 8 },
    });
    const [[asked, answer]] = report.shown;
    expect(asked).toEqual({ text: "<|begin|>Task: What color is the cat?\nAnswer:\n", learnt: false });
    expect(answer).toEqual({ text: "red<|end|>", learnt: true });
    const counted = report.tokens.bins.reduce((sum: number, { examples }: { examples: number }) => sum + examples, 0);
    expect(counted).toBe(24);
  });

  it("tells at which side rows are cut, what repeats, what is out of balance and what is too few", async () => {
    const short = Array.from({ length: 33 }, (_, i) => ({ text: `note ${i}`, label: i === 0 ? "rare" : "usual" }));
    const long = { text: "word ".repeat(60).trim(), label: "usual" };
    const file = rows("cut.jsonl", [...short, ...short.slice(1, 4), long]);
    const report = await check(file, "--max-tokens", "16");
    expect(report).toMatchObject({
      records: 37,
      repeated: 3,
      cut: { left: 1, right: 0 },
      labels: { usual: 36, rare: 1 },
    });
    expect(report.warnings).toEqual([
      "1 record loses the beginning of its prompt: it is longer than 16 tokens",
      "3 records repeat others",
      "the commonest answer is given 36 times, the rarest 1",
    ]);
    const answers = rows("long.jsonl", [{ prompt: "Say it:", response: "word ".repeat(60) }]);
    const one = await check(answers, "--max-tokens", "16");
    expect(one.cut).toMatchObject({ right: 1 });
    expect(one.warnings).toContainEqual(expect.stringMatching(/^a set has 0 examples, less than a batch of \d+$/u));
  });

  it("shows each of the assistant's turns as the chat template writes it, and warns without one", async () => {
    const model = join(folder, "model");
    cpSync(EMBEDDED, model, { recursive: true });
    const template = "{% for m in messages %}{{ '<' + m.role + '>' + m.content + eos_token + '\\n' }}{% endfor %}";
    writeFileSync(
      join(model, "chat_template.jinja"),
      `${template}{% if add_generation_prompt %}<assistant>{% endif %}`,
    );
    const turn = (role: string, content: string) => ({ role, content });
    const messages = [turn("user", "One?"), turn("assistant", "Yes."), turn("user", "Two?"), turn("assistant", "No.")];
    const file = rows("chat.jsonl", [{ messages }]);
    const report = await check(file, "--model", model);
    expect(report.frames).toEqual({ template: 1 });
    expect(report.shown[0]).toEqual([
      { text: "<user>One?<|end|>\n<assistant>", learnt: false },
      { text: "Yes.<|end|>", learnt: true },
      { text: "\n<user>Two?<|end|>\n<assistant>", learnt: false },
      { text: "No.<|end|>", learnt: true },
    ]);
    const plain = await check(file, "--model", model, "--chat-template", "none");
    expect(plain.warnings).toContain("conversations are written on plain lines, because no chat template is used");
    const { out } = await weft(["data", "check", file, "--model", model]);
    expect(out).toContain("<user>One?<|end|>\n<assistant>⟦Yes.<|end|>⟧\n<user>Two?<|end|>\n<assistant>⟦No.<|end|>⟧");
  });

  it("refuses what training would refuse, with its place", async () => {
    const file = rows("wrong.jsonl", [{ prompt: "a", response: "b" }, { prompt: "a" }]);
    const { code, err } = await weft(["data", "check", file]);
    expect([code, err]).toEqual([2, expect.stringContaining(`${file}:2`)]);
    expect((await weft(["data", "check"])).code).toBe(2);
  });
});
