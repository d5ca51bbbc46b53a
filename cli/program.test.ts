import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { peerIdFromPublicKey } from "../protocol/peer-id.ts";
import { COMMANDS } from "./command-table.ts";
import { applyConfigFile } from "./config-file.ts";
import { listenAddress } from "./option-value.ts";
import { buildProgram, runCommandLine } from "./program.ts";
import type { Terminal } from "./terminal.ts";

function recordingTerminal(environment: Record<string, string> = {}) {
  const text = { out: "", err: "" };
  const terminal: Terminal = {
    out: (chunk) => void (text.out += chunk),
    err: (chunk) => void (text.err += chunk),
    errIsTerminal: false,
    columns: () => 80,
    nextLine: () => Promise.resolve(),
    environment,
    signal: new AbortController().signal,
  };
  return { terminal, text };
}

const [ALICE, BOB] = [1, 2].map(
  (byte) => `/ip4/127.0.0.1/tcp/${9000 + byte}/p2p/${peerIdFromPublicKey(new Uint8Array(32).fill(byte))}`,
) as [string, string];

describe("command line", () => {
  it.each([
    [["testnte"], "weft: unknown command 'testnte'; did you mean testnet?\n"],
    [["testnet", "--peeers", "3"], "weft: unknown option '--peeers'; did you mean --peers?\n"],
    [["testnet", "--zzz"], "weft: unknown option '--zzz'; see weft --help\n"],
    [["network", "crate"], "weft: unknown command 'crate'; did you mean create?\n"],
    [["network"], "weft: which command? See weft --help\n"],
    [
      ["testnet", "--peers", "0"],
      'weft: --peers <count> does not take "0": expected an integer from 1 to 256; see weft --help\n',
    ],
    [
      ["testnet", "--adapter", "lora:8"],
      'weft: adapter "lora:8": "8" is not r followed by an integer from 1 to 1024: the rank; write lora:r8:q_proj,v_proj[:alpha16][:rslora][:dropout0.1][:layers=0,2]\n',
    ],
    [
      ["run", "--part", "3/2"],
      'weft: --part <i/n> does not take "3/2": expected the part and the number of parts, such as 2/6; see weft --help\n',
    ],
    [["network", "show"], "weft: missing required argument 'file'; see weft --help\n"],
    [["status", "extra"], "weft: too many arguments for 'status'. Expected 0 arguments but got 1; see weft --help\n"],
  ])("answers %j with one line and exit code 2", async (words, line) => {
    const { terminal, text } = recordingTerminal();
    expect(await runCommandLine(words, terminal)).toBe(2);
    expect(text).toEqual({ out: "", err: line });
  });

  it.each([
    ["--bootstrap", "hello"],
    ["--bootstrap", "/ip4/127.0.0.1/tcp/9000"],
    ["--bootstrap", "/ip4/127.0.0.1/tcp/9000/p2p/hello"],
    ["--bootstrap", ALICE.replace("127.", "999.")],
    ["--bootstrap", `${ALICE}/tcp/1`],
    ["--listen", "9000"],
    ["--listen", "/ip4/127.0.0.1"],
    ["--listen", "/ip4/127.0.0.1/tcp/65536"],
    ["--listen", "/"],
  ])("refuses %s %s before anything is done", async (flag, address) => {
    const commands = [["run"], ["init"], ...(flag === "--bootstrap" ? [["network", "create"]] : [])];
    for (const command of commands) {
      const { terminal, text } = recordingTerminal();
      expect(await runCommandLine([...command, flag, address], terminal)).toBe(2);
      expect(text.err).toBe(
        flag === "--listen"
          ? `weft: --listen <multiaddr> does not take "${address}": expected a multiaddr such as /ip4/0.0.0.0/tcp/9000; see weft --help\n`
          : `weft: --bootstrap <multiaddr> does not take "${address}": expected a multiaddr that ends in /p2p/ and a peer id, as weft run prints it; see weft --help\n`,
      );
    }
  });

  it.each(["/ip4/0.0.0.0/tcp/9000", "/ip6/::/tcp/0", "/dns4/localhost/tcp/9000"])("listens on %s", (address) => {
    expect(listenAddress(address)).toBe(address);
  });

  it("shows the commands to whoever names none, and knows the words of other programs", async () => {
    const bare = recordingTerminal();
    expect(await runCommandLine([], bare.terminal)).toBe(2);
    expect(bare.text).toEqual({ out: "", err: expect.stringMatching(/^Usage: weft/) });
    for (const [words, start] of [
      [["-h"], "Usage: weft ["],
      [["help"], "Usage: weft ["],
      [["help", "run"], "Usage: weft run"],
      [["run", "-h"], "Usage: weft run"],
      [["version"], "0."],
      [["-V"], "0."],
    ] as const) {
      const { terminal, text } = recordingTerminal();
      expect(await runCommandLine(words, terminal)).toBe(0);
      expect(text.out.startsWith(start)).toBe(true);
    }
  });

  it("asks for --network only of commands that take it", async () => {
    for (const [words, says] of [
      [["run"], /give --network FILE/],
      [["members", "list"], /weft init --network FILE/],
    ] as const) {
      const { terminal, text } = recordingTerminal({ WEFT_DATA_DIR: "/nonexistent/weft" });
      expect(await runCommandLine(words, terminal)).toBe(2);
      expect(text.err).toMatch(says);
    }
  });

  it("prints version and help on standard output", async () => {
    const { terminal, text } = recordingTerminal();
    expect(await runCommandLine(["--version"], terminal)).toBe(0);
    expect(text.out).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(await runCommandLine(["testnet", "--help"], terminal)).toBe(0);
    expect(text.out).toContain("--local-steps <count>");
    expect(text.err).toBe("");
  });

  it("gives repeated flags as a list, and parses each value", async () => {
    let seen: Record<string, unknown> = {};
    const { terminal } = recordingTerminal();
    const program = buildProgram(terminal, async (_, command) => {
      seen = command.opts();
    });
    const words = ["run", "--bootstrap", ALICE, "--bootstrap", BOB, "--part", "2/6", "--serve", "--port", "9000"];
    await program.parseAsync(words, { from: "user" });
    expect(seen).toEqual({
      bootstrap: [ALICE, BOB],
      part: { index: 1, count: 6 },
      serve: true,
      port: 9000,
    });
  });
});

describe("config.json", () => {
  let folder: string;
  const runRow = COMMANDS.find(({ name }) => name[0] === "run")!;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "weft-config-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const parsed = async (config: string, words: readonly string[] = []): Promise<Record<string, unknown>> => {
    await writeFile(join(folder, "config.json"), config);
    const { terminal } = recordingTerminal({ WEFT_DATA_DIR: folder });
    let seen: Record<string, unknown> = {};
    const program = buildProgram(terminal, async (row, command) => {
      await applyConfigFile(command, row, terminal);
      seen = command.opts();
    });
    await program.parseAsync(["run", ...words], { from: "user" });
    return seen;
  };

  it("stands in for flags that are not given", async () => {
    const config = JSON.stringify({ port: 9000, bootstrap: [ALICE], "compare-alone": true, part: "1/2" });
    expect(await parsed(config, ["--port", "9001"])).toEqual({
      port: 9001,
      bootstrap: [ALICE],
      compareAlone: true,
      part: { index: 0, count: 2 },
    });
  });

  it.each([
    ['{"prot": 9000}', 'unknown key "prot"; did you mean "port"?'],
    ['{"json": true}', 'unknown key "json"; see weft run --help'],
    ['{"port": 70000}', '"port" is "70000"; expected an integer from 1 to 65535'],
    ['{"serve": "yes"}', '"serve" is not true or false'],
    ['{"data": {}}', '"data" is neither text nor a number'],
    ["[]", "is not an object"],
    ["{", "is not JSON"],
  ])("refuses %s", async (config, text) => {
    const refusal = expect.objectContaining({ code: "CONFIG_INVALID", message: expect.stringContaining(text) });
    await expect(parsed(config)).rejects.toEqual(refusal);
  });

  it("need not be there", async () => {
    await rm(folder, { recursive: true });
    const { terminal } = recordingTerminal({ WEFT_DATA_DIR: folder });
    const program = buildProgram(terminal, (row, command) => applyConfigFile(command, row, terminal));
    await program.parseAsync(["run"], { from: "user" });
    expect(runRow.configurable).toBe(true);
  });
});
