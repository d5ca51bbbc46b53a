import { describe, expect, it } from "vitest";
import { exampleRun } from "../fixtures/example-run.ts";
import { type PeerRecord, peerReport, peerReportLines } from "./peer-report.ts";

const { manifest, network, peers } = exampleRun();

/** A peer of the example run as its record shows it. */
function record(index: number, more: Partial<PeerRecord> = {}): PeerRecord {
  const { view } = peers[index]!;
  const { rounds, forgetting, base, report } = view;
  return {
    ...{ id: view.peer ?? "", state: "stopped", network, manifest, rounds, aloneMissing: "train it alone first" },
    forgetting: forgetting ?? { loss: 0, accuracy: 0, tasks: [] },
    ...(base && { base }),
    ...(report && { scores: report, aloneRounds: report.aloneRounds }),
    ...more,
  };
}

describe("the report of a peer", () => {
  it("has base, alone and swarm in every round, with their intervals", () => {
    const lines = peerReportLines(record(0));
    const rows = lines.filter((line) => /^ +\d/.test(line)).map((line) => line.trim().split(/ {2,}/));
    expect(rows).toHaveLength(6);
    expect(rows[0]).toEqual(["1", "2.500 ± 0.100", "2.450 ± 0.100", expect.stringMatching(/^2\.\d{3} ± 0\.120$/)]);
    expect(lines.at(-1)).toMatch(/^The swarm was better for this peer than training alone by 0\.209 nats per token/);
  });

  it("says where the swarm was worse", () => {
    const { headline, peers } = peerReport(record(1));
    expect([headline.slice(0, 39), peers[0]?.isWorse]).toEqual(["The swarm was WORSE for this peer than ", true]);
  });

  it("says what is missing where nothing was trained alone, and how it comes", () => {
    const { headline, sentences } = peerReport(record(0, { scores: undefined, aloneRounds: undefined }));
    expect(headline).toContain("not known without training alone");
    expect(sentences).toContainEqual({ text: "train it alone first", isAlarm: false });
    const nothing = peerReport(record(0, { rounds: [], scores: undefined, base: undefined }));
    expect(nothing.headline).toBe("No round is done yet: there is nothing to compare.");
  });

  it.each([
    [
      3.1,
      "What no task is about was forgotten in part: loss on 24 neutral sentences 3.000 before, 3.100 after (+0.100 ± 0.050).",
    ],
    [
      2.9,
      "What no task is about is known better than before: loss on 24 neutral sentences 3.000 before, 2.900 after (−0.100 ± 0.050).",
    ],
    [
      3.04,
      "What no task is about is as well known as before: loss on 24 neutral sentences 3.000 before, 3.040 after (± 0.050).",
    ],
  ])("judges a loss of %s on neutral text by its interval", (after, text) => {
    const neutral = { before: 3, after, interval: 0.05, texts: 24 };
    expect(peerReport(record(0, { neutral })).sentences.map((one) => one.text)).toContain(text);
  });

  it("shows of many rounds as many as a person reads, the last one among them", () => {
    const [first] = record(0).rounds;
    const rounds = Array.from({ length: 301 }, (_, round) => ({ ...first!, round }));
    const rows = peerReportLines(record(0, { rounds })).filter((line) => /^ +\d/.test(line));
    expect(rows.length).toBeLessThanOrEqual(21);
    expect(rows.at(-1)).toMatch(/^ +301 /);
  });
});
