/**
 * Secrets stand in every place where a person puts one: training texts, a passphrase, an invite, keys, the token of the admin
 * interface and its page, variables of the environment, the config file. Two peers run a network with a roster with all of them,
 * as loud as they can; then everything that they wrote and said is searched.
 */
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { dataDirectoryLayout } from "../node/data-directory/layout.ts";
import { readKey } from "../node/system/files/key-file.ts";
import { parseInvite } from "../protocol/membership/invite.ts";
import { weft } from "./command.suite.ts";
import { findPlants, type Places, placesIn } from "./planted-secrets.suite.ts";
import { type Watched, watchWeft } from "./process.suite.ts";

const folder = mkdtempSync(join(tmpdir(), "weft-plants-"));
const at = (name: string): string => join(folder, name);
const running: Watched[] = [];
afterAll(async () => {
  for (const { child } of running) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

const text = (): string => `Plant ${randomBytes(24).toString("hex")}`;
const bytes = (plant: string): Uint8Array => new TextEncoder().encode(plant);
const plants = {
  ...{ prompt: text(), response: text(), broken: text(), passphrase: text(), "wrong passphrase": text() },
  ...{ "secret of the environment": text(), "secret of a config file": text(), "token of another peer": text() },
};
/** As people have them set for other programs, and by mistake for this one. */
const SECRET_VARIABLES = {
  AWS_SECRET_ACCESS_KEY: plants["secret of the environment"],
  WEFT_PASSPHRASE: plants["secret of the environment"],
};
const NETWORK = [
  "--adapter",
  "loreft:r2:f2+l2:layers=0",
  "--rounds",
  "3",
  "--local-steps",
  "2",
  "--lambda",
  "fixed:0.5",
];
const LOUD = ["--threads", "1", "--log-level", "debug", "--events", "--listen", "/ip4/127.0.0.1/tcp/0"];

const said: Record<string, Buffer> = {};
/** A command whose output is searched; `secrets`: its standard output is the secret itself. */
async function command(words: readonly string[], { secrets = false } = {}): Promise<string> {
  const { out, err } = await weft(words, undefined, SECRET_VARIABLES);
  said[`weft ${words.join(" ")} #${Object.keys(said).length}`] = Buffer.from(secrets ? err : `${out}${err}`);
  return out.trim();
}

function start(name: string, words: readonly string[]): Watched {
  const all = [...words, "--data", at(`${name}.jsonl`), "--data-dir", at(name), ...LOUD];
  const peer = watchWeft(all, { env: { ...process.env, ...SECRET_VARIABLES } });
  running.push(peer);
  return peer;
}

async function end(name: string, { child, text: printed, ended }: Watched): Promise<void> {
  child.kill("SIGTERM");
  await ended;
  said[`what ${name} printed`] = Buffer.from(`${printed.out}${printed.err}`);
}

function writeData(): void {
  const row = (index: number) => ({ prompt: `${plants.prompt} ${index}`, response: `${plants.response} ${index}` });
  const rows = Array.from({ length: 60 }, (_, index) => JSON.stringify(row(index)));
  for (const name of ["alice", "bob"]) writeFileSync(at(`${name}.jsonl`), `${rows.join("\n")}\n`);
  writeFileSync(at("broken.jsonl"), `${rows[0]}\n{"prompt": "${plants.broken}, "response": 1}\n`);
  writeFileSync(at("odd.csv"), `prompt,response\n${plants.broken},"${plants.broken}\n`);
  writeFileSync(at("passphrase"), plants.passphrase, { mode: 0o600 });
  writeFileSync(at("wrong"), plants["wrong passphrase"], { mode: 0o600 });
  mkdirSync(at("odd"));
  writeFileSync(at("odd/config.toml"), `port = 4001\npassphrase = "${plants["secret of a config file"]}"\n`);
}

/** Whoever looks at the page: with its token, and with one that is none, where a browser and a curl would have them. */
async function lookAtPage(name: string): Promise<string> {
  const { adminToken, admin } = dataDirectoryLayout(at(name));
  const token = readFileSync(adminToken, "utf8").trim();
  const { address } = JSON.parse(readFileSync(admin, "utf8"));
  const page = `http://${address.host}:${address.port}`;
  for (const shown of [token, plants["token of another peer"].replaceAll(" ", "")]) {
    const headers = { authorization: `Bearer ${shown}` };
    for (const path of ["/", "/v1/status", "/v1/config", "/v1/log?newest=1000", "/v1/ledger", `/v1/nothing?${shown}`]) {
      const answer = await fetch(`${page}${path}`, { headers });
      said[`${path} of the page #${Object.keys(said).length}`] = Buffer.from(await answer.arrayBuffer());
    }
  }
  return token;
}

test("secrets stand in no log, no status, no report and no file of a peer but the key's own", async () => {
  writeData();
  const alice = await command(["init", "--data-dir", at("alice")]);
  await command(["init", "--data-dir", at("bob")]);
  writeFileSync(at("founders"), `${alice} admin\n`);
  const network = at("network.json");
  const members = ["--members", at("founders"), "--threshold", "1"];
  await command(["network", "create", "--name", "plants", ...NETWORK, ...members, "--out", network]);
  await command(["network", "sign", network, "--data-dir", at("alice")]);

  const first = start("alice", ["run", "--network", network, "--serve", "--compare-alone", "--page"]);
  const [, address] = await first.said(/"addresses":\["([^"]+)"/);
  const invite = await command(["network", "invite", "--data-dir", at("alice"), "--bootstrap", address!], {
    secrets: true,
  });
  writeFileSync(at("invite"), invite, { mode: 0o600 });
  const second = start("bob", ["join", "--invite-file", at("invite"), "--label", "bob"]);
  await first.said(/"type":"request"/);
  await command(["members", "pending", "--data-dir", at("alice")]);
  const { motions } = JSON.parse(await command(["members", "pending", "--json", "--data-dir", at("alice")]));
  await command(["members", "approve", motions[0].id, "--data-dir", at("alice")]);
  await second.said(/"type":"finished"/);
  for (const name of ["alice", "bob"]) {
    await command(["status", "--data-dir", at(name)]);
    await command(["status", "--json", "--data-dir", at(name)]);
    await command(["members", "log", "--data-dir", at(name)]);
    await command(["config", "show", "--data-dir", at(name)]);
    await command(["bugreport", "--data-dir", at(name)]);
  }
  const token = await lookAtPage("alice");
  await end("bob", second);
  await end("alice", first);

  // What people send when something does not work.
  await command(["run", "--data-dir", at("odd")]);
  await command(["config", "show", "--data-dir", at("odd")]);
  await command(["bugreport", "--data-dir", at("alice")]);
  await command(["doctor", "--device", "cpu", "--data-dir", at("bob")]);
  await command(["egress", "verify", "--data-dir", at("bob")]);
  await command(["egress", "export", "--data-dir", at("bob"), "--out", at("egress.csv")]);
  await command([
    "keys",
    "backup",
    "--data-dir",
    at("bob"),
    "--passphrase-file",
    at("passphrase"),
    "--out",
    at("backup"),
  ]);
  await command(["keys", "restore", at("backup"), "--passphrase-file", at("wrong"), "--data-dir", at("no")]);
  await command(["keys", "restore", at("backup"), "--passphrase-file", at("passphrase"), "--data-dir", at("again")]);
  for (const file of ["broken.jsonl", "odd.csv"])
    await command(["train", "--data", at(file), "--steps", "1", "--out", at("out")]);
  for (const wrong of [`${invite.slice(0, -1)}q`, invite.toUpperCase().slice(0, -2), `${invite}${invite}`]) {
    writeFileSync(at("wrong-invite"), wrong, { mode: 0o600 });
    await command(["join", "--invite-file", at("wrong-invite"), "--data-dir", at("nobody"), "--wait", "1s"]);
  }
  const report = ["--peers", "2", "--rounds", "1", "--local-steps", "2", "--report", at("report.html")];
  await command(["testnet", ...report, "--data", at("alice.jsonl"), "--data-dir", at("testnet")]);

  const { secret } = parseInvite(invite);
  const keys = ["alice", "bob"].map((name) => [`key of ${name}`, dataDirectoryLayout(at(name)).key] as const);
  const seeds = await Promise.all(keys.map(async ([name, path]) => [name, (await readKey(path))!] as const));
  const texts = Object.fromEntries(Object.entries(plants).map(([name, plant]) => [name, bytes(plant)]));
  const secrets = {
    ...texts,
    "secret of the invite": secret,
    "text of the invite": bytes(invite),
    "token of the admin interface and its page": bytes(token),
    ...Object.fromEntries(seeds),
  };

  const own = [
    "alice.jsonl",
    "bob.jsonl",
    "broken.jsonl",
    "odd.csv",
    "passphrase",
    "wrong",
    "invite",
    "wrong-invite",
    "odd/config.toml",
  ].map(at);
  const keyFiles = [
    ...[...keys.map(([, path]) => path), dataDirectoryLayout(at("again")).key],
    dataDirectoryLayout(at("alice")).adminToken,
  ];
  const written = await placesIn(folder, [...own, ...keyFiles]);
  const places: Places = { ...said, ...written };
  // The search itself works: the key's file has the key, and the person's own files their secrets.
  const there = Object.fromEntries([...own, ...keyFiles].map((path) => [path, readFileSync(path)]));
  const seen = findPlants(secrets, there).map((line) => line.split(" as ")[0]);
  // The invite's text writes its secret in base 32, and is a plant of its own.
  const elsewhere = ["secret of the invite", "secret of the environment", "token of another peer"];
  const known = Object.keys(secrets).filter((name) => !elsewhere.includes(name));
  expect([...new Set(seen)].sort()).toEqual(known.sort());
  expect(Object.keys(written).length).toBeGreaterThan(20);
  expect(findPlants(secrets, places)).toEqual([]);
}, 580_000);
