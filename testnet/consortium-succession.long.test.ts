/** A consortium that goes on under another manifest; peers that were away meanwhile, and peers without the model for it. */
import { cp, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import { weft } from "../cli/command.suite.ts";
import { embeddedModelDirectory } from "../node/system/files/embedded-model.ts";
import { type Consortium, createConsortium, type Running, WAITING } from "./consortium.suite.ts";

let net: Consortium;
beforeEach(async () => {
  net = await createConsortium({ parts: 3 });
  for (const name of ["alice", "bob", "carol", "dave"]) await net.init(name);
  await net.found({
    founders: ["alice admin", "bob admin", "carol trainer", "dave relay"],
    signers: ["alice", "bob"],
    flags: ["--rounds", "1000000", "--threshold", "2"],
  });
});
afterEach(() => net.stop());

/** A port that nobody listens on: a peer that goes over listens where it did before. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** Alice and whoever else, each on a port of its own, knowing her. */
async function start(...names: readonly string[]): Promise<Record<string, Running>> {
  const up: Record<string, Running> = {};
  const known: string[] = [];
  for (const name of names) {
    const peer = net.start(name, "--listen", `/ip4/127.0.0.1/tcp/${await freePort()}`, ...known);
    await expect.poll(() => peer.of("started").length, WAITING).toBe(1);
    known.push("--bootstrap", peer.address());
    up[name] = peer;
  }
  for (const peer of Object.values(up)) await expect.poll(() => peer.neighbours(), WAITING).toBe(names.length - 1);
  return up;
}

const lastRound = (peer: Running): number => peer.of("round").at(-1)?.summary.round ?? -1;

async function agree(peers: readonly Running[], ...flags: readonly string[]): Promise<number> {
  await expect.poll(() => Math.max(...peers.map(lastRound)), WAITING).toBeGreaterThan(1);
  const round = Math.max(...peers.map(lastRound)) + 30;
  const file = net.at("successor.json");
  const words = ["network", "propose", "--at-round", String(round), "--rounds", "1000000", "--out", file, ...flags];
  expect(await net.weft("alice", ...words)).toMatchObject({ code: 0 });
  // Where it fails, what it said is the thing to see.
  const { code, err } = await net.weft("bob", "network", "sign", file);
  expect({ code, err }).toMatchObject({ code: 0 });
  return round;
}

it("switches at the named round, with what was trained so far and the same roster", async () => {
  const { alice, bob } = await start("alice", "bob");
  const round = await agree([alice!, bob!], "--learning-rate", "0.001");
  const next = JSON.parse((await weft(["network", "show", net.at("successor.json"), "--json"])).out).network;
  for (const peer of [alice!, bob!]) {
    await expect.poll(() => peer.of("started").length, WAITING).toBe(2);
    // It begins there, and with its checkpoint.
    expect(peer.of("started")[1]).toMatchObject({ round, resumed: true });
    expect(peer.of("finished")[0]!.report.rounds.at(-1)!.round).toBe(round - 1);
  }
  await expect.poll(() => alice!.acceptedFrom("bob").some((one) => one >= round), WAITING).toBe(true);
  await expect.poll(() => bob!.acceptedFrom("alice").some((one) => one >= round), WAITING).toBe(true);
  for (const name of ["alice", "bob"]) {
    const { network } = JSON.parse(await readFile(`${net.at(name)}/status.json`, "utf8"));
    expect(network, name).toBe(next);
  }
  // The roster goes on as it is.
  expect((await net.weft("bob", "members", "revoke", net.idOf("carol"))).code).toBe(0);
  await net.approve("carol", "alice");
  await net.everybodyHolds({ members: { alice: "admin", bob: "admin", dave: "relay" }, removed: { carol: "other" } });
  // The file of before is enough to come back.
  await bob!.stop();
  const again = net.start("bob", "--bootstrap", alice!.address());
  await expect.poll(() => again.of("started").length, WAITING).toBe(1);
  expect(again.of("started")[0]).toMatchObject({ resumed: true });
  expect(again.of("started")[0]!.round).toBeGreaterThanOrEqual(round);
});

it("lets who lacks the next model observe, and train once it has come", async () => {
  const { alice, bob, carol } = await start("alice", "bob", "carol");
  await cp(embeddedModelDirectory(), net.at("model"), { recursive: true });
  await writeFile(net.at("model/tokenizer.json"), `${await readFile(net.at("model/tokenizer.json"), "utf8")} `);
  const round = await agree([alice!, bob!, carol!], "--model", net.at("model"));
  for (const peer of [alice!, bob!, carol!]) {
    await expect.poll(() => peer.of("observing").length, WAITING).toBe(1);
    expect(peer.of("finished")[0]!.report.rounds.at(-1)!.round).toBe(round - 1);
    expect(peer.of("observing")[0]).toMatchObject({ directory: net.at(`${peer.name}/model`) });
  }
  await expect.poll(() => carol!.neighbours(), WAITING).toBe(2);
  const rounds = carol!.of("round").length;
  // Two of them get it while they run.
  for (const name of ["alice", "bob"]) await cp(net.at("model"), net.at(`${name}/model`), { recursive: true });
  await expect.poll(() => carol!.acceptedFrom("alice").some((one) => one >= round), WAITING).toBe(true);
  await expect.poll(() => carol!.acceptedFrom("bob").some((one) => one >= round), WAITING).toBe(true);
  expect(carol!.of("round").length).toBe(rounds);
  const status = await net.weft("carol", "status");
  expect(status.out).toMatch(/doing +observing\nlacks +put config\.json .*digest [0-9a-f]{64}/);
  // The third one is run again, with the model.
  const exit = await carol!.process.stop(10_000);
  expect(exit.lastLines.join("\n")).toMatch(/observes without the network's model; put .*tokenizer\.json/s);
  const again = net.start("carol", "--model", net.at("model"), "--bootstrap", alice!.address());
  await expect.poll(() => alice!.acceptedFrom("carol").some((one) => one >= round), WAITING).toBe(true);
  expect(again.of("observing")).toEqual([]);
});

it("is followed by a peer that was away, by a relay, and by a newcomer with an invite of before", async () => {
  const { alice, bob, carol, dave } = await start("alice", "bob", "carol", "dave");
  const invite = await net.invite("alice", [alice!]);
  await carol!.stop();
  const round = await agree([alice!, bob!], "--learning-rate", "0.001");
  const next = JSON.parse((await weft(["network", "show", net.at("successor.json"), "--json"])).out).network;
  for (const peer of [alice!, bob!, dave!]) await expect.poll(() => peer.of("started").length, WAITING).toBe(2);
  expect(dave!.of("round")).toEqual([]);
  // By the file of before, and by what its neighbours tell it.
  const late = net.start("carol", "--bootstrap", alice!.address());
  await expect.poll(() => alice!.acceptedFrom("carol").some((one) => one >= round), WAITING).toBe(true);
  expect(late.of("started").map(({ resumed }) => resumed)).toEqual([true, true]);
  await net.init("erin");
  const erin = net.startWith("erin", ["join", invite]);
  await net.approve("erin", "alice", "bob");
  await expect.poll(() => alice!.acceptedFrom("erin").some((one) => one >= round), WAITING).toBe(true);
  expect(erin.of("started").length).toBe(1);
  for (const name of ["alice", "bob", "carol", "dave", "erin"]) {
    expect((await net.json<{ network: string }>(name, "status")).network, name).toBe(next);
  }
  await net.everybodyHolds({
    members: { alice: "admin", bob: "admin", carol: "trainer", dave: "relay", erin: "trainer" },
  });
});
