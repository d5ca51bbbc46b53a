/** What a person reads of an error: the whole line. */
import { globSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { requireKey } from "../node/data-directory/key.ts";
import { NODE_ERROR_CODES, NodeError, PROBLEMS } from "../node/errors.ts";
import { holdOut } from "../node/local/onnx-training.ts";
import { deniedError } from "../node/membership/candidate.ts";
import { statusError } from "../node/membership/status.ts";
import { checkSameExamples, exampleDigests } from "../node/round/example-digests.ts";
import { chooseDevice } from "../node/system/compute/device.ts";
import { prepareOutputFolder } from "../node/system/files/adapter-files.ts";
import { takeLock } from "../node/system/files/lock-file.ts";
import { writeOnnxModelFile } from "../node/system/files/onnx-model-file.ts";
import { storeError } from "../node/system/files/store.ts";
import { PROTOCOL_ERROR_CODES } from "../protocol/errors.ts";
import { parsePeerId } from "../protocol/peer-id.ts";
import { refuseUsedFolder } from "../testnet/run-testnet.ts";
import { CODE_REMEDIES } from "./code-remedies.ts";
import { longName } from "./command-row.ts";
import { COMMANDS } from "./command-table.ts";
import { packageFolder } from "./package-folder.ts";
import { expectedFailure } from "./program.ts";
import { REMEDIES, withRemedy } from "./remedies.ts";

const PEER = parsePeerId("12D3KooWJ5S8jFTxnXvDwR96GWP7jWiianGGTe2k26zVC7nDtxWL");
const FACTS = { mode: "update", folder: "/tmp/run" };
const NONE = { train: [], validation: [], test: [] };

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "weft-remedies-"));
});
afterEach(() => rm(folder, { recursive: true }));

/** What `weft` prints for what this throws, without its own name. */
async function lineOf(work: () => unknown): Promise<string | undefined> {
  try {
    await work();
  } catch (error) {
    return expectedFailure(error)?.replaceAll(folder, "FOLDER");
  }
  return "nothing was thrown";
}

describe("an error's line says what, where and what to do", () => {
  it.each<[string, () => unknown]>([
    [
      `data directory FOLDER is in use by process ${process.pid}; stop it or choose another --data-dir`,
      async () => {
        await takeLock(join(folder, "lock"));
        await takeLock(join(folder, "lock"));
      },
    ],
    [
      "the store FOLDER is in use by another process; stop it or choose another --data-dir",
      () => {
        throw storeError(Object.assign(new Error("locked"), { code: "LEVEL_LOCKED" }), folder);
      },
    ],
    [
      "the device dml cannot be used: there is no dml; choose another --device; weft doctor tries them all",
      () => chooseDevice("dml", async () => "there is no dml"),
    ],
    [
      "the checkpoint was trained with other data (different: test examples); choose another --data-dir for this data, or give the same data as before",
      () => checkSameExamples({ ...exampleDigests(NONE), test: "other" }, exampleDigests(NONE)),
    ],
    ["FOLDER has no key; weft init makes one, or name another --data-dir", () => requireKey(folder)],
    [
      "FOLDER is not empty; give --out a new folder",
      async () => {
        await writeFile(join(folder, "file"), "");
        await prepareOutputFolder(folder);
      },
    ],
    [
      "FOLDER/file is a file; give --out a new folder",
      async () => {
        await writeFile(join(folder, "file"), "");
        await prepareOutputFolder(join(folder, "file"));
      },
    ],
    [
      "FOLDER/model.onnx keeps weights in w.bin beside it, and FOLDER/other/model.onnx is in another folder; give --out a file in the same folder",
      () =>
        writeOnnxModelFile(join(folder, "other/model.onnx"), new Uint8Array(), {
          original: join(folder, "model.onnx"),
          locations: ["w.bin"],
        }),
    ],
    [
      "1 row is too few to hold out 1 and train on batches of 1; lower --held-out or --batch-size",
      () => holdOut([{} as never], { share: 0.5, batchSize: 1, seed: 0 }),
    ],
    [
      "FOLDER/peer-1/checkpoints holds checkpoints of an earlier run; give another --data-dir, or remove FOLDER",
      async () => {
        await mkdir(join(folder, "peer-1/checkpoints"), { recursive: true });
        await writeFile(join(folder, "peer-1/checkpoints/checkpoint-7.safetensors"), "");
        await refuseUsedFolder(folder);
      },
    ],
    [
      `this peer (${PEER}) is no member of the network; ask an admin for an invite and use weft join`,
      () => {
        throw statusError("stranger", PEER);
      },
    ],
    [
      "not admitted: this key was removed from the network; join with a new --data-dir and a new invite",
      () => {
        throw deniedError("REMOVED");
      },
    ],
    [
      "not admitted: this key is a member already; start it with weft run",
      () => {
        throw deniedError("ALREADY_MEMBER");
      },
    ],
  ])("%s", async (line, work) => {
    expect(await lineOf(work)).toBe(line);
  });

  it("which its code says where no problem is named, and its message alone where that says it itself", () => {
    const line = (text: string) => expectedFailure(new NodeError("TIMEOUT", text));
    expect(line("nobody answers")).toBe("nobody answers; try again; weft doctor checks the network");
    expect(line("nobody answers; give --wait a longer time")).toBe("nobody answers; give --wait a longer time");
    const command = COMMANDS.find(({ name }) => name.join(" ") === "network show");
    expect(expectedFailure(new NodeError("CONFIG_INVALID", "that is none"), command)).toBe(
      "that is none; see weft network show --help",
    );
  });
});

describe("a remedy", () => {
  const texts = [
    ...PROBLEMS.map((problem) => [problem, withRemedy("something is wrong", { ...FACTS, problem })] as const),
    ...Object.entries(CODE_REMEDIES).map(([code, text]) => [code, text ?? ""] as const),
  ];

  it.each(texts)("for %s names flags and commands that there are, and no unknown fact", (_, text) => {
    const flags = new Set(COMMANDS.flatMap(({ options }) => options.map(longName)));
    for (const [, flag = ""] of text.matchAll(/--([a-z-]+)/g)) expect(flags).toContain(flag);
    const commands = COMMANDS.map(({ name }) => name.join(" "));
    for (const [, words = ""] of text.matchAll(/\bweft ([a-z]+( [a-z]+)?)/g)) {
      expect(
        commands.some((command) => `${words} `.startsWith(`${command} `)),
        words,
      ).toBe(true);
    }
    expect(text).not.toContain("undefined");
  });

  it("is there for every code of an error", () => {
    expect(Object.keys(CODE_REMEDIES).toSorted()).toEqual(
      [...new Set([...NODE_ERROR_CODES, ...PROTOCOL_ERROR_CODES])].toSorted(),
    );
  });

  it("is there for every problem, and every problem is named by some error", () => {
    expect(Object.keys(REMEDIES)).toEqual([...PROBLEMS]);
    const named = new Set(
      globSync("{node,testnet}/**/*.ts", { cwd: packageFolder() })
        .filter((path) => !/\.(test|suite)\.ts$/.test(path))
        .flatMap((path) =>
          [...readFileSync(join(packageFolder(), path), "utf8").matchAll(/problem: "([a-z0-9-]+)"/g)].map(
            ([, problem]) => problem,
          ),
        ),
    );
    expect([...named].sort()).toEqual([...PROBLEMS].sort());
  });
});
