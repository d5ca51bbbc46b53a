/** What is known of a swarm's peers by their admin interfaces, and of those that do not answer. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type ExamplePeer, examplePeer, OTHER, SELF, tellExample } from "../../node/admin/example-peer.suite.ts";
import { AdminInterface } from "../../node/admin/serve-admin.ts";
import { refuseTakenPort } from "./swarm-page.ts";
import { WatchedPeer } from "./watched-peer.ts";

let folder: string;
let peer: ExamplePeer;
let admin: AdminInterface;

async function serve(): Promise<void> {
  admin = new AdminInterface(peer, { dataDirectory: folder, version: "1", settings: {}, stop: () => undefined });
  await admin.serve();
}

beforeAll(async () => {
  folder = join(await mkdtemp(join(tmpdir(), "weft-watch-")), "peer-1");
  await mkdir(folder);
  peer = examplePeer();
});
afterAll(async () => {
  await admin.close();
  await rm(join(folder, ".."), { recursive: true });
});

it("knows nothing of a peer that has not started, and all that it says once it has", async () => {
  const watched = new WatchedPeer(1, folder);
  await watched.look();
  expect(watched.view()).toEqual({ number: 1, isThere: false, since: expect.any(String) });
  await serve();
  tellExample(peer);
  await watched.look();
  expect(watched.network).toEqual({ name: "example", rounds: 100 });
  expect(watched.view()).toMatchObject({
    isThere: true,
    said: {
      ...{ id: SELF, roundsDone: 2, bytes: { sent: 10, received: 20 }, report: null },
      // The direct one of two links with the same peer.
      links: [{ peer: OTHER, isNeighbour: true, isRelayed: false, roundTripMs: 3 }],
    },
  });
  expect(watched.rounds(1).map(({ round }) => round)).toEqual([1]);
});

it("keeps what a peer said that answers no more, and finds it again where it listens then", async () => {
  const watched = new WatchedPeer(1, folder);
  await watched.look();
  const before = watched.view();
  await admin.close();
  await watched.look();
  expect(watched.view()).toMatchObject({ isThere: false, said: before.said });
  expect(watched.rounds(0)).toHaveLength(2);
  await serve();
  await watched.look();
  expect(watched.view()).toMatchObject({ isThere: true });
});

it("says which flag chooses another port where one is taken", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const refused = { code: "PORT_IN_USE", facts: { port, problem: "page-port-taken" } };
  await expect(refuseTakenPort(port)).rejects.toMatchObject(refused);
  server.close();
  await refuseTakenPort(0);
});
