/** `weft init` at a terminal, where answers are typed, and elsewhere, where nobody is asked. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "smol-toml";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NodeError } from "../node/index.ts";
import { weft } from "./command.suite.ts";
import { runCommandLine } from "./program.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "weft-questions-"));
  writeFileSync(join(folder, "data.jsonl"), '{"prompt":"a","response":"b"}\n'.repeat(30));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => join(folder, name);

/** `weft init` with these answers, one after the other; undefined gives it up. */
async function init(peer: string, answers: readonly (string | undefined)[], more: readonly string[] = []) {
  let [out, err] = ["", ""];
  const [left, questions] = [[...answers], [] as string[]];
  const code = await runCommandLine(["init", "--data-dir", at(peer), ...more], {
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    errIsTerminal: true,
    columns: () => 200,
    nextLine: () => Promise.resolve(),
    askLine: async (question) => {
      questions.push(question);
      const answer = left.shift();
      if (answer === undefined) throw new NodeError("CONFIG_INVALID", "the questions were given up; nothing was done");
      return answer;
    },
    environment: {},
    signal: new AbortController().signal,
  });
  return { code, out, err, questions };
}

describe("weft init at a terminal", () => {
  it("founds a network, keeps the answers with comments, and says what comes next", async () => {
    const answers = ["", at("data.jsonl"), "new", "poems", at("poems.json")];
    const { code, out, err, questions } = await init("alice", answers);
    expect([code, err]).toEqual([0, expect.stringContaining(`next: weft run --data-dir ${at("alice")}`)]);
    expect(questions).toHaveLength(5);
    expect(out).toMatch(/^12D3KooW\w+\n$/);
    expect(err).toContain(`give ${at("poems.json")} to every peer`);
    const text = readFileSync(at("alice/config.toml"), "utf8");
    expect(parse(text)).toEqual({ data: at("data.jsonl") });
    expect(text.split("\n").filter((line) => line.startsWith("# "))).toHaveLength(2);
    expect(JSON.parse(readFileSync(at("alice/network.json"), "utf8"))).toHaveProperty("name", "poems");
  });

  it("asks again for what it cannot take, and takes part in a network that is there", async () => {
    const answers = [at("nowhere"), "", at("no-data"), "embedded", at("data.jsonl"), at("poems.json")];
    const { code, err, questions } = await init("bob", answers);
    expect([code, questions.length]).toEqual([0, 6]);
    expect(err).toMatch(/there is no model directory .*nowhere\n.*there is no .*no-data\n/s);
    expect(existsSync(at("bob/network.json"))).toBe(true);
  });

  it("leaves the network for later, and knows of invites", async () => {
    expect((await init("carol", ["", "", ""])).err).toContain("next: weft run --network FILE");
    expect((await init("dave", ["", "", "invite"])).err).toContain("next: weft join --invite-file FILE --data-dir");
  });

  it("makes nothing where the person gives up", async () => {
    const { code, err } = await init("erin", ["", undefined]);
    expect([code, err]).toEqual([
      2,
      expect.stringMatching(/weft: the questions were given up; nothing was done; see weft init --help\n$/),
    ]);
    expect(existsSync(at("erin"))).toBe(false);
  });

  it.each([[["--data", "embedded"]], [["--quiet"]]])("asks nothing with %j", async (more) => {
    expect((await init("frank", [], more)).questions).toEqual([]);
  });
});

it("weft init elsewhere asks nobody", async () => {
  expect(await weft(["init", "--data-dir", at("gina")])).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^12D3/),
  });
});
