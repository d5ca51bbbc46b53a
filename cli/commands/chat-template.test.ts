/** Chat templates by the command line: trained with, kept, asked with, chosen, and refused in words. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tokenizerOfFiles } from "../../node/model/tokenizer.ts";
import { readModelFiles } from "../../node/system/files/model-files.ts";
import { weft } from "../command.suite.ts";

const CASES = join(import.meta.dirname, "../../node/data/cases");
const EMBEDDED = join(import.meta.dirname, "../../node/model/embedded");
const TURNS = "{% for m in messages %}{{ '<' + m.role + '>' + m.content + eos_token }}{% endfor %}";
const ASKED = "{% if add_generation_prompt %}<assistant>{% endif %}";

let folder: string;
let model: string;
let adapter: string;
let trained: { readonly code: number; readonly err: string };
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "weft-chat-"));
  model = join(folder, "model");
  adapter = join(folder, "adapter");
  cpSync(EMBEDDED, model, { recursive: true });
  writeFileSync(join(model, "chat_template.jinja"), TURNS + ASKED);
  trained = await train(adapter);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SMALL = ["--adapter", "lora:r2:q_proj", "--threads", "1", "--steps", "1", "--batch-size", "2"];
function train(out: string, ...more: string[]) {
  const data = join(CASES, "B1-messages.jsonl");
  return weft(["train", "--model", model, "--data", data, "--out", out, ...SMALL, ...more]);
}
async function asked(...more: string[]) {
  const { out } = await weft([
    "generate",
    "--model",
    model,
    "--max-tokens",
    "1",
    "--json",
    "--prompt",
    "Hello",
    ...more,
  ]);
  const { promptIds } = JSON.parse(out) as { promptIds: number[] };
  return promptIds;
}
const encoded = (text: string): number[] => tokenizerOfFiles(readModelFiles(model)).encode(text);
const kept = (from: string) => JSON.parse(readFileSync(join(from, "weft-data.json"), "utf8"));

describe("a model with chat templates of which none is the default", () => {
  it("is told of by data check, until one is chosen", async () => {
    const named = join(folder, "named");
    cpSync(EMBEDDED, named, { recursive: true });
    mkdirSync(join(named, "additional_chat_templates"));
    writeFileSync(join(named, "additional_chat_templates", "rag.jinja"), TURNS + ASKED);
    const check = ["data", "check", join(CASES, "B1-messages.jsonl"), "--model", named, "--rows", "0", "--json"];
    const told = "the model has chat templates (rag), and none of them is the default";
    expect(JSON.parse((await weft(check)).out).warnings[0]).toContain(told);
    const chosen = JSON.parse((await weft([...check, "--chat-template", "rag"])).out);
    expect(chosen).toMatchObject({ frames: { template: expect.any(Number) } });
    expect(chosen.warnings.join()).not.toContain("none of them is the default");
  });
});

describe("a model with a chat template", () => {
  it("trains conversations with it, and the adapter keeps it", () => {
    expect([trained.code, trained.err]).toEqual([0, expect.stringContaining("frame: the chat template")]);
    expect(kept(adapter)).toMatchObject({ frame: "template", chatTemplate: { text: TURNS + ASKED } });
    expect(readFileSync(join(adapter, "chat_template.jinja"), "utf8")).toBe(TURNS + ASKED);
  });

  it("is asked through it, with a system turn where one is given; without an adapter as it stands", async () => {
    const { eos_token: end } = JSON.parse(readFileSync(join(model, "tokenizer_config.json"), "utf8"));
    const turn = `<user>Hello${end}<assistant>`;
    expect(await asked("--adapter", adapter)).toEqual(encoded(turn));
    const system = `<system>Be short.${end}${turn}`;
    expect(await asked("--adapter", adapter, "--system", "Be short.")).toEqual(encoded(system));
    expect(await asked("--system", "Be short.")).toEqual(encoded(system));
    expect((await asked()).slice(-encoded("Hello").length)).toEqual(encoded("Hello"));
  });

  it("is evaluated through it, and through another form of the adapter too", async () => {
    const peft = join(folder, "peft");
    const exported = await weft([
      "adapter",
      "export",
      "--model",
      model,
      "--adapter",
      adapter,
      "--format",
      "peft",
      "--out",
      peft,
    ]);
    expect(exported.code).toBe(0);
    expect(readdirSync(peft)).toEqual(expect.arrayContaining(["chat_template.jinja", "weft-data.json"]));
    const losses = [];
    for (const one of [adapter, peft]) {
      const line = ["eval", "--model", EMBEDDED, "--data", join(CASES, "B1-messages.jsonl"), "--adapter", one];
      const { code, out, err } = await weft([...line, "--threads", "1", "--json"]);
      expect([code, err]).toEqual([0, expect.stringContaining("frame: the chat template")]);
      losses.push((JSON.parse(out) as { loss: number }).loss);
    }
    expect(losses[1]).toBeCloseTo(losses[0]!, 5);
  });

  it("takes another template by its file, or none", async () => {
    const file = join(folder, "other.jinja");
    writeFileSync(file, "{% for m in messages %}{{ m.role + ': ' + m.content + '\\n' }}{% endfor %}");
    const [other, none] = [join(folder, "other"), join(folder, "none")];
    expect((await train(other, "--chat-template", file)).code).toBe(0);
    expect(kept(other).chatTemplate.text).toContain("m.role + ': '");
    const turns = await train(none, "--chat-template", "none");
    expect([turns.code, turns.err]).toEqual([0, expect.stringContaining("frame: turns on lines of their own")]);
    expect(kept(none)).not.toHaveProperty("chatTemplate");
  });

  it("is refused in one line where the choice is no template, or the template refuses a row", async () => {
    const unknown = await train(join(folder, "a"), "--chat-template", "tool");
    const about = `"tool" is neither a file nor a template of the model; ${model} has templates default; give a name, a file, or none`;
    expect(unknown).toMatchObject({ code: 2, err: expect.stringContaining(about) });
    const file = join(folder, "strict.jinja");
    writeFileSync(file, `{{ raise_exception("no such turns") }}`);
    const strict = await train(join(folder, "b"), "--chat-template", file);
    const why = "B1-messages.jsonl: record 1: the chat template refuses it: no such turns";
    expect(strict).toMatchObject({ code: 2, err: expect.stringContaining(why) });
    writeFileSync(file, "{% for m in messages %}");
    const broken = await train(join(folder, "c"), "--chat-template", file);
    expect(broken).toMatchObject({ code: 2, err: expect.stringContaining("the chat template cannot be read") });
  });

  it("has no system turn without a template", async () => {
    const { code, err } = await weft(["generate", "--prompt", "Hello", "--system", "Be short."]);
    expect([code, err]).toEqual([2, expect.stringContaining("a system turn is written by a chat template")]);
  });
});
