/** `weft report` of a real peer: beside it while it runs, and after its end. Run by `npm run test:swarm`. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { ReportDocument } from "../../../node/index.ts";
import { type Watched, watchWeft } from "../../process.suite.ts";

let folder: string;
let peer: Watched | undefined;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "weft-report-"));
});
afterAll(async () => {
  peer?.child.kill("SIGTERM");
  await peer?.ended;
  await rm(folder, { recursive: true, force: true });
});
const at = (name: string): string => join(folder, name);

async function weft(...words: string[]) {
  const one = watchWeft(words);
  const code = await one.ended;
  return { code, ...one.text };
}

it("is the same beside a running peer and after its end, and has training alone in every round", async () => {
  const network = ["--rounds", "3", "--local-steps", "4", "--adapter", "loreft:r2:f2+l2"];
  expect((await weft("network", "create", "--name", "one", ...network, "--out", at("n.json"))).code).toBe(0);
  const run = ["--network", at("n.json"), "--data", "embedded", "--part", "1/4", "--listen", "/ip4/127.0.0.1/tcp/0"];
  peer = watchWeft(["run", "--data-dir", at("a"), ...run, "--compare-alone", "--serve"]);
  await peer.said(/finished, held-out loss/);
  const running = await weft("report", "--data-dir", at("a"), "--json", "--html", at("a.html"));
  expect(running.code).toBe(0);
  const document = JSON.parse(running.out) as ReportDocument;
  const { validation, neutral, swarm, alone } = document.peers[0]!;
  // Nobody was there to hear of, so that the swarm is training alone in every round, but for sums in another order.
  const swarmLosses = validation.rounds.map(({ validationLoss }) => validationLoss);
  expect(validation.alone?.map(({ round, loss }) => [round, loss])).toEqual(
    swarmLosses.map((loss, i) => [i, expect.closeTo(loss, 3)]),
  );
  expect(validation.rounds.every(({ validationInterval = 0 }) => validationInterval > 0)).toBe(true);
  expect(swarm?.loss).toBeCloseTo(alone?.loss ?? 0, 3);
  expect(swarm?.interval).toBeCloseTo(alone?.interval ?? 0, 3);
  expect(validation.base?.loss).toBeGreaterThan(swarmLosses.at(-1) ?? 0);
  expect(neutral).toMatchObject({ texts: 24, before: expect.any(Number), after: expect.any(Number) });
  expect(neutral?.before).not.toBe(neutral?.after);
  expect(document.headline).toContain("had no neighbours");
  expect(await readFile(at("a.html"), "utf8")).toContain('<script type="application/json" id="report">');

  peer.child.kill("SIGTERM");
  await peer.ended;
  const stopped = JSON.parse((await weft("report", "--data-dir", at("a"), "--json")).out) as ReportDocument;
  expect(stopped.peers[0]?.validation).toEqual(validation);
  expect(stopped.peers[0]?.neutral?.after).toBeCloseTo(neutral?.after ?? 0, 3);
  expect(stopped.headline).toBe(document.headline);
});

it("says in a line where there is nothing to report", async () => {
  const { code, err } = await weft("report", "--data-dir", at("nobody"));
  expect([code, err]).toEqual([2, expect.stringContaining("let weft run train there first")]);
});
