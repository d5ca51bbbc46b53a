/** Slow commands on a terminal and on a pipe: a word at least every ten seconds, one line that is drawn over, and no flood. */
import { type SpawnOptions, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { packageFolder } from "./package-folder.ts";
import { WEFT } from "./process.suite.ts";

let folder: string;
/** Such as "1.20 GB", as the lines say it. */
let size: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "weft-progress-"));
  const bytes = bytesHashedIn(4);
  size = `${(bytes / 1e9).toFixed(2)} GB`;
  heavyModel(join(folder, "model"), bytes);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** So many that this machine needs about so many seconds for them, between 1.2 and 9 GB; a whole number of tenths. */
function bytesHashedIn(seconds: number): number {
  const some = Buffer.alloc(64e6);
  const began = performance.now();
  for (let i = 0; i < 4; i++) createHash("sha256").update(some).digest();
  const rate = (4 * some.length) / ((performance.now() - began) / 1000);
  return Math.min(90, Math.max(12, Math.round((seconds * rate) / 1e8))) * 1e8;
}

/** The embedded model with weights beside it that nobody uses, in a file with a hole: long to hash, and no room on disk. */
function heavyModel(to: string, bytes: number): void {
  const from = join(packageFolder(), "node", "model", "embedded");
  mkdirSync(to);
  for (const name of ["config.json", "tokenizer.json", "tokenizer_config.json"])
    copyFileSync(join(from, name), join(to, name));
  const file = readFileSync(join(from, "model.safetensors"));
  const length = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString("utf8", 8, 8 + length)) as Record<string, object>;
  const values = file.subarray(8 + length);
  header["ballast.weight"] = {
    dtype: "F32",
    shape: [bytes / 4],
    data_offsets: [values.length, values.length + bytes],
  };
  const text = Buffer.from(JSON.stringify(header));
  const padded = Buffer.concat([text, Buffer.alloc((8 - (text.length % 8)) % 8, " ")]);
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(padded.length));
  writeFileSync(join(to, "model.safetensors"), Buffer.concat([size, padded, values]));
  truncateSync(join(to, "model.safetensors"), 8 + padded.length + values.length + bytes);
}

interface Timed {
  readonly code: number | null;
  /** What was said, with seconds since the start. */
  readonly said: readonly { readonly at: number; readonly text: string }[];
  /** The longest silence, in seconds, from the first word to the end: until then a machine that is busy loads the program. */
  readonly silence: number;
  readonly seconds: number;
}

/** Run a command and note when it says anything on standard error, which is a terminal's where it has one. */
async function timed(command: string, words: readonly string[], options: SpawnOptions = {}): Promise<Timed> {
  const env = { ...process.env, HOME: folder, WEFT_CACHE: join(folder, "cache"), ...options.env };
  const child = spawn(command, words, { cwd: folder, ...options, env, stdio: ["ignore", "pipe", "pipe"] });
  const began = performance.now();
  const said: { at: number; text: string }[] = [];
  const hear = (chunk: Buffer): void => {
    said.push({ at: (performance.now() - began) / 1000, text: chunk.toString() });
  };
  child.stdout?.on("data", (chunk: Buffer) => command === "script" && hear(chunk));
  child.stderr?.on("data", hear);
  const code = await new Promise<number | null>((done) => child.on("close", done));
  const seconds = (performance.now() - began) / 1000;
  const times = [...said.map(({ at }) => at), seconds];
  return { code, said, seconds, silence: Math.max(...times.slice(1).map((at, i) => at - times[i]!)) };
}

const onTerminal = (line: string, options?: SpawnOptions): Promise<Timed> =>
  timed("script", ["-qec", `stty cols 60 2>/dev/null; ${process.execPath} ${WEFT} ${line}`, "/dev/null"], options);
const onPipe = (line: string): Promise<Timed> => timed(process.execPath, [WEFT, ...line.split(" ")]);
const hasScript = spawnSync("script", ["--version"]).status === 0;

describe("hashing a large model", () => {
  const line = (out: string): string => `network create --model model --adapter lora:r2:q_proj --out ${out}`;

  it("is told on a pipe in lines with rate and time left", async () => {
    const { code, said, silence, seconds } = await onPipe(line("pipe.json"));
    const text = said.map((one) => one.text).join("");
    expect([code, text]).toEqual([
      0,
      expect.stringMatching(new RegExp(`hashing the model: [\\d.]+ [GM]B of ${size}, \\d+ %, .*B/s, .* left`)),
    ]);
    expect(text).not.toContain("\x1b");
    expect(silence).toBeLessThan(10);
    expect(said.length).toBeLessThan(10 + seconds / 2);
  });

  it("says nothing with --quiet", async () => {
    const { code, said } = await onPipe(`${line("quiet.json")} --quiet`);
    expect([code, said]).toEqual([0, []]);
  });

  it.skipIf(!hasScript)("is one line on a terminal, which is drawn over and gone in the end", async () => {
    const { code, said, silence } = await onTerminal(line("terminal.json"));
    const text = said.map((one) => one.text).join("");
    expect([code, text]).toEqual([0, expect.stringMatching(new RegExp(`hashing the model: [\\d.]+ [GM]B of ${size}`))]);
    expect(silence).toBeLessThan(10);
    const lines = text.split("\r\n");
    expect(lines.filter((one) => one.includes("hashing")).every((one) => one.startsWith("\r\x1b[K"))).toBe(true);
    for (const drawn of text.split("\r\x1b[K").slice(1)) expect(drawn.split("\r\n")[0]!.length).toBeLessThan(500);
  });
});
