import { expect, test } from "vitest";
import { createMetricsPage } from "../system/http/metrics-page.ts";
import { examplePeer, tellExample } from "./example-peer.suite.ts";
import { PEER_METRICS } from "./metric-rows.ts";
import { PeerMetrics } from "./peer-metrics.ts";

const files = { checkpoints: 2, checkpointAtMs: 5_000, bytes: 1_000, freeBytes: 2_000 };

/** The figures of a page, by name and labels as they are written. */
async function read(page: { text(): Promise<string> }): Promise<Map<string, number>> {
  const lines = (await page.text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]),
  );
}

test("events and what is looked up become figures", async () => {
  let now = 0;
  const page = createMetricsPage(PEER_METRICS);
  const figures = new PeerMetrics(page, { now: () => now });
  const peer = examplePeer();
  peer.events((event) => figures.note(event));
  tellExample(peer);
  peer.tell({ type: "step", round: 2, step: 1, steps: 3, loss: 1.5, phase: "swarm" });
  now = 2_000;
  peer.tell({ type: "step", round: 2, step: 2, steps: 3, loss: 1.25, phase: "swarm" });
  peer.tell({ type: "update", round: 2, from: "a", verdict: "reject", code: "SIGNATURE" });
  peer.tell({ type: "loop", report: { p99Ms: 12, holds: 3 } });
  peer.tell({ type: "published", round: 2, bytes: 77, encoding: 1 });
  peer.tell({ type: "refused", round: 2, reason: "loss" });
  peer.tell({ type: "privacy", status: { mode: "update", spent: 2.5, epsilon: 8, delta: 1e-5, sending: true } });
  figures.look(peer, { version: "1.2.3", files });
  // A second look changes nothing that has not changed.
  figures.look(peer, { version: "1.2.3", files });
  const found = await read(page);
  const expected: Record<string, number> = {
    weft_round: 2,
    weft_paused: 0,
    weft_neighbours: 1,
    'weft_links{way="direct"}': 1,
    'weft_links{way="relayed"}': 1,
    weft_steps_total: 4,
    weft_step_seconds_count: 1,
    weft_step_seconds_sum: 2,
    'weft_step_seconds_bucket{le="1"}': 0,
    'weft_step_seconds_bucket{le="3"}': 1,
    weft_train_loss: 1.25,
    weft_validation_loss: 1.5,
    weft_lambda: 0.5,
    'weft_updates_total{verdict="accept",reason="ACCEPTED"}': 2,
    'weft_updates_total{verdict="reject",reason="SIGNATURE"}': 1,
    weft_staleness_rounds_sum: 1,
    weft_staleness_rounds_count: 2,
    weft_aggregate_seconds_sum: 0.5,
    'weft_phase_seconds_total{phase="train"}': 2,
    'weft_phase_seconds_total{phase="other"}': 0.5,
    'weft_refused_aggregates_total{reason="loss"}': 1,
    weft_sent_bytes_total: 10,
    weft_received_bytes_total: 20,
    weft_own_update_bytes: 77,
    'weft_egress_bytes_total{kind="update"}': 10,
    weft_epsilon_spent: 2.5,
    weft_epsilon_budget: 8,
    weft_event_loop_lag_seconds: 0.012,
    weft_event_loop_holds_total: 3,
    weft_checkpoints: 2,
    weft_checkpoint_timestamp_seconds: 5,
    weft_files_bytes: 1_000,
    weft_disk_free_bytes: 2_000,
  };
  expect(Object.fromEntries(Object.keys(expected).map((name) => [name, found.get(name)]))).toEqual(expected);
  expect([...found.keys()].filter((name) => name.startsWith("weft_info"))).toEqual([
    expect.stringMatching(/^weft_info\{version="1\.2\.3",network="[0-9a-f]{64}"\}$/),
  ]);
  expect(found.has("process_resident_memory_bytes")).toBe(true);
  expect(found.has("nodejs_eventloop_lag_p99_seconds")).toBe(true);
});

test("a figure is used as the kind that it is", () => {
  const page = createMetricsPage(PEER_METRICS);
  expect(() => page.observe("weft_round", 1)).toThrow(TypeError);
  expect(() => page.add("weft_step_seconds", 1)).toThrow(TypeError);
  expect(() => page.set("weft_nothing", 1)).toThrow(TypeError);
});
