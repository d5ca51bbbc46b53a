import { describe, expect, it } from "vitest";
import { foldPeerEvent, PeerNames, UNSEEN_PEER } from "../../node/index.ts";
import { exampleEvents, exampleRun } from "../fixtures/example-run.ts";
import { formatEventLine, parseEventLine } from "./event-line.ts";
import { lineView, liveTable, progressLine, terminalView } from "./live-view.ts";
import { exitSentence, summaryLines, unfinishedSentence, verdictSentences } from "./summary.ts";
import { formatBytes, textTable } from "./text-table.ts";

describe("summary", () => {
  it("names the peers that are worse off in the swarm, and those that died", () => {
    expect(verdictSentences(exampleRun())).toEqual([
      "WORSE in the swarm than alone by held-out loss: peer 2 (1.457 against 1.410). Not worse: 2 of 3.",
      "peer 4 was ended by SIGKILL in round 4, before it had finished",
    ]);
  });

  it("says so when nobody is worse off", () => {
    const run = exampleRun();
    expect(verdictSentences({ ...run, peers: run.peers.slice(0, 1) })).toEqual([
      "In the swarm, no peer ended with a held-out loss visibly higher than alone (1 of 1 peer compared).",
    ]);
  });

  it("says of a peer without neighbours that it had none, instead of comparing it with itself", () => {
    const run = exampleRun();
    const { name, view } = run.peers[0]!;
    const report = view.report!;
    const rounds = report.rounds.map((summary) => ({ ...summary, neighbours: 0 }));
    const lonely = { name, view: { ...view, report: { ...report, rounds, swarm: report.alone! } } };
    const nobody =
      "Without neighbours, so not compared: peer 1. No update of another peer ever entered the aggregate there.";
    expect(verdictSentences({ ...run, peers: [lonely] })).toEqual([nobody]);
    expect(verdictSentences({ ...run, peers: [lonely, run.peers[1]!] })).toEqual([
      "WORSE in the swarm than alone by held-out loss: peer 2 (1.457 against 1.410). Not worse: 0 of 1.",
      nobody,
    ]);
  });

  it.each([
    [["files of this peer: /tmp/peer-2"], ""],
    [["weft: no such model", "files of this peer: /tmp/peer-2"], ": no such model"],
    [["TypeError: no function", "    at run (file.ts:1:2)", "", "Node.js v24.1.0"], ": TypeError: no function"],
    [["Error [ERR_WORKER]: out of memory", "    at run (file.ts:1:2)"], ": Error [ERR_WORKER]: out of memory"],
    [["FATAL ERROR: Reached heap limit", "----- Native stack trace -----"], ": FATAL ERROR: Reached heap limit"],
    [["no Error: to see here", "Errors: none"], ""],
    [[], ""],
  ])("quotes of the last lines %j only what tells why", (lastLines, why) => {
    const exit = { code: 1, signal: null, lastLines };
    expect(exitSentence({ name: "peer 2", view: UNSEEN_PEER, exit })).toBe(
      `peer 2 ended with code 1 in round 1, before it had finished${why}`,
    );
  });

  it("tells which peers did not finish", () => {
    const run = exampleRun();
    expect(unfinishedSentence(run)).toBe("1 of 4 peers did not finish: peer 4");
    expect(unfinishedSentence({ ...run, peers: run.peers.slice(0, 3) })).toBeUndefined();
  });

  it("has a row per peer with its three losses and accuracies", () => {
    const lines = summaryLines(exampleRun());
    const row = lines.find((line) => line.startsWith("peer 2"));
    for (const cell of ["2.612", "1.410", "1.457", "31.2 %", "55.3 %", "62.1 %"]) expect(row).toContain(cell);
    expect(lines.find((line) => line.startsWith("peer 4"))).toContain("–");
  });

  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.00 kB"],
    [12_345, "12.3 kB"],
    [999_600, "1.00 MB"],
    [5e12, "5.00 TB"],
    [5e15, "5000 TB"],
  ])("writes %i bytes as %s", (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  it("aligns numbers to the right and text to the left", () => {
    const columns = [
      { heading: "a", numeric: false },
      { heading: "n", numeric: true },
    ];
    expect(
      textTable(columns, [
        ["long", "1"],
        ["b", "100"],
      ]),
    ).toEqual(["a       n", "────  ───", "long    1", "b     100"]);
  });
});

describe("live view", () => {
  const { peers, manifest } = exampleRun();

  it("shows round, loss, updates and neighbours of each peer, and who died", () => {
    const lines = liveTable(peers, manifest);
    expect(lines[2]).toMatch(/^peer 1 .* finished .* 6\/6 .* 1\/10 .* 2\.310 .* 1 +3$/);
    expect(lines.at(-1)).toContain("SIGKILL");
  });

  it("redraws in place, not more often than it has to", () => {
    let time = 0;
    const written: string[] = [];
    const view = terminalView({
      write: (text) => written.push(text),
      manifest,
      peers: 1,
      now: () => time,
      columns: () => 80,
    });
    const step = { type: "step", round: 0, step: 1, steps: 2, loss: 1, phase: "swarm" } as const;
    const peer = peers[0]!;
    view.onEvent(peer, step);
    view.onEvent(peer, step);
    expect(written).toHaveLength(1);
    time = 1000;
    view.onEvent(peer, step);
    expect(written).toHaveLength(2);
    expect(written[1]).toContain("\x1b[3A");
    for (const line of written[1]!.split("\n").slice(1)) expect(line.length).toBeLessThan(80);
    view.end();
    view.end();
    expect(written).toHaveLength(3);
  });

  it("tells a jump to where the others are, and shows the rounds that are behind", () => {
    const jumped = { type: "jumped", from: 0, to: 3 } as const;
    expect(progressLine(jumped, manifest, new PeerNames())).toBe(
      "fell behind after round 1, goes on in round 4 where the others are",
    );
    expect(foldPeerEvent(UNSEEN_PEER, jumped)).toMatchObject({ round: 3, roundsDone: 3 });
    expect(parseEventLine(formatEventLine(jumped).trimEnd())).toEqual(jumped);
  });

  it("tells start, rounds and end as lines elsewhere", () => {
    const written: string[] = [];
    const lines = lineView({ write: (text) => written.push(text), manifest, peers: 1 });
    let view = UNSEEN_PEER;
    for (const event of exampleEvents(0)) {
      view = foldPeerEvent(view, event);
      lines.onEvent({ name: "peer 1", view }, event);
    }
    expect(written).toHaveLength(8);
    expect(written[1]).toMatch(/^peer 1: round 1\/6 in .* validation .* 3 neighbours mixed in at lambda 0\.50\n$/);
    expect(written[7]).toBe("peer 1: finished, held-out loss 2.512 base, 1.310 alone, 1.101 swarm\n");
  });
});
