import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "smol-toml";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { foldPeerEvent, type LoopReport, type PeerEvent, UNSEEN_PEER } from "../../node/index.ts";
import { networkId } from "../../protocol/network-manifest.ts";
import { EXAMPLE_MANIFEST, exampleEvents } from "../../testnet/fixtures/example-run.ts";
import { weft as run } from "../command.suite.ts";
import { createStatusWriter } from "../status-file.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "weft-cli-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const weft = (...words: readonly string[]) => run(words, undefined, { WEFT_DATA_DIR: join(folder, "peer") });

async function manifestFile(change: object = {}): Promise<string> {
  const path = join(folder, "network.json");
  await writeFile(path, JSON.stringify({ ...EXAMPLE_MANIFEST, ...change }));
  return path;
}

describe("weft init", () => {
  it("makes a peer once, and says where its files are", async () => {
    const first = await weft("init");
    expect(first.out).toMatch(/^12D3KooW\w{44}\n$/);
    expect(first.err).toContain(`a new peer; its files: ${join(folder, "peer")}`);
    const again = await weft("init", "--json");
    expect(JSON.parse(again.out)).toEqual({
      peer: first.out.trim(),
      created: false,
      dataDirectory: join(folder, "peer"),
    });
    expect((await stat(join(folder, "peer", "key"))).mode & 0o777).toBe(0o600);
  });

  it("keeps the flags of later runs, and the network", async () => {
    const network = await manifestFile();
    const { code } = await weft(
      "init",
      "--network",
      network,
      "--data",
      "some.jsonl",
      "--part",
      "2/6",
      "--port",
      "9000",
    );
    expect(code).toBe(0);
    const kept = parse(await readFile(join(folder, "peer", "config.toml"), "utf8"));
    expect(kept).toEqual({ data: join(process.cwd(), "some.jsonl"), part: "2/6", port: 9000 });
    expect(JSON.parse(await readFile(join(folder, "peer", "network.json"), "utf8"))).toEqual(EXAMPLE_MANIFEST);
  });

  it("refuses a second network, naming the field that differs", async () => {
    await weft("init", "--network", await manifestFile());
    const { code, err } = await weft("init", "--network", await manifestFile({ seed: 8 }));
    expect(code).toBe(2);
    expect(err).toContain("belongs to another network: seed is 7 there and 8 in");
  });

  it("refuses a key that others may read", async () => {
    await weft("init");
    await chmod(join(folder, "peer", "key"), 0o644);
    const { code, err } = await weft("init");
    expect(code).toBe(2);
    expect(err).toMatch(/^weft: .*key may be read by others \(mode 644\); run: chmod 600 .*\n$/);
  });
});

describe("weft network show", () => {
  it("shows id and settings, as text and as JSON", async () => {
    const file = await manifestFile();
    const { out } = await weft("network", "show", file);
    expect(out).toContain(`network      ${networkId(EXAMPLE_MANIFEST)}\n`);
    expect(out).toContain("loreft:r2:f1+l1:tied, 34 parameters in 3 tensors");
    const json = await weft("network", "show", file, "--json");
    expect(JSON.parse(json.out)).toEqual({ network: networkId(EXAMPLE_MANIFEST), manifest: EXAMPLE_MANIFEST });
  });

  it.each<[string, () => Promise<string>, string]>([
    ["a missing file", async () => join(folder, "none.json"), "no network manifest"],
    ["an unknown field", () => manifestFile({ rouns: 3 }), "rouns"],
    ["a folder", async () => folder, "cannot read"],
  ])("refuses %s with one line", async (_, make, text) => {
    const { code, err } = await weft("network", "show", await make());
    expect(code).toBe(2);
    expect(err).toMatch(/^weft: .*\n$/);
    expect(err).toContain(text);
  });
});

describe("weft status", () => {
  /** A writer as a running peer has it, whose state is what its events come to. */
  const status = () => {
    let view = UNSEEN_PEER;
    const writer = createStatusWriter({
      dataDirectory: join(folder, "peer"),
      status: () => ({ manifest: EXAMPLE_MANIFEST, view }),
      onError: (error) => {
        throw error;
      },
    });
    const note = (event: PeerEvent): void => {
      view = foldPeerEvent(view, event);
      writer.note(event);
    };
    return { note, end: writer.end };
  };

  it("shows a stopped peer's rounds, updates and losses", async () => {
    await mkdir(join(folder, "peer"));
    const writer = status();
    for (const event of exampleEvents(1)) writer.note(event);
    await writer.end();
    const { code, out } = await weft("status");
    expect(code).toBe(0);
    for (const line of [
      "process     stopped",
      "doing       finished",
      "round       6 of 6 done",
      // A peer that does not run has none.
      "neighbours  0",
      "updates     1 accepted, 1 ignored, 0 rejected",
      "swarm       held-out loss 1.457, accuracy 62.1 %",
    ]) {
      expect(out.split("\n")).toContain(line);
    }
    expect(JSON.parse((await weft("status", "--json")).out)).toMatchObject({ running: false, rounds: 6 });
  });

  it("shows how the event loop fares, and who held it longest", async () => {
    await mkdir(join(folder, "peer"));
    const writer = status();
    for (const event of exampleEvents(1)) writer.note(event);
    const loopLine = async (report: LoopReport): Promise<string | undefined> => {
      writer.note({ type: "loop", report });
      await writer.end();
      return (await weft("status")).out.split("\n").find((line) => line.startsWith("event loop"));
    };
    expect(await loopLine({ p99Ms: 3.5, holds: 0 })).toBe(
      "event loop  99 % of timers within 3.5 ms, never held for long",
    );
    expect(
      await loopLine({ p99Ms: 80, holds: 2, longest: { handler: "gossip, taken", ms: 120, processorMs: 90 } }),
    ).toBe(
      "event loop  99 % of timers within 80 ms, held 2 times, the longest 120 ms (90 ms of processor time) by gossip, taken",
    );
  });

  it("shows what each neighbour is worth, the most harmful one first", async () => {
    await mkdir(join(folder, "peer"));
    const writer = status();
    const scores = [
      { peer: "liar", looks: 4, gain: -1.25, interval: 0.5 },
      { peer: "new", looks: 1, gain: 0.125 },
    ];
    for (const event of exampleEvents(1)) writer.note(event.type === "round" ? { ...event, scores } : event);
    await writer.end();
    const { out } = await weft("status");
    expect(out).toContain("scores      liar harms by 1.250 ± 0.500 nats per token in 4 looks\n");
    expect(out).toContain("            new helps by 0.125 nats per token in 1 look\n");
    expect(JSON.parse((await weft("status", "--json")).out).view.scores).toEqual(scores);
  });

  it("tells a running peer from one that was killed", async () => {
    await mkdir(join(folder, "peer"));
    const writer = status();
    const [started, ...events] = exampleEvents(0);
    writer.note(started!);
    await expect.poll(() => weft("status").then(({ out }) => out)).toContain(`process     ${process.pid}, running`);
    for (const event of events.slice(0, 4)) writer.note(event);
    await writer.end();
    const file = join(folder, "peer", "status.json");
    // No process has this number: it is above the kernel's maximum.
    const killed = { ...JSON.parse(await readFile(file, "utf8")), ended: false, process: 2 ** 22 + 1 };
    await writeFile(file, JSON.stringify(killed));
    expect((await weft("status")).out).toContain("not running (it was killed, or the machine stopped)");
  });

  it.each([
    [undefined, "no peer has run in"],
    ["{", "is damaged"],
    ['{"schema":"weft-status/9"}', "another version"],
  ])("answers a status file of %j with one line", async (text, answer) => {
    await mkdir(join(folder, "peer"));
    if (text !== undefined) await writeFile(join(folder, "peer", "status.json"), text);
    const { code, err } = await weft("status");
    expect(code).toBe(2);
    expect(err).toContain(`weft: `);
    expect(err).toContain(answer);
  });
});

describe("weft egress", () => {
  it.each(["verify", "export"])("%s of a folder that is not there is refused, and is no empty ledger", async (verb) => {
    const { code, out, err } = await weft("egress", verb);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toMatch(/^weft: no peer has run in .*; start one with weft run, or name another --data-dir$/m);
  });
});

describe("weft doctor", () => {
  it("tells in a table how the processor does, and as JSON, and refuses a device that there is not", async () => {
    await weft("init");
    const text = await weft("doctor", "--device", "cpu");
    expect(text.code).toBe(0);
    expect(text.out).toMatch(
      /^machine {6}ok {7}Node\.js .*\ndata folder {2}ok .*\nkey {10}ok .*\ndisk {9}\w+ .*\nmodel /,
    );
    expect(text.out).toMatch(
      /\ncpu {5}ok( +\d+\.\d m?s){3}\n\n--precision fp16 on cpu: no; the runtime has no products .*\n\n--device auto is cpu here\. All is well\.\n$/,
    );
    const json = JSON.parse((await weft("doctor", "--device", "cpu", "--json")).out);
    expect(json).toMatchObject({ healthy: true, auto: "cpu", devices: [{ device: "cpu", state: "ok" }] });
    const wrong = await weft("doctor", "--device", "gpu");
    expect(wrong).toMatchObject({ code: 2, err: expect.stringContaining("expected cpu, webgpu, cuda, coreml, dml") });
  });
});
