import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { weft } from "./command.suite.ts";
import { encodingsOf, findPlants } from "./planted-secrets.suite.ts";

const secret = new TextEncoder().encode('Plänt "7f3a9c", twenty-four of them');
const around = (text: string | Buffer, before = 3): Buffer =>
  Buffer.concat([Buffer.alloc(before, "x"), Buffer.from(text), Buffer.from("zzz")]);

test.each([
  ["raw", secret],
  ["hex", Buffer.from(secret).toString("hex")],
  ["base64", Buffer.from(secret).toString("base64")],
  ["base64 behind one other byte", around(Buffer.from(secret), 1).toString("base64")],
  ["base64 behind two other bytes", around(Buffer.from(secret), 2).toString("base64")],
  ["base64url", around(Buffer.from(secret), 4).toString("base64url")],
  ["a list of numbers", JSON.stringify([...secret])],
  ["its first half alone", secret.subarray(0, 20)],
  ["its second half alone", Buffer.from(secret.subarray(-20)).toString("hex")],
])("a secret is found as %s", (_, text) => {
  expect(findPlants({ it: secret }, { log: around(Buffer.from(text)) })).not.toEqual([]);
});

test("a secret is not found where it is not", () => {
  const others = [...encodingsOf(crypto.getRandomValues(new Uint8Array(32))).values()];
  expect(findPlants({ it: secret }, { log: Buffer.concat([...others, Buffer.from(secret.subarray(0, 12))]) })).toEqual(
    [],
  );
});

// Sealing a key takes half a second of processor time, several seconds on a busy machine.
test("what is wrong with data, a passphrase or an invite is said without a word of it", {
  timeout: 120_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), "weft-plants-"));
  try {
    const at = (name: string): string => join(folder, name);
    const plants = { text: plant(), passphrase: plant(), invite: `weft1${plant().toLowerCase().replaceAll(" ", "q")}` };
    writeFileSync(at("broken.jsonl"), `{"prompt": "${plants.text}, "response": 1}\n`);
    writeFileSync(at("odd.jsonl"), `{"prompt": {"${plants.text}": 1}, "response": "${plants.text}"}\n`);
    writeFileSync(at("odd.csv"), `prompt,response\n${plants.text},"${plants.text}\n`);
    writeFileSync(at("long.csv"), `prompt,response\n${plants.text},a,${plants.text}\n`);
    writeFileSync(at("passphrase"), plants.passphrase, { mode: 0o600 });
    writeFileSync(at("other"), plant(), { mode: 0o600 });
    writeFileSync(at("invite"), plants.invite, { mode: 0o600 });
    const said: Record<string, Buffer> = {};
    for (const words of [
      ["init", "--data-dir", at("alice")],
      ...["broken.jsonl", "odd.jsonl", "odd.csv", "long.csv"].map((file) => [
        "train",
        "--data",
        at(file),
        "--out",
        at("out"),
      ]),
      ["keys", "backup", "--data-dir", at("alice"), "--passphrase-file", at("passphrase"), "--out", at("backup")],
      ["keys", "restore", at("backup"), "--passphrase-file", at("other"), "--data-dir", at("again")],
      ["join", "--invite-file", at("invite"), "--data-dir", at("bob")],
      ["join", plants.invite, "--data-dir", at("bob")],
    ]) {
      const { code, out, err } = await weft(words);
      expect([words[0], code]).toEqual([words[0], /^(init|keys,backup)/.test(`${words}`) ? 0 : expect.any(Number)]);
      said[words.slice(0, 4).join(" ")] = Buffer.from(`${out}${err}`);
    }
    const secrets = Object.fromEntries(
      Object.entries(plants).map(([name, one]) => [name, new TextEncoder().encode(one)]),
    );
    expect(findPlants(secrets, said)).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("what is wrong with a line, a config file or a variable is said without a secret that stands there", async () => {
  const folder = mkdtempSync(join(tmpdir(), "weft-plants-"));
  try {
    const config = join(folder, "config.toml");
    const said: Record<string, Buffer> = {};
    const plants = { line: plant(), file: plant(), variable: plant(), invite: `weft1${"q".repeat(40)}` };
    const line = async (words: readonly string[], environment?: Record<string, string>): Promise<void> => {
      const { code, out, err } = await weft(words, undefined, environment);
      said[`${words.join(" ")} ${Object.keys(said).length}`] = Buffer.from(`${out}${err}`);
      expect([words, code]).toEqual([words, environment === undefined ? 2 : 0]);
    };
    for (const text of [
      `passphrase = "${plants.file}"\n`,
      `[secrets]\ntoken = "${plants.file}"\n`,
      `port = 4001\nlabel = "${plants.file}\n`,
      `invite = "${plants.invite}"\n`,
    ]) {
      writeFileSync(config, text);
      await line(["config", "show", "--data-dir", folder]);
      await line(["run", "--data-dir", folder]);
    }
    writeFileSync(config, "port = 4001\n");
    const environment = { WEFT_PASSPHRASE: plants.variable, AWS_SECRET_ACCESS_KEY: plants.variable };
    await line(["config", "show", "--data-dir", folder], { ...environment, WEFT_INVITE: plants.invite });
    await line(["bugreport", "--data-dir", folder], { ...environment, WEFT_TOKEN: plants.variable });
    for (const words of [
      ["keys", "backup", `--passphrase=${plants.line}`],
      ["run", `--admin-token=${plants.line}`],
      ["join", plants.invite, plants.line],
      [plants.invite],
    ]) {
      await line(words);
    }
    const secrets = Object.fromEntries(Object.entries(plants).map(([name, one]) => [name, Buffer.from(one)]));
    expect(findPlants(secrets, said)).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

// eslint
const plant = (): string => `Plant ${randomBytes(24).toString("hex")}`;
