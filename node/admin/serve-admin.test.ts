/** The admin interface of a peer over real HTTP. */
import { chmod, mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { get, type IncomingMessage, type RequestOptions, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { z } from "zod";
import { peerIdFromPublicKey } from "../../protocol/peer-id.ts";
import { dataDirectoryLayout } from "../data-directory/layout.ts";
import { openLogFile } from "../system/files/log-file.ts";
import { type AdminClientOptions, askAdmin } from "../system/http/admin-client.ts";
import { FEED_READERS_MAX } from "../system/http/admin-server.ts";
import { until } from "../system/network/transport.suite.ts";
import * as answers from "./admin-answers.ts";
import { FED_EVENTS_MAX } from "./event-feed.ts";
import { type ExamplePeer, examplePeer, OTHER, SELF, tellExample } from "./example-peer.suite.ts";
import { findAdmin } from "./find-admin.ts";
import { AdminInterface } from "./serve-admin.ts";

let folder: string;
let peer: ExamplePeer;
let admin: AdminInterface;
let client: AdminClientOptions;
let port: number;
const stopped: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "weft-admin-"));
  peer = examplePeer(undefined, { [OTHER]: "hospital 4" });
  admin = new AdminInterface(peer, {
    ...{ dataDirectory: folder, version: "1.2.3", settings: { port: 9000 }, stop: () => void stopped.push("stop") },
    address: { kind: "port", host: "127.0.0.1", port: 0 },
  });
  tellExample(peer);
  const log = await openLogFile(dataDirectoryLayout(folder).logs);
  log.write('{"level":"warn","time":"2026-11-30T00:00:00Z","module":"rounds","text":"late"}\nno line\n');
  log.close();
  port = Number(new URL((await admin.serve()).place).port);
  const found = await findAdmin(folder);
  if (found === undefined) throw new Error("the interface is not found");
  client = found;
});
afterAll(async () => {
  await admin.close();
  await rm(folder, { recursive: true });
});

const ask = (path: string, method?: "POST") => askAdmin(path, client, method);

/** Status, headers and text of a request as it is. */
async function raw(path: string, options: RequestOptions = {}, body?: string) {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request({ host: "127.0.0.1", port, path, ...options }, resolve)
      .on("error", reject)
      .end(body);
  });
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) text += chunk;
  return { status: response.statusCode, headers: response.headers, text };
}
const bearer = () => ({ authorization: `Bearer ${client.token}` });

describe("who is answered", () => {
  it("is who shows the token", async () => {
    for (const path of ["/v1/status", "/v1/events", "/openapi.json", "/nothing"]) {
      for (const headers of [{}, { authorization: "Bearer wrong" }, { authorization: client.token }]) {
        const { status, text } = await raw(path, { headers });
        expect([path, status]).toEqual([path, 401]);
        expect(text).not.toContain(client.token);
      }
    }
    expect((await raw("/v1/control/stop", { method: "POST" })).status).toBe(401);
    expect(stopped).toEqual([]);
    expect((await raw("/v1/status", { headers: bearer() })).status).toBe(200);
  });

  it("is who calls it by a name of this machine, so that no page of another name gets in", async () => {
    const as = async (headers: Record<string, string>) =>
      (await raw("/v1/status", { headers: { ...bearer(), ...headers } })).status;
    expect(await as({ host: `localhost:${port}` })).toBe(200);
    expect(await as({ host: `[::1]:${port}` })).toBe(200);
    expect(await as({ host: "rebound.example" })).toBe(403);
    expect(await as({ host: `127.0.0.1:${port + 1}` })).toBe(403);
    expect(await as({ host: `127.0.0.1:${port}`, origin: "http://elsewhere.example" })).toBe(403);
    expect(await as({ host: `127.0.0.1:${port}`, origin: `http://127.0.0.1:${port}` })).toBe(200);
  });

  it.skipIf(process.platform === "win32")("is who reads a file that its owner alone reads", async () => {
    const { adminToken, admin: where } = dataDirectoryLayout(folder);
    for (const path of [adminToken, where]) expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await readFile(adminToken, "utf8")).trim()).toMatch(/^[\w-]{43}$/);
    await chmod(adminToken, 0o644);
    await expect(findAdmin(folder)).rejects.toMatchObject({ code: "KEY_FILE" });
    await chmod(adminToken, 0o600);
  });

  it("learns nothing that a cache or a frame could keep", async () => {
    const { headers } = await raw("/v1/status", { headers: bearer() });
    expect(headers).toMatchObject({
      "cache-control": "no-store",
      "x-frame-options": "DENY",
      "x-content-type-options": "nosniff",
    });
    expect(headers["access-control-allow-origin"]).toBeUndefined();
  });
});

describe("what is asked", () => {
  const members = {
    kind: "members",
    network: "n",
    self: { peer: SELF, role: "admin", standing: "member" },
    members: [],
    admins: [SELF],
    policy: {},
    entryCount: 1,
    digest: "d",
  };
  const motion = {
    id: "3f9a01c2d4e5",
    statement: { kind: "admit" },
    approvedBy: [SELF],
    deniedBy: [],
    isDeclinedHere: false,
    threshold: 1,
  };

  it.each<[string, z.ZodType, object]>([
    [
      "status",
      answers.STATUS_ANSWER,
      { version: "1.2.3", paused: false, view: { peer: SELF, roundsDone: 2, neighbours: 1 } },
    ],
    [
      "peers",
      answers.PEERS_ANSWER,
      {
        self: SELF,
        peers: [
          {
            peer: OTHER,
            label: "hospital 4",
            isNeighbour: true,
            mix: { round: 1, weight: 1 },
            links: [
              { isRelayed: false, roundTripMs: 3 },
              { isRelayed: true, roundTripMs: null },
            ],
          },
        ],
      },
    ],
    [
      "rounds",
      answers.ROUNDS_ANSWER,
      { rounds: [{ round: 0 }, { round: 1 }], mixes: [{ round: 0 }, { round: 1, lambda: 0.5 }], report: null },
    ],
    ["rounds?from=1", answers.ROUNDS_ANSWER, { rounds: [{ round: 1 }], mixes: [{ round: 1 }] }],
    [
      "updates",
      answers.UPDATES_ANSWER,
      { counts: { accepted: 2 }, reasons: [{ verdict: "accept", count: 2 }], newest: [{ round: 0 }, { round: 1 }] },
    ],
    ["updates?newest=1", answers.UPDATES_ANSWER, { newest: [{ round: 1, from: OTHER }] }],
    ["config", answers.CONFIG_ANSWER, { settings: { port: 9000 }, version: "1.2.3" }],
    ["log", answers.LOG_ANSWER, { lines: [{ level: "warn", text: "late" }] }],
    ["ledger", answers.LEDGER_ANSWER, { totals: { update: { messages: 1, bytes: 10 } }, newest: [] }],
  ])("is answered as described: %s", async (path, schema, expected) => {
    const answer = await ask(`/v1/${path}`);
    expect(() => schema.parse(answer)).not.toThrow();
    expect(answer).toMatchObject(expected);
  });

  it("is refused in words where the network is open, and answered where it has a roster", async () => {
    await expect(ask("/v1/members")).rejects.toMatchObject({ code: "NOT_ALLOWED", message: "the network is open" });
    peer.answers = {
      members,
      pending: { kind: "pending", motions: [motion] },
      approve: { kind: "motion", motion, isDecided: true },
    };
    expect(answers.MEMBERS_ANSWER.parse(await ask("/v1/members"))).toMatchObject({ admins: [SELF] });
    expect(answers.MOTIONS_ANSWER.parse(await ask("/v1/motions"))).toMatchObject({ motions: [{ id: motion.id }] });
    peer.acted.length = 0;
    expect(await ask(`/v1/motions/${motion.id}/approve?withoutQuorum=true`, "POST")).toMatchObject({ isDecided: true });
    await expect(ask(`/v1/motions/${motion.id}/decline`, "POST")).rejects.toMatchObject({ code: "NOT_ALLOWED" });
    expect(peer.acted).toEqual([
      { kind: "approve", id: motion.id, isMeant: true },
      { kind: "deny", id: motion.id },
    ]);
  });

  it.each(["/v1/motions/..%2f..%2fkey/approve", "/v1/motions/short/approve"])(
    "is refused where it is no question: POST %s",
    async (path) => {
      expect((await raw(path, { method: "POST", headers: bearer() })).status).toBe(400);
    },
  );

  it.each(["/v1/updates?newest=0", "/v1/updates?newest=many", "/v1/rounds?from=-1"])(
    "is refused beyond its bounds: %s",
    async (path) => {
      const { status, text } = await raw(path, { headers: bearer() });
      expect([status, JSON.parse(text).error.code]).toEqual([400, "REQUEST"]);
    },
  );

  it.each<[string, string | undefined, string]>([
    ["nothing", undefined, "it:"],
    ["no object", "[]", "it:"],
    ["no kind", "{}", "kind:"],
    ["another kind", '{"kind":"nope"}', "kind:"],
    ["no id", '{"kind":"approve"}', "id:"],
    ["an empty id", '{"kind":"deny","id":""}', "id:"],
    ["no statement", '{"kind":"propose"}', "statement:"],
    ["a number for a statement", '{"kind":"propose","statement":5}', "statement:"],
    ["a statement without its fields", '{"kind":"propose","statement":{"kind":"revoke"}}', "statement.subject:"],
    ["a place that is none", '{"kind":"entries","from":"x"}', "from:"],
    ["no file", '{"kind":"rotate"}', "keyFile:"],
  ])("is refused where the act on the roster is %s, and nothing is asked of the peer", async (_, body, place) => {
    peer.acted.length = 0;
    const headers = { ...bearer(), ...(body !== undefined && { "content-type": "application/json" }) };
    const { status, text } = await raw("/v1/roster", { method: "POST", headers }, body);
    expect([status, JSON.parse(text).error.code]).toEqual([400, "CONFIG_INVALID"]);
    expect(JSON.parse(text).error.message).toContain(`no act on a roster: ${place}`);
    expect(peer.acted).toEqual([]);
  });

  it("is refused in one form, whatever is wrong with the request", async () => {
    for (const [method, path, status] of [
      ["POST", "/v1/status", 405],
      ["GET", "/v1/motions/00000000/approve", 405],
      ["DELETE", "/v1/roster", 405],
      ["POST", "/v1/nothing", 404],
      ["POST", `/v1/motions/${"a".repeat(5_000)}/approve`, 414],
      ["GET", "/v1/%E0%A4%A", 400],
    ] as const) {
      const answer = await raw(path, { method, headers: bearer() });
      expect([method, path.slice(0, 40), answer.status]).toEqual([method, path.slice(0, 40), status]);
      expect(Object.keys(JSON.parse(answer.text).error)).toEqual(["code", "message"]);
      expect(answer.headers["x-frame-options"]).toBe("DENY");
    }
    expect((await raw("/v1/status", { method: "POST", headers: bearer() })).headers.allow).toBe("GET");
  });

  it("may be to pause, to go on and to stop", async () => {
    expect(await ask("/v1/control/pause", "POST")).toEqual({ paused: true, stopping: false });
    expect(await ask("/v1/status")).toMatchObject({ paused: true });
    expect(await ask("/v1/control/resume", "POST")).toEqual({ paused: false, stopping: false });
    expect(peer.calls).toEqual(["pause", "resume"]);
    expect(await ask("/v1/control/stop", "POST")).toEqual({ paused: false, stopping: true });
    expect(stopped).toEqual(["stop"]);
  });

  it("is described in an OpenAPI document, every path of it", async () => {
    const document = (await ask("/openapi.json")) as {
      openapi: string;
      paths: Record<string, Record<string, { operationId: string; responses: object }>>;
    };
    expect(document.openapi).toMatch(/^3\./);
    const names = Object.values(document.paths).flatMap((path) =>
      Object.values(path).map(({ operationId }) => operationId),
    );
    expect(names.sort()).toEqual(
      "approve config decline events ledger liveness log members metrics motions pause peers readiness resume roster rounds status stop updates".split(
        " ",
      ),
    );
    expect(document.paths["/v1/motions/{motion}/approve"]).toBeDefined();
    for (const path of Object.values(document.paths)) {
      for (const { responses } of Object.values(path)) expect(Object.keys(responses)).toEqual(["200", "4XX", "5XX"]);
    }
    const { "200": metrics } = document.paths["/metrics"]!.get!.responses as Record<string, { content: object }>;
    expect(Object.keys(metrics!.content)).toEqual(["text/plain"]);
  });
});

describe("a partition", () => {
  const PEERS = [1, 2].map((byte) => peerIdFromPublicKey(new Uint8Array(32).fill(byte)));

  it("is not for a peer that was not started for it, whoever shows its token", async () => {
    const { status } = await raw("/v1/control/cut-off", { method: "POST", headers: bearer() });
    expect(status).toBe(404);
    expect(peer.calls.filter((call) => call.startsWith("cut off"))).toEqual([]);
  });

  it("is told a peer that was, by who shows its token", async () => {
    const other = await mkdtemp(join(tmpdir(), "weft-admin-"));
    const parted = examplePeer();
    const about = { dataDirectory: other, version: "1", settings: {}, stop: () => undefined };
    const second = new AdminInterface(parted, { ...about, canBeCutOff: true });
    try {
      await second.serve();
      const found = await findAdmin(other);
      const path = "/v1/control/cut-off";
      await expect(askAdmin(path, { ...found!, token: "x".repeat(43) }, "POST")).rejects.toThrow();
      expect(parted.calls).toEqual([]);
      const answer = await askAdmin(`${path}?peers=${PEERS.join(",")}`, found!, "POST");
      expect(answers.CUT_OFF_ANSWER.parse(answer)).toEqual({ cutOff: PEERS });
      expect(await askAdmin(path, found!, "POST")).toEqual({ cutOff: [] });
      await expect(askAdmin(`${path}?peers=nobody`, found!, "POST")).rejects.toThrow();
      expect(parted.calls).toEqual([`cut off ${PEERS.join(" ")}`, "cut off "]);
    } finally {
      await second.close();
      await rm(other, { recursive: true });
    }
  });
});

describe("monitoring", () => {
  it("reads figures by the token", async () => {
    expect((await raw("/metrics")).status).toBe(401);
    const { status, headers, text } = await raw("/metrics", { headers: bearer() });
    expect(text).toMatch(/^libp2p_dial_queue 0$/m);
    expect([status, headers["content-type"]]).toEqual([200, expect.stringContaining("text/plain")]);
    expect(text).toMatch(/^weft_round 2$/m);
    expect(text).toMatch(/^weft_disk_free_bytes [1-9]/m);
  });

  it("asks without one whether the peer lives and is of use, and learns no more", async () => {
    const health = async (path: string) => {
      const { status, text } = await raw(path);
      return [status, JSON.parse(text).status ?? JSON.parse(text).error.message];
    };
    expect(await health("/liveness")).toEqual([200, "OK"]);
    expect(await health("/readiness")).toEqual([200, "OK"]);
    expect(await health("/readiness?minPeers=1")).toEqual([200, "OK"]);
    expect(await health("/readiness?minPeers=2")).toEqual([503, "it has 1 of 2 neighbours"]);
    peer.tell({ type: "paused", reason: "no space" });
    expect(await health("/readiness")).toEqual([503, "its rounds stand still"]);
    expect(await health("/liveness")).toEqual([200, "OK"]);
    peer.tell({ type: "resumed" });
    expect((await raw("/readiness", { headers: { host: "rebound.example" } })).status).toBe(403);
  });
});

describe("the events", () => {
  /** Reads them; `text` grows. */
  async function read(headers: Record<string, string> = {}) {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      get({ host: "127.0.0.1", port, path: "/v1/events", headers: { ...bearer(), ...headers } }, resolve).on(
        "error",
        reject,
      );
    });
    const reader = { response, text: "" };
    response
      .setEncoding("utf8")
      .on("data", (chunk: string) => (reader.text += chunk))
      .on("error", () => undefined);
    return reader;
  }
  const numbers = (text: string): number[] => [...text.matchAll(/^id: (\d+)$/gm)].map(([, digits]) => Number(digits));

  it("come in their order, to two readers alike, each as one message", async () => {
    const [a, b] = [await read(), await read()];
    await until(() => a.text.includes("the events") && b.text.includes("the events"));
    for (let step = 1; step <= 50; step++)
      peer.tell({ type: "step", round: 2, step, steps: 50, loss: 1, phase: "swarm" });
    await until(() => numbers(a.text).length === 50 && numbers(b.text).length === 50);
    expect(a.text).toBe(b.text);
    const first = numbers(a.text)[0]!;
    expect(numbers(a.text)).toEqual(Array.from({ length: 50 }, (_, i) => first + i));
    expect(a.text).toContain('event: step\ndata: {"at":');
    // Who comes back goes on where it was.
    const c = await read({ "last-event-id": String(first + 47) });
    await until(() => numbers(c.text).length === 2);
    expect(numbers(c.text)).toEqual([first + 48, first + 49]);
    for (const { response } of [a, b, c]) response.destroy();
  });

  it("cost no memory where a reader does not read: it misses the oldest and is told how many", async () => {
    const slow = await read();
    await until(() => slow.text.includes("the events"));
    slow.response.pause();
    const before = numbers(slow.text).length;
    const reason = "x".repeat(20_000);
    const told = 4 * FED_EVENTS_MAX;
    for (let n = 0; n < told; n++) {
      peer.tell({ type: "paused", reason: `${n} ${reason}` });
      // The sockets take what they can hold meanwhile.
      if (n % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    // 80 megabytes were told.
    slow.response.resume();
    await until(() => slow.text.includes(`"reason":"${told - 1} `));
    const got = numbers(slow.text);
    expect(got).toEqual([...got].sort((x, y) => x - y));
    const lost = [...slow.text.matchAll(/^event: lost\ndata: \{"count":(\d+)\}$/gm)].reduce(
      (sum, [, n]) => sum + Number(n),
      0,
    );
    expect(got.length - before + lost).toBe(told);
    // What is neither lost nor in the feed was in the sockets of this machine, a few megabytes.
    expect(lost).toBeGreaterThan(told - FED_EVENTS_MAX - 1_000);
    slow.response.destroy();
  });

  it("have so many readers at a time, and room again once one has gone", async () => {
    const readers: Awaited<ReturnType<typeof read>>[] = [];
    const open = async (): Promise<number | undefined> => {
      const reader = await read();
      if (reader.response.statusCode === 200) readers.push(reader);
      return reader.response.statusCode;
    };
    // The readers of the tests before may take a moment to be gone.
    while (readers.length < FEED_READERS_MAX) await open();
    expect(await open()).toBe(503);
    readers.pop()?.response.destroy();
    while ((await open()) === 503);
    expect(readers).toHaveLength(FEED_READERS_MAX);
    for (const { response } of readers) response.destroy();
  });
});

it("is nowhere to be found once it is closed", async () => {
  const other = await mkdtemp(join(tmpdir(), "weft-admin-"));
  const second = new AdminInterface(examplePeer(), {
    dataDirectory: other,
    version: "1",
    settings: {},
    stop: () => undefined,
  });
  const { place } = await second.serve();
  const found = await findAdmin(other);
  if (process.platform === "linux") {
    expect(place).toBe(dataDirectoryLayout(other).adminSocket);
    expect((await stat(dataDirectoryLayout(other).adminSocket)).mode & 0o777).toBe(0o600);
  }
  expect(await askAdmin("/v1/status", found!)).toMatchObject({ version: "1" });
  await second.close();
  await second.close();
  expect(await findAdmin(other)).toBeUndefined();
  await expect(askAdmin("/v1/status", found!)).rejects.toMatchObject({ code: "PEER_FAILED" });
  await rm(other, { recursive: true });
});
