/** Whatever others put into names, labels and files reaches the terminal as text that can be seen. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { weft } from "./command.suite.ts";
import type { Terminal } from "./terminal.ts";
import { visibleTerminal, visibleText } from "./visible-text.ts";

const EVIL = "a\u001b[2J\u009b31m\u202eb\u2066c\u0007\u200f";
// biome-ignore lint/suspicious/noControlCharactersInRegex: these must not be there
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "weft-visible-"));
});
afterAll(() => rm(folder, { recursive: true }));

function safetensors(name: string): Uint8Array {
  const header = new TextEncoder().encode(
    JSON.stringify({ [name]: { dtype: "NOPE", shape: [1], data_offsets: [0, 4] } }),
  );
  const bytes = new Uint8Array(8 + header.length + 4);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
  bytes.set(header, 8);
  return bytes;
}

/** A message of a chat as Telegram exports it. */
const spoken = (from: string, id: number) => ({
  ...{ id, type: "message", date: "2024-01-01T10:00:00", from, from_id: `user${from.length}`, text: "hello" },
});

describe("text from others", () => {
  it("is written out where it is hidden, means the same in JSON, and keeps its lines", () => {
    expect(visibleText(EVIL)).not.toMatch(HIDDEN);
    expect(JSON.parse(visibleText(JSON.stringify({ [EVIL]: EVIL })))).toEqual({ [EVIL]: EVIL });
    expect(visibleText("one\n\ttwo é 日本\n")).toBe("one\n\ttwo é 日本\n");
    // A word that is written in tags alone, and a name that ends in what is not seen.
    const tagged = `a${String.fromCodePoint(0xe0048, 0xe0049)}b\u2060\u2062\ufffb`;
    expect(visibleText(tagged)).toBe("a\\udb40\\udc48\\udb40\\udc49b\\u2060\\u2062\\ufffb");
    expect(JSON.parse(`"${visibleText(tagged)}"`)).toBe(tagged);
    const family = "\u{1f468}\u200d\u{1f469} \u0e01\u200b\u0e02 \ud83d";
    expect(visibleText(family)).toBe(family);
    // Tables of other programs end their lines so; alone it would go back to the line's beginning.
    expect(visibleText("a,b\r\nc\rd\r\r\n")).toBe("a,b\r\nc\\u000dd\\u000d\r\n");
  });

  it.each([
    ["config.json", { "config.json": JSON.stringify({ model_type: EVIL, [EVIL]: 1 }) }],
    ["a config.json that is none", { "config.json": `{"${EVIL}` }],
    ["tokenizer.json", { "tokenizer.json": `{"${EVIL}": ` }],
    ["safetensors names", { "model.safetensors": safetensors(EVIL) }],
    ["adapter.json", { "adapter.json": JSON.stringify({ schema: EVIL, [EVIL]: 1 }) }],
    ["adapter_config.json", { "adapter_config.json": JSON.stringify({ peft_type: EVIL, [EVIL]: 1 }) }],
  ] as const)("of %s reaches the terminal visibly", async (name, files) => {
    const at = join(folder, name.replace(/\W/g, "-"));
    await (await import("node:fs/promises")).mkdir(at);
    for (const [file, content] of Object.entries(files)) await writeFile(join(at, file), content);
    for (const words of [
      ["adapter", "inspect", at],
      ["network", "show", "--network", at],
      ["train", "--model", at, "--data", join(at, "none.jsonl"), "--out", join(at, "out")],
    ]) {
      const { out, err } = await weft(words);
      expect(out + err).not.toMatch(HIDDEN);
    }
  });

  it("ends no line of weft's: names of files, columns, speakers and settings stay in theirs", async () => {
    const forged = "a\nFORGED";
    const chat = { type: "personal_chat", messages: [forged, "Bob", forged].map(spoken) };
    for (const [name, content] of [
      [`${forged}.csv`, `text,"${forged}"\nhello,1\n`],
      ["chat.json", JSON.stringify(chat)],
    ] as const) {
      await writeFile(join(folder, name), content);
      const { out, err } = await weft(["data", "check", join(folder, name), "--rows", "0"]);
      expect(`${out}${err}`).toContain("a\\nFORGED");
      expect(`${out}${err}`).not.toMatch(/^FORGED/m);
    }
    const config = join(folder, "config.json");
    await writeFile(config, JSON.stringify({ [forged]: 1 }));
    for (const words of [
      ["config", "show", "--config", config],
      ["data", "check", join(folder, `${forged}.none`)],
    ]) {
      const { err } = await weft(words);
      expect(err).toContain("a\\nFORGED");
      expect(err).not.toMatch(/^FORGED/m);
    }
  });

  it("of arguments and unknown words reaches the terminal visibly", async () => {
    const { err, code } = await weft([EVIL, `--${EVIL}`]);
    expect([code, HIDDEN.test(err)]).toEqual([2, false]);
    expect(err).toContain("\\u001b");
  });

  it("does not move the cursor in a view that is drawn over, which the view itself does", () => {
    const drawn: string[] = [];
    const terminal = visibleTerminal({ draw: (text: string) => void drawn.push(text) } as unknown as Terminal);
    terminal.draw?.(`\u001b[3A\r\u001b[Jline ${EVIL}\n`);
    expect(drawn[0]!.startsWith("\u001b[3A\r\u001b[Jline a")).toBe(true);
    expect(drawn[0]!.slice("\u001b[3A\r\u001b[J".length)).not.toMatch(HIDDEN);
  });
});
