import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { peerIdFromPublicKey } from "../protocol/peer-id.ts";
import { listenAddress } from "./option-value.ts";
import { buildProgram, runCommandLine } from "./program.ts";
import { applySettings } from "./setting-sources.ts";
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
    [["testnet", "--zzz"], "weft: unknown option '--zzz'; see weft testnet --help\n"],
    [
      ["testnet", "stauts"],
      "weft: too many arguments for 'testnet'. Expected 0 arguments but got 1; did you mean status?\n",
    ],
    [
      ["train", "--rank", "8"],
      `weft: unknown option '--rank'; the rank stands in the adapter: --adapter "lora:r8:q_proj,v_proj"\n`,
    ],
    [["network", "crate"], "weft: unknown command 'crate'; did you mean create?\n"],
    [["help", "testnte"], "weft: unknown command 'testnte'; did you mean testnet?\n"],
    [
      ["status", "--data-dir", ""],
      'weft: --data-dir <folder> does not take "": expected a path, and this is an empty text; see weft status --help\n',
    ],
    [["network", "show", ""], "weft: argument 'file' is an empty text; see weft network show --help\n"],
    [["network", "show", "a\0b"], "weft: argument 'file' has a character of code 0; see weft network show --help\n"],
    [
      ["network", "create", "--name", ""],
      'weft: --name <name> does not take "": expected 1 to 64 letters, digits and signs of ASCII; see weft network create --help\n',
    ],
    [
      ["join", "x", "--label", "Süd"],
      'weft: --label <text> does not take "Süd": expected 0 to 64 letters, digits and signs of ASCII; see weft join --help\n',
    ],
    [["join", " "], "weft: argument 'invite' is an empty text; see weft join --help\n"],
    [["testnet", "partition", ""], "weft: argument 'sides' is an empty text; see weft testnet partition --help\n"],
    [["network"], "weft: which command? See weft network --help\n"],
    [
      ["testnet", "up", "--peers", "0"],
      'weft: --peers <count> does not take "0": expected an integer from 1 to 256; see weft testnet up --help\n',
    ],
    [["testnet", "kill"], "weft: missing required argument 'peer'; see weft testnet kill --help\n"],
    [["testnet", "partition"], "weft: missing required argument 'sides'; see weft testnet partition --help\n"],
    [
      ["testnet", "--peers", "0"],
      'weft: --peers <count> does not take "0": expected an integer from 1 to 256; see weft testnet --help\n',
    ],
    [
      ["testnet", "--adapter", "lora:8"],
      'weft: adapter "lora:8": "8" is not r followed by an integer from 1 to 1024: the rank; write lora:r8:q_proj,v_proj[:alpha16][:rslora][:dropout0.1][:bias][:layers=0,2]\n',
    ],
    [
      ["run", "--part", "3/2"],
      'weft: --part <i/n> does not take "3/2": expected the part and the number of parts, such as 2/6; see weft run --help\n',
    ],
    [
      ["train", "--rank=8"],
      `weft: unknown option '--rank'; the rank stands in the adapter: --adapter "lora:r8:q_proj,v_proj"\n`,
    ],
    [["status", "--quiet=no"], "weft: --quiet takes no value; leave it out\n"],
    [["train", "--lr", "0.1"], "weft: unknown option '--lr'; it is called --learning-rate here\n"],
    [["network", "show"], "weft: missing required argument 'file'; see weft network show --help\n"],
    [
      ["status", "extra"],
      "weft: too many arguments for 'status'. Expected 0 arguments but got 1; see weft status --help\n",
    ],
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
          ? `weft: --listen <multiaddr> does not take "${address}": expected a multiaddr such as /ip4/0.0.0.0/tcp/9000; see weft ${command.join(" ")} --help\n`
          : `weft: --bootstrap <multiaddr> does not take "${address}": expected a multiaddr that ends in /p2p/ and a peer id, as weft run prints it; see weft ${command.join(" ")} --help\n`,
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

describe("flags that the command line leaves out", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "weft-config-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  interface Given {
    readonly words?: readonly string[];
    readonly environment?: Record<string, string>;
    /** By name in the data directory. */
    readonly files?: Readonly<Record<string, string>>;
  }
  const parsed = async ({ words = [], environment = {}, files = {} }: Given): Promise<Record<string, unknown>> => {
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    const { terminal } = recordingTerminal({ WEFT_DATA_DIR: folder, ...environment });
    let seen: Record<string, unknown> = {};
    const program = buildProgram(terminal, async (row, command) => {
      await applySettings(command, row, terminal);
      seen = command.opts();
    });
    await program.parseAsync(["run", ...words], { from: "user" });
    return { ...seen, dataDir: undefined };
  };

  const JSON_FILE = JSON.stringify({ port: 9000, bootstrap: [ALICE], "compare-alone": true, part: "1/2" });
  const TOML_FILE = `# of Alice\nport = 9000\nbootstrap = ["${ALICE}"]\ncompare-alone = true\npart = "1/2"\n`;
  it.each([
    ["config.json", JSON_FILE],
    ["config.toml", TOML_FILE],
  ])("stand in %s, which the command line and the environment go before", async (name, text) => {
    const kept = { port: 9000, bootstrap: [ALICE], compareAlone: true, part: { index: 0, count: 2 } };
    expect(await parsed({ files: { [name]: text } })).toEqual(kept);
    const environment = {
      WEFT_PORT: "9001",
      WEFT_BOOTSTRAP: `${ALICE}, ${BOB}`,
      WEFT_COMPARE_ALONE: "0",
      WEFT_SERVE: "1",
    };
    const named = { ...kept, port: 9001, bootstrap: [ALICE, BOB], compareAlone: false, serve: true };
    expect(await parsed({ environment })).toEqual(named);
    expect(await parsed({ words: ["--port", "9002"], environment })).toEqual({ ...named, port: 9002 });
    const variable = Object.fromEntries(Object.entries(environment).map(([key]) => [key, ""]));
    expect(await parsed({ environment: variable })).toEqual(kept);
  });

  it("stand in the file that --config names", async () => {
    await writeFile(join(folder, "mine.toml"), "port = 9003\n");
    const config = join(folder, "mine.toml");
    const files = { "config.toml": "port = 9000\n" };
    expect(await parsed({ words: ["--config", config], files })).toEqual({ config, port: 9003 });
    expect(await parsed({ environment: { WEFT_CONFIG: config } })).toEqual({ config, port: 9003 });
    await expect(parsed({ words: ["--config", `${config}x`] })).rejects.toThrow("mine.tomlx: is not there");
  });

  it.each<[string, string, string]>([
    ["config.json", '{"prot": 9000}', 'config.json: unknown key "prot"; did you mean "port"?'],
    ["config.toml", "prot = 9000", 'config.toml: unknown key "prot"; did you mean "port"?'],
    ["config.json", '{"json": true}', 'unknown key "json"; see weft run --help'],
    ["config.toml", "data-dir = 'x'", 'unknown key "data-dir"; see weft run --help'],
    ["config.json", '{"port": 70000}', '"port" is "70000"; expected an integer from 1 to 65535'],
    ["config.toml", "port = 70000", '"port" is "70000"; expected an integer from 1 to 65535'],
    ["config.json", '{"serve": "yes"}', '"serve" is not true or false'],
    ["config.json", '{"data": {}}', '"data" is neither text nor a number'],
    ["config.toml", "data = 2026-11-30", '"data" is neither text nor a number'],
    ["config.toml", "[port]\nport = 1", '"port" is neither text nor a number'],
    ["config.json", "[]", "is not an object"],
    ["config.toml", 'data = ""', '"data" is ""; expected a path, and this is an empty text'],
    ["config.json", '{"model": "a\\u0000b"}', "which has no character of code 0"],
    ["config.json", "{", "is not JSON"],
    ["config.json", '{"port": 1, "port": 2}', 'names "port" twice'],
    ["config.toml", "port = 1\nport = 2", "config.toml:2: is not TOML ("],
    ["config.toml", "data = C:\\mine", "config.toml:1: is not TOML ("],
  ])("%s that holds %s is refused", async (name, text, message) => {
    await expect(parsed({ files: { [name]: text } })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining(message),
    });
  });

  it("are not looked for in two files", async () => {
    const files = { "config.toml": "port = 1\n", "config.json": "{}" };
    await expect(parsed({ files })).rejects.toThrow(/config\.toml: stands beside .*config\.json; move what you need/);
  });

  it.each([
    ["WEFT_PORT", "x", 'WEFT_PORT is "x" in the environment: expected an integer from 1 to 65535'],
    ["WEFT_SERVE", "maybe", 'WEFT_SERVE is "maybe" in the environment: expected 1 or 0'],
  ])("are refused where %s is %s", async (name, value, message) => {
    await expect(parsed({ environment: { [name]: value } })).rejects.toMatchObject({ code: "CONFIG_INVALID", message });
  });

  it("need no file, and a variable that is nearly one of a flag is said", async () => {
    await rm(folder, { recursive: true });
    expect(await parsed({})).toEqual({});
    const { terminal, text } = recordingTerminal({ WEFT_DATA_DIR: folder, WEFT_PROT: "1", WEFT_WITHOUT_QUORUM: "1" });
    expect(await runCommandLine(["config", "show"], terminal)).toBe(0);
    expect(text.err).toBe("WEFT_PROT in the environment is no flag of weft; did you mean WEFT_PORT?\n");
  });

  it("are shown by weft config show, each with who gave it", async () => {
    await writeFile(join(folder, "config.toml"), 'port = 9000\npart = "1/2"\n');
    const { terminal, text } = recordingTerminal({ WEFT_DATA_DIR: folder, WEFT_PORT: "9001" });
    expect(await runCommandLine(["config", "show"], terminal)).toBe(0);
    expect(text.out).toMatch(/^--port +9001 +WEFT_PORT$/m);
    expect(text.out).toMatch(new RegExp(`^--part +1/2 +${join(folder, "config.toml")}$`, "m"));
    expect(text.out).toMatch(/^--split +iid +nobody$/m);
    const asJson = recordingTerminal({ WEFT_DATA_DIR: folder, WEFT_PORT: "9001" });
    expect(await runCommandLine(["config", "show", "--json"], asJson.terminal)).toBe(0);
    expect(JSON.parse(asJson.text.out)).toMatchObject({
      port: { value: "9001", source: "environment", from: "WEFT_PORT" },
      part: { value: "1/2", source: "file" },
      split: { value: null, source: "default" },
    });
  });
});

it("the last of two values of a flag counts, and that is said", async () => {
  const { terminal, text } = recordingTerminal();
  const words = ["train", "--steps", "3", "--steps", "4", "--data", "no-such-file", "--data", "no-other"];
  expect(await runCommandLine(words, terminal)).toBe(2);
  expect(text.err).toContain("--steps is given more than once; the last one counts\n");
  expect(text.err).toContain("no-other");
  expect(text.err).not.toContain("no-such-file");
});
