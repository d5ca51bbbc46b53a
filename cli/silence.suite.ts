/**
 * What a command touches outside of what it says: no name is looked up, nothing is dialled but this machine, no file is made
 * outside the folders that the command was given and the documented places. Commands run here under strace, without `CI` in
 * their environment, because a library may hold back in CI only. `silence.test.ts` runs those that load a library with a
 * network of its own, `silence.long.test.ts` all of the table.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const weft = join(import.meta.dirname, "weft.js");
const whyNot = whyNoTrace();
if (whyNot !== undefined) console.log(`what commands touch is not tested here: ${whyNot}`);

/** A command line. A word in capitals stands for something that an earlier line printed. */
export interface SilentLine {
  readonly words: string;
  /** Its exit code; default 0. */
  readonly code?: number;
}

/** How each command is run, in this order. */
export const LINES: readonly SilentLine[] = [
  { words: "init --data-dir alice" },
  { words: "init --data-dir bob" },
  { words: "network create --name open --rounds 1 --local-steps 2 --out open.json" },
  { words: "run --data-dir open --network open.json --listen /ip4/127.0.0.1/tcp/0 --part 1/2" },
  { words: "status --data-dir open" },
  { words: "bugreport --data-dir open" },
  { words: "report --data-dir open --html report.html" },
  { words: "egress verify --data-dir open" },
  { words: "egress export --data-dir open --out egress.csv" },
  {
    words:
      "network create --name closed --members founders.txt --threshold 1 --rounds 1 --local-steps 2 --out closed.json",
  },
  { words: "network show closed.json" },
  { words: "network sign closed.json --data-dir alice" },
  { words: "network verify closed.json" },
  { words: "run --data-dir alice --network closed.json --data embedded --listen /ip4/127.0.0.1/tcp/0 --part 1/2" },
  { words: "doctor --data-dir alice --device cpu" },
  { words: "network invite --data-dir alice --bootstrap /ip4/127.0.0.1/tcp/9/p2p/ALICE" },
  { words: "network propose closed.json --data-dir alice", code: 2 },
  { words: "join INVITE --data-dir dave --wait 1s", code: 3 },
  { words: "members list --data-dir alice" },
  { words: "members pending --data-dir alice" },
  { words: "members approve 00000000 --data-dir alice", code: 2 },
  { words: "members deny 00000000 --data-dir alice", code: 2 },
  { words: "members promote BOB --role observer --data-dir alice" },
  { words: "members expire BOB --data-dir alice" },
  { words: "members revoke BOB --reason left --data-dir alice" },
  { words: "members policy --membership-lasts 30d --data-dir alice" },
  { words: "members log --data-dir alice" },
  { words: "keys rotate --without-quorum --data-dir alice" },
  { words: "keys backup --data-dir bob --passphrase-file passphrase --out bob.weft-key" },
  { words: "keys restore bob.weft-key --passphrase-file passphrase --data-dir bob-again" },
  { words: "data check rows.jsonl" },
  { words: "fit --max-tokens 32" },
  { words: "train --adapter lora:r2:q_proj --steps 4 --out adapter" },
  { words: "eval --adapter adapter" },
  { words: "generate --adapter adapter --prompt Once --max-tokens 2" },
  { words: "adapter export --adapter adapter --format peft --out peft" },
  { words: "adapter import peft --out back" },
  { words: "config show --data-dir alice" },
  { words: "completion bash" },
  { words: "adapter inspect adapter" },
  { words: "model merge --adapter adapter --format onnx --out merged" },
  { words: "model base --base q4" },
  { words: "model train --model graph.onnx --data rows.jsonl", code: 2 },
  { words: "audit inversion --texts 1 --max-tokens 4 --steps 1 --attempts 0 --adapter lora:r2:q_proj" },
  // The peers of a swarm are weft run, above; a trace would wait for their end.
  { words: "testnet up --dir open --data nothing.jsonl", code: 2 },
  { words: "testnet page --dir nothing", code: 2 },
  { words: "testnet status --dir nothing", code: 2 },
  { words: "testnet logs --dir nothing", code: 2 },
  { words: "testnet kill 1 --dir nothing", code: 2 },
  { words: "testnet restart 1 --dir nothing", code: 2 },
  { words: "testnet pause 1 --dir nothing", code: 2 },
  { words: "testnet resume 1 --dir nothing", code: 2 },
  { words: "testnet partition 1 --dir nothing", code: 2 },
  { words: "testnet heal --dir nothing", code: 2 },
  { words: "testnet down --dir nothing", code: 2 },
  { words: "testnet --peers 2 --rounds 1 --local-steps 2 --report report.html" },
];

/** Where a command may make files, beside the folders that it was given. */
const DOCUMENTED = [/^home\/\.cache(\/weft|$)/, /^home\/\.local\/share\/weft/, /^tmp\/weft-/];
/** Folders and files that a line above names, and the temporary names beside them from which files are renamed. */
const GIVEN =
  /^files\/\.?(alice|bob|bob-again|dave|open|adapter|peft|back|merged|closed\.json|open\.json|egress\.csv|bob\.weft-key|report\.html)/;

/** Run these lines in order, each traced, and test that none of them reaches beyond what it says. */
export function describeSilence(lines: readonly SilentLine[]): void {
  describe.skipIf(whyNot !== undefined)("a command", () => {
    let folder: string;
    const found = new Map<string, readonly string[]>();

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), "weft-silence-"));
      for (const name of ["home", "tmp", "files"]) mkdirSync(join(folder, name));
      writeMaterial(join(folder, "files"));
      const known: Known = new Map();
      const wrong: unknown[] = [];
      for (const { words, code = 0 } of lines) {
        const result = await tracedProgram(folder, [process.execPath, weft, ...wordsOf(words, known)]);
        if (result.code !== code) wrong.push({ words, code: result.code, text: result.text });
        learnt(known, words, result.text, join(folder, "files"));
        found.set(words, outside(result.trace, folder));
      }
      expect(wrong).toEqual([]);
    }, 600_000);
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    it.each(lines)(
      "weft $words looks nothing up, dials nobody, and makes no file that it does not name",
      ({ words }) => {
        expect(found.get(words)).toEqual([]);
      },
    );

    it("that would look a name up, dial or write elsewhere is seen", async () => {
      const program = `
        require("fs").writeFileSync("../stray", "");
        require("net").connect(9, "192.0.2.1").on("error", () => 0);
        const { Resolver } = require("dns");
        const resolver = new Resolver({ timeout: 50, tries: 1 });
        resolver.setServers(["192.0.2.2"]);
        resolver.resolve4("weft.invalid", () => process.exit());`;
      const { trace } = await tracedProgram(folder, [process.execPath, "-e", program]);
      const seen = outside(trace, folder).join("\n");
      expect(["stray", "192.0.2.1", "192.0.2.2"].filter((word) => !seen.includes(word))).toEqual([]);
    });
  });
}

/** What stands for a word in capitals. */
export type Known = Map<string, string>;

/** The files that lines name and no line writes. */
export function writeMaterial(files: string): void {
  writeFileSync(join(files, "passphrase"), "correct horse battery\n", { mode: 0o600 });
  const rows = Array.from({ length: 12 }, (_, i) => `{"prompt":"what is ${i}?","response":"a number"}\n`);
  writeFileSync(join(files, "rows.jsonl"), rows.join(""));
}

/** The words of a line, with what stands for those in capitals. */
export const wordsOf = (words: string, known: Known): string[] =>
  words.split(" ").map((word) => word.replace(/[A-Z]{3,}$/, (name) => known.get(name) ?? name));

/** Keep what a later line needs of what an earlier one printed. */
export function learnt(known: Known, words: string, text: string, files: string): void {
  const peer = /12D3KooW\w+/.exec(text)?.[0];
  if (words === "init --data-dir alice" && peer !== undefined) {
    known.set("ALICE", peer);
    writeFileSync(join(files, "founders.txt"), `${peer} admin\n`);
  }
  if (words === "init --data-dir bob" && peer !== undefined) {
    known.set("BOB", peer);
    writeFileSync(join(files, "founders.txt"), `${known.get("ALICE")} admin\n${peer} trainer\n`);
  }
  const invite = /weft1\w+/.exec(text)?.[0];
  if (invite !== undefined) known.set("INVITE", invite);
}

interface Traced {
  readonly code: number | null;
  readonly text: string;
  readonly trace: string;
}

async function tracedProgram(folder: string, program: readonly string[]): Promise<Traced> {
  const file = join(folder, "trace");
  const calls = "trace=connect,sendto,sendmsg,sendmmsg,openat,creat,mkdir,rename,renameat2,link,symlink,bind";
  // Where it is allowed the network is one of its own, in which there is nobody.
  const lonely = spawnSync("unshare", ["-n", "true"]).status === 0 ? ["unshare", "-n", "--"] : [];
  const up = lonely.length > 0 ? "ip link set lo up && " : "";
  const command = [
    ...lonely,
    "sh",
    "-c",
    `${up}exec strace -f -qq -s 300 -e ${calls} -o "$0" -- "$@"`,
    file,
    ...program,
  ];
  const { CI: _, VITEST: __, NODE_OPTIONS: ___, NODE_COMPILE_CACHE: ____, ...environment } = process.env;
  const child = spawn(command[0]!, command.slice(1), {
    cwd: join(folder, "files"),
    env: {
      ...environment,
      HOME: join(folder, "home"),
      TMPDIR: join(folder, "tmp"),
      XDG_CACHE_HOME: "",
      XDG_DATA_HOME: "",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes: Buffer) => (text += bytes.toString()));
  const code = await new Promise<number | null>((done) => child.on("close", done));
  return { code, text, trace: readFileSync(file, "utf8") };
}

/** The system calls that reach beyond this machine, a resolver among what is reached, or make something in an undeclared place. */
function outside(trace: string, folder: string): string[] {
  return trace.split("\n").filter((line) => reachesOut(line) || writesElsewhere(line, folder));
}

function reachesOut(line: string): boolean {
  if (!/\b(connect|sendto|sendmsg|sendmmsg)\(/.test(line)) return false;
  if (/sun_path="[^"]*(nscd|resolve)/.test(line)) return !line.includes("ENOENT");
  return /sa_family=AF_INET6?/.test(line) && !/inet_addr\("127\.|"::1"|"::ffff:127\./.test(line);
}

function writesElsewhere(line: string, folder: string): boolean {
  if (/ = -1 E/.test(line)) return false;
  const made = /openat\([^"]*"([^"]+)"[^)]*O_CREAT/.exec(line) ?? /\b(?:creat|mkdir)\("([^"]+)"/.exec(line);
  const path = made?.[1] ?? /\b(?:rename|renameat2|link|symlink)\(.*"([^"]+)"[^"]*$/.exec(line)?.[1];
  if (path === undefined || path.startsWith("/dev/")) return false;
  const full = path.startsWith("/") ? path : join(folder, "files", path);
  if (!full.startsWith(`${folder}/`)) return true;
  const inside = full.slice(folder.length + 1);
  return ![...DOCUMENTED, GIVEN].some((place) => place.test(inside));
}

function whyNoTrace(): string | undefined {
  if (process.platform !== "linux") return `strace is a program of Linux, and this is ${process.platform}`;
  const { status, error } = spawnSync("strace", ["-f", "-qq", "-o", "/dev/null", "true"]);
  if (error) return "strace is not installed";
  return status === 0 ? undefined : "strace may not trace here";
}
