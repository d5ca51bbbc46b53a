/** A network with a roster as its founders make it: named, signed by each with its own key, shown and verified. */
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { embeddedModelDirectory } from "../../../node/system/files/embedded-model.ts";
import { weft } from "../../command.suite.ts";

let folder: string;
let peers: Record<"alice" | "bob" | "carol" | "dave", string>;
const at = (name: string): string => join(folder, name);
const network = (): string => at("network.json");

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "weft-sign-"));
  const ids = new Map<string, string>();
  for (const name of ["alice", "bob", "carol", "dave"]) {
    ids.set(name, (await weft(["init", "--data-dir", at(name)])).out.trim());
  }
  peers = Object.fromEntries(ids) as typeof peers;
  await writeFile(
    at("founders.txt"),
    `# who begins\n${peers.alice} admin\n${peers.bob}\tadmin # of the other house\n\n${peers.carol} admin\n`,
  );
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const create = (...more: readonly string[]) =>
  weft([
    ...["network", "create", "--adapter", "loreft:r1:f1", "--out", network()],
    ...["--members", at("founders.txt"), ...more],
  ]);
const sign = (name: string, ...more: readonly string[]) =>
  weft(["network", "sign", network(), "--data-dir", at(name), ...more]);

describe("weft network create --members", () => {
  it("writes a genesis that nobody has signed, and says what it waits for", async () => {
    const made = await create();
    expect(made).toMatchObject({ code: 0, err: expect.stringContaining("once 2 of its admins have signed it") });
    const { schema, manifest, signatures } = JSON.parse(await readFile(network(), "utf8"));
    expect({ schema, signatures }).toEqual({ schema: "weft-genesis/1", signatures: [] });
    expect(manifest.membership).toMatchObject({ kind: "roster", threshold: 2, policy: { approval: "person" } });
    expect(manifest.membership.founders).toEqual([
      { peer: peers.alice, role: "admin" },
      { peer: peers.bob, role: "admin" },
      { peer: peers.carol, role: "admin" },
    ]);
    // No peer runs in it before that.
    const early = await weft(["run", "--network", network(), "--data-dir", at("alice")]);
    expect(early).toMatchObject({ code: 2, err: expect.stringContaining("is not signed by 2 admins yet") });
  });

  it("takes a policy, and warns of thresholds that are legal and unwise", async () => {
    const flags = [
      "--approval",
      "invite",
      "--earlier-updates",
      "keep",
      "--membership-lasts",
      "12h",
      "--threshold",
      "3",
    ];
    const made = await create(...flags, "--json");
    expect(made.err).toContain("warning: all 3 admins must sign every change");
    expect(JSON.parse(made.out).manifest.membership).toMatchObject({
      threshold: 3,
      policy: { approval: "invite", earlierUpdates: "keep", certificateSeconds: 43_200 },
    });
    expect((await create("--threshold", "1", "--force")).err).toContain("warning: 1 of 3 admins is not more than half");
  });

  it.each<[string, string, readonly string[]]>([
    ["nobody", "founders.txt: it names nobody", []],
    ["a line of one word", "line 1 is not a peer id and a role", ["12D3Koo"]],
    ["what is no peer id", 'line 2: "alice" is not a peer id', ["# people", "alice admin"]],
    ["a mistyped role", 'line 1: "amdin" is no role; did you mean admin?', ["ALICE amdin"]],
    ["somebody twice", "line 3: ", ["ALICE admin", "", "ALICE trainer"]],
    ["no admin", "no founder has the role admin", ["ALICE trainer"]],
    ["fewer admins than the threshold", "--threshold 2 cannot be reached", ["ALICE admin"]],
  ])("refuses a file of founders that names %s", async (_, reason, lines) => {
    await writeFile(at("founders.txt"), lines.join("\n").replaceAll("ALICE", peers.alice));
    const refused = await create("--threshold", "2");
    expect(refused).toMatchObject({ code: 2, out: "", err: expect.stringContaining(reason) });
    expect(refused.err.trim().split("\n")).toHaveLength(1);
  });

  it("refuses a policy without founders, and a file that is not there", async () => {
    const open = await weft(["network", "create", "--out", network(), "--threshold", "2"]);
    expect(open).toMatchObject({ code: 2, err: expect.stringContaining("--members FILE") });
    const absent = await weft(["network", "create", "--out", network(), "--members", at("nobody.txt")]);
    expect(absent).toMatchObject({ code: 2, err: expect.stringContaining("cannot read") });
  });
});

describe("weft network sign", () => {
  it("is valid once as many founders have signed as the threshold says", async () => {
    await create();
    const first = await sign("alice");
    expect(first.out).toContain("1 of 3 admins have signed, 2 are needed: NOT VALID YET");
    expect(first.out).toContain(`${peers.bob} has not signed`);
    expect((await sign("alice")).out).toContain("1 of 3 admins");
    const second = await sign("carol", "--json");
    expect(JSON.parse(second.out)).toMatchObject({ isValid: true, missing: [peers.bob] });
    const shown = await weft(["network", "show", network()]);
    expect(shown.out).toContain("By roster: 3 founders, 3 of them admins; 2 admin signatures change it.");
    expect(shown.out).toContain("2 of 3 admins have signed, 2 are needed: valid");
    expect(JSON.parse((await weft(["network", "show", network(), "--json"])).out).signatures.isValid).toBe(true);
    // Signing does not make another network of it.
    expect((await create()).err).toContain("holds this manifest already");
    expect((await weft(["init", "--data-dir", at("bob"), "--network", network()])).code).toBe(0);
  });

  it("puts signatures of several copies together", async () => {
    await create();
    await copyFile(network(), at("copy.json"));
    await weft(["network", "sign", at("copy.json"), "--data-dir", at("bob")]);
    expect((await sign("alice", "--add", at("copy.json"))).out).toContain("2 of 3 admins have signed");
    await weft(["network", "create", "--adapter", "loreft:r1:f1", "--seed", "2", "--out", at("other.json")]);
    const other = await sign("alice", "--add", at("other.json"));
    expect(other).toMatchObject({ code: 2, err: expect.stringMatching(/not of the same network: membership/) });
  });

  it("refuses who is no founder, who has no key, and an open network", async () => {
    await create();
    const before = await readFile(network(), "utf8");
    expect(await sign("dave")).toMatchObject({ code: 2, err: expect.stringContaining("is not among the founders") });
    expect(await sign("nobody")).toMatchObject({ code: 2, err: expect.stringContaining("has no key") });
    expect(await readFile(network(), "utf8")).toBe(before);
    await weft(["network", "create", "--adapter", "loreft:r1:f1", "--out", at("open.json")]);
    const open = await weft(["network", "sign", at("open.json"), "--data-dir", at("alice")]);
    expect(open).toMatchObject({
      code: 2,
      err: expect.stringContaining("the file of an open network, which needs no signatures"),
    });
  });

  it("refuses a genesis that was changed after it was signed", async () => {
    await create();
    await sign("alice");
    const text = await readFile(network(), "utf8");
    await writeFile(network(), text.replace('"threshold": 2', '"threshold": 1'));
    for (const words of [["show"], ["verify"], ["sign", "--data-dir", at("bob")]]) {
      const refused = await weft(["network", words[0]!, network(), ...words.slice(1)]);
      expect(refused, words[0]).toMatchObject({
        code: 2,
        out: "",
        err: expect.stringContaining(`the signature of ${peers.alice} is not over this manifest`),
      });
    }
  });
});

describe("weft network verify", () => {
  const verify = (...more: readonly string[]) => weft(["network", "verify", network(), ...more]);

  it("finds the model right, and says what is wrong until enough founders have signed", async () => {
    await create();
    const unsigned = await verify();
    expect(unsigned).toMatchObject({ code: 2, out: expect.stringMatching(/fit together\nnot signed by 2 admins/) });
    await sign("alice");
    await sign("bob");
    expect(await verify()).toMatchObject({ code: 0, out: expect.stringContaining("fit together") });
    const { model, isRight } = JSON.parse((await verify("--json")).out);
    expect({ isRight, states: model.findings.map(({ state }: { state: string }) => state) }).toEqual({
      isRight: true,
      states: ["ok", "ok", "ok", "ok", "ok"],
    });
  });

  it("names missing files with their digests, and fields that differ", async () => {
    await create();
    await sign("alice");
    await sign("bob");
    const { digest } = JSON.parse(await readFile(network(), "utf8")).manifest.model;
    await mkdir(at("model"));
    await copyFile(join(embeddedModelDirectory(), "config.json"), at("model/config.json"));
    const missing = await verify("--model", at("model"));
    expect(missing.code).toBe(2);
    expect(missing.out.trim().split("\n")).toEqual([
      `${at("model")} has no tokenizer.json; model.digest.tokenizer is ${digest.tokenizer}`,
      `${at("model")} has no model.safetensors; model.digest.weights is ${digest.weights}`,
    ]);
    const none = await verify("--model", at("nowhere"));
    expect(none.out.trim().split("\n")).toHaveLength(3);

    for (const name of ["tokenizer.json", "model.safetensors"]) {
      await copyFile(join(embeddedModelDirectory(), name), at(`model/${name}`));
    }
    await writeFile(at("model/tokenizer.json"), `${await readFile(at("model/tokenizer.json"), "utf8")} `);
    const other = await verify("--model", at("model"));
    expect(other).toMatchObject({
      code: 2,
      out: expect.stringMatching(/^model\.digest\.tokenizer differs: [0-9a-f]{64} in /),
    });
  });

  it("names the field in which two networks differ", async () => {
    await create();
    await weft([
      ...["network", "create", "--adapter", "loreft:r1:f1", "--members", at("founders.txt")],
      ...["--rounds", "7", "--out", at("other.json")],
    ]);
    const different = await verify("--same-as", at("other.json"));
    expect(different.out).toContain("rounds.count differs: 20 here, 7 in ");
  });
});
