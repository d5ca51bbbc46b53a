/** `weft bugreport` of a peer whose files have secrets in every place that is read. */
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { examplePeer, tellExample } from "../../../node/admin/example-peer.suite.ts";
import { AdminInterface } from "../../../node/admin/serve-admin.ts";
import { dataDirectoryLayout } from "../../../node/data-directory/layout.ts";
import { readOrCreateKey } from "../../../node/system/files/key-file.ts";
import { weft } from "../../command.suite.ts";

let root: string;
let folder: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "weft-bugreport-"));
  folder = join(root, "alice");
});
afterEach(() => rm(root, { recursive: true }));

/** A data directory in which each file that a report reads says what it should not. */
async function plantSecrets(): Promise<readonly string[]> {
  const layout = dataDirectoryLayout(folder);
  const { seed } = await readOrCreateKey(layout.key);
  const token = "tokenTOKENtokenTOKENtokenTOKENtokenTOKENtok";
  await writeFile(layout.adminToken, `${token}\n`, { mode: 0o600 });
  const hex = Buffer.from(seed).toString("hex");
  const base64 = Buffer.from(seed).toString("base64");
  const invite = `weft1${"q".repeat(60)}`;
  const config = `data = "/srv/oncology/patients.jsonl"\nbootstrap = ["/ip4/203.0.113.7/tcp/9000/p2p/12D3KooWB"]\nport = 9000\n`;
  await writeFile(layout.config, config);
  const status = {
    schema: "weft-status/1",
    view: { addresses: ["/dns4/node.clinic.example/tcp/1"], requests: [{ label: "Maria" }] },
  };
  await writeFile(layout.status, JSON.stringify(status));
  await mkdir(layout.logs);
  const lines = [
    { level: "warn", text: "cannot reach /ip4/198.51.100.9/tcp/1", module: "network" },
    { level: "info", text: `joined by ${invite}`, home: join(homedir(), "research") },
    { level: "info", text: `token ${token}, key ${hex} ${base64}`, prompt: "the patient says" },
  ];
  await writeFile(join(layout.logs, "weft.log"), lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  await mkdir(layout.checkpoints);
  await writeFile(join(layout.checkpoints, "checkpoint-000001.safetensors"), "weights of the adapter");
  await writeFile(join(folder, "weft-data.json"), "digests of examples");
  const words = [
    "oncology",
    "patients.jsonl",
    "203.0.113.7",
    "clinic.example",
    "Maria",
    "198.51.100.9",
    "the patient says",
  ];
  return [token, hex, base64, invite, ...words, homedir(), "weights of the adapter", "digests of examples"].filter(
    (secret) => secret.length > 1 && secret !== "/root",
  );
}

it("has versions, settings, status, log and a list of files, and none of the secrets planted in them", async () => {
  const planted = await plantSecrets();
  const { code, out } = await weft(["bugreport", "--data-dir", folder]);
  expect(code).toBe(0);
  expect(planted.filter((secret) => out.includes(secret))).toEqual([]);
  const report = JSON.parse(out);
  expect(report).toMatchObject({
    schema: "weft-bugreport/1",
    version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
    machine: expect.stringContaining("Node.js"),
    files: { config: expect.stringContaining("port = 9000"), status: { schema: "weft-status/1" } },
  });
  expect(report.log).toHaveLength(3);
  expect(report.log[0]).toEqual({ level: "warn", text: "cannot reach /ip4/<address>/tcp/1", module: "network" });
  expect(report.listing).toContainEqual({
    path: "<data-directory>/checkpoints/checkpoint-000001.safetensors",
    bytes: 22,
  });
  expect(report.running).toBeUndefined();
});

it("asks the peer too where it runs, and writes a file that its owner alone reads", async () => {
  await plantSecrets();
  const peer = examplePeer();
  const admin = new AdminInterface(peer, { dataDirectory: folder, version: "1", settings: {}, stop: () => undefined });
  tellExample(peer);
  await admin.serve();
  const file = join(root, "report.json");
  const { code, out, err } = await weft(["bugreport", "--data-dir", folder, "--out", file]);
  await admin.close();
  expect([code, out]).toEqual([0, ""]);
  expect(err).toContain("read it before you give it to anybody");
  const report = JSON.parse(await readFile(file, "utf8"));
  expect(report.running).toMatchObject({
    peers: { peers: [{ isNeighbour: true }] },
    updates: { counts: { accepted: 2 } },
  });
  if (process.platform !== "win32") expect((await stat(file)).mode & 0o777).toBe(0o600);
});

it("refuses a folder that is not there, and one that is no peer's", async () => {
  const nobody = join(root, "nobody");
  const missing = await weft(["bugreport", "--data-dir", nobody]);
  expect(missing).toMatchObject({ code: 2, out: "" });
  expect(missing.err).toContain(
    `no peer has run in ${nobody} yet; start one with weft run, or name another --data-dir`,
  );
  await mkdir(nobody);
  expect(await weft(["bugreport", "--data-dir", nobody])).toMatchObject({ code: 2, out: "" });
  await writeFile(join(nobody, "config.toml"), "port = 4001\n");
  const { code, out } = await weft(["bugreport", "--data-dir", nobody]);
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ files: {}, log: [] });
});
