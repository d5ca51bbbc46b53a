/** A peer goes on in the directory that a released version left, to its last round. */
import { rmSync } from "node:fs";
import { afterEach, expect, it } from "vitest";
import { createPeer } from "../peer/peer.ts";
import type { PeerNews } from "../peer/session-event.ts";
import { RELEASED, unpacked } from "./fixtures.suite.ts";

let folder = "";
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it.each(RELEASED)("of weft %s", async (version) => {
  folder = unpacked(version);
  const heard: PeerNews[] = [];
  const peer = createPeer({ dataDirectory: folder, data: { part: { index: 0, count: 2 } } });
  peer.events((event) => heard.push(event));
  await peer.start();
  const report = await peer.done;
  expect(heard.find(({ type }) => type === "started")).toMatchObject({ resumed: true, round: 2 });
  expect(report?.swarm.loss).toBeLessThan(report?.base.loss ?? 0);
  expect(report?.rounds.map(({ round }) => round)).toEqual([0, 1, 2, 3]);
});
