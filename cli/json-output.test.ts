/** `--json` and `--format jsonl` of every command: who takes them, and what a failure prints. */
import { describe, expect, it } from "vitest";
import { weft } from "./command.suite.ts";
import { longName } from "./command-row.ts";
import { COMMANDS } from "./command-table.ts";
import { ERROR_KEYS } from "./json.ts";

const nowhere = { WEFT_DATA_DIR: "/nonexistent/weft" };
const failed = async (words: readonly string[], environment: Record<string, string> = nowhere) => {
  const result = await weft(words, undefined, environment);
  expect(result.err).toMatch(/^weft: .+\n$/m);
  const document = JSON.parse(result.out) as { readonly error: Record<string, unknown> };
  expect(Object.keys(document)).toEqual(["error"]);
  expect(Object.keys(document.error)).toEqual(Object.keys(ERROR_KEYS));
  expect(document.error.exitCode).toBe(result.code);
  return document.error;
};

describe.each(COMMANDS)("weft $name", (row) => {
  it("takes --json and --quiet, and the documents say what it prints", () => {
    const names = row.options.map(longName);
    expect(names).toEqual(expect.arrayContaining(["json", "quiet"]));
    expect(Object.keys(row.json ?? {})).not.toEqual([]);
    const isStreaming = row.options.some(({ flags, text }) => flags === "--format <form>" && text.startsWith("jsonl"));
    expect(row.jsonl !== undefined).toBe(isStreaming);
  });

  it("tells in JSON that its words are no command line", async () => {
    const error = await failed([...row.name, "--json", "--no-such-flag"]);
    expect(error).toMatchObject({ code: "USAGE", message: "unknown option '--no-such-flag'", exitCode: 2 });
    expect(error.remedy).toMatch(/see weft (?:\w+ ){0,2}--help|did you mean/);
  });
});

describe("a failure in JSON", () => {
  it("has the code, the sentence and the remedy of the line", async () => {
    expect(await failed(["run", "--json"])).toMatchObject({
      code: "MANIFEST_INVALID",
      remedy: "give --network FILE, which weft network create makes",
    });
    expect(await failed(["members", "list", "--json"])).toMatchObject({ remedy: expect.stringContaining("weft init") });
    expect(await failed(["status", "--json"])).toMatchObject({ code: "DATA_DIRECTORY", remedy: null });
  });

  it("is one line where lines were asked for, also by the environment", async () => {
    for (const words of [
      ["run", "--format", "jsonl"],
      ["train", "--format=jsonl", "--steps", "0"],
    ]) {
      const { out } = await weft(words, undefined, nowhere);
      expect(out).toMatch(/^\{"error":\{.*\}\}\n$/);
    }
    expect(await failed(["status"], { ...nowhere, WEFT_JSON: "1" })).toMatchObject({ code: "DATA_DIRECTORY" });
  });

  it("is not there for whoever did not ask", async () => {
    expect((await weft(["status", "--", "--json"], undefined, nowhere)).out).toBe("");
    expect((await weft(["status"], undefined, nowhere)).out).toBe("");
  });

  it("tells which of two forms to leave out", async () => {
    for (const command of ["run", "generate"]) {
      const { code, err } = await weft([command, "--json", "--format", "jsonl"], undefined, nowhere);
      expect([code, err]).toEqual([2, expect.stringContaining("give one of them")]);
    }
  });

  it("leaves no talk on standard error with --quiet, but what is wrong", async () => {
    const { out, err } = await weft(["status", "--quiet", "--json"], undefined, nowhere);
    expect(err).toMatch(/^weft: no peer has run in .*\n$/);
    expect(JSON.parse(out)).toHaveProperty("error");
  });
});
