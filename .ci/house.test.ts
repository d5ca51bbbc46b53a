/**
 * What the house has won and keeps: short functions and files, a docstring on each export, the command line named in
 * `cli` alone, every stream protocol known to the egress ledger. house-debts.json lists what is still to mend, exactly:
 * a test fails where there is more, and where there is less, so that the list is lowered (`npm run house`).
 */
import { describe, expect, it } from "vitest";
import type { EgressMessage } from "../node/interface/egress.ts";
import type { ByteStream } from "../node/interface/transport.ts";
import { createRecordedTransport } from "../node/privacy/recorded-transport.ts";
import { createMemoryHub } from "../node/system/network/memory-transport.ts";
import { silentLogger } from "../node/system/network/transport.suite.ts";
import { peerIdFromPublicKey } from "../protocol/peer-id.ts";
import { type StreamProtocol, streamProtocols } from "../protocol/stream-protocols.ts";
import { debtSums, measureDebts, writtenDebts } from "./house-debts.ts";
import { commandLineNames, commandLineWords, scanSource } from "./house-scan.ts";

const functionOf = (lines: number): string => `(x: number) => {\n${"  x++;\n".repeat(lines - 2)}}`;

describe("the scan", () => {
  it.each([
    ["a function", `/** é */\n\nfunction one${functionOf(81).replace("=> ", "")}\n`, [["one", 81]]],
    ["a variable", `const one = ${functionOf(5)};\n`, [["one", 5]]],
    ["a property", `const two = { one: ${functionOf(5)} };\n`, [["one", 5]]],
    [
      "a method",
      `class Two {\n  one(): void {\n  }\n  #own() {}\n  constructor() {}\n}\n`,
      [
        ["one", 2],
        ["#own", 1],
        ["constructor", 1],
      ],
    ],
    ["an argument", `call("text", ${functionOf(5)});\n`, [["anonymous", 5]]],
    [
      "a function in another",
      `function one() {\n  const two = () => 1;\n}\n`,
      [
        ["one", 3],
        ["two", 1],
      ],
    ],
  ])("measures %s", (_, text, expected) => {
    expect(scanSource(text).functions.map(({ name, lines }) => [name, lines])).toEqual(expected);
  });

  it.each([
    ["/** What it is. */\nexport const one = 1;\n", []],
    ["/* What it is. */\nexport const one = 1;\n", ["one"]],
    ["/** A file. */\nimport two from 'two';\nexport interface One {}\n", ["One"]],
    ["/** é */\nexport type One = 1;\nexport class Two {}\nexport function three() {}\n", ["Two", "three"]],
    ["const one = 1, two = 2;\nexport { two };\n", ["two"]],
    ["export { one } from 'one';\nexport type { Two } from 'two';\n", []],
    [
      "/** Either. */\nexport function one(x: 1): void;\nexport function one(x: 2): void;\nexport function one() {}\n",
      [],
    ],
  ])("finds exports without a docstring in %j", (text, expected) => {
    expect(scanSource(text).undocumented).toEqual(expected);
  });

  it.each([
    ["name another --data-dir", 1],
    ["weft init makes it; see --json", 2],
    ["weft does it --data-directory x--json weft's", 0],
    ["a { --json: red; color: var(--json) }", 0],
  ])("counts what names the command line in %j", (text, expected) => {
    const words = commandLineWords("## weft init [flags]\n| `--data-dir <folder>` | … |\n| `--json` | … |\n");
    expect(commandLineNames(text, words)).toBe(expected);
  });
});

describe("the house", () => {
  const measured = measureDebts();
  const written = writtenDebts();

  it.each(Object.keys(measured) as (keyof typeof measured)[])("%s: no more than the list says, and no less", (rule) => {
    expect(measured[rule], "npm run house lowers the list; what is new must be mended").toEqual(written[rule]);
  });

  it("counts what is listed", () => {
    expect(
      debtSums({
        longFunctions: { a: ["b", "c"] },
        longFiles: ["a"],
        undocumentedExports: { a: 3 },
        commandLineBelowCli: {},
      }),
    ).toEqual({
      longFunctions: 2,
      longFiles: 1,
      undocumentedExports: 3,
      commandLineBelowCli: 0,
    });
  });

  it("has every stream protocol in the egress ledger's list", async () => {
    expect(streamProtocols().length).toBeGreaterThanOrEqual(10);
    for (const protocol of streamProtocols()) {
      const { opened, answered } = protocol.egress;
      expect(await kindsOf(protocol), protocol.name).toEqual([opened, answered]);
      expect([opened, answered], protocol.name).not.toContain("other");
    }
  });
});

/** What the ledger calls a request and an answer over a protocol. */
async function kindsOf(protocol: StreamProtocol): Promise<readonly string[]> {
  const records: EgressMessage[] = [];
  const ledger = {
    append: async (message: EgressMessage) => void records.push(message),
    sync: async () => undefined,
    close: async () => undefined,
  };
  const hub = createMemoryHub();
  const logger = silentLogger;
  const [asking, asked] = [1, 2].map((seed) => {
    const peer = peerIdFromPublicKey(new Uint8Array(32).fill(seed));
    const transport = hub.create({ logger }, { peer, streamsPerProtocolMax: 4, gossipBytesMax: 64 });
    return createRecordedTransport({ transport, ledger, logger, epsilon: () => undefined });
  }) as [ReturnType<typeof createRecordedTransport>, ReturnType<typeof createRecordedTransport>];
  await Promise.all([asking.start(), asked.start()]);
  const answered = new Promise<void>((resolve, reject) => {
    const answer = async (stream: ByteStream): Promise<void> => {
      for await (const _ of stream.source);
      // A header of four bytes that frames nothing, and a byte behind it.
      await stream.sink([new Uint8Array(5)]);
    };
    void asked.handle(protocol, (stream) => answer(stream).then(resolve, reject));
  });
  const signal = AbortSignal.timeout(5_000);
  await asking.dial(asked.addresses()[0]!, signal);
  const stream = await asking.open(asked.peer, protocol, signal);
  await stream.sink([new Uint8Array(5)]);
  await answered;
  await Promise.all([asking.stop(), asked.stop()]);
  return records.map(({ kind }) => kind);
}
