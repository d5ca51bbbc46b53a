/** The figures of a running peer: what its events come to, and what is looked up when somebody asks. */
import { networkId } from "../../protocol/network-manifest.ts";
import type { Clock } from "../interface/clock.ts";
import type { FileFigures, Metrics } from "../interface/metrics.ts";
import type { PeerEvent, PhaseSeconds, RoundSummary } from "../interface/peer-event.ts";
import type { Peer } from "../peer/peer.ts";
import type { PEER_METRICS } from "./metric-rows.ts";

type Name = (typeof PEER_METRICS)[number]["name"];
type Of<Type extends PeerEvent["type"]> = Extract<PeerEvent, { type: Type }>;

/** Keeps a peer's figures. */
export class PeerMetrics {
  readonly #metrics: Metrics<Name>;
  readonly #clock: Pick<Clock, "now">;
  /** The newest step, and when it was told. */
  #step: { readonly round: number; readonly step: number; readonly atMs: number } | undefined;

  constructor(metrics: Metrics<Name>, clock: Pick<Clock, "now">) {
    this.#metrics = metrics;
    this.#clock = clock;
  }

  /** One more event; others than those of a peer under a manifest change nothing. */
  note(event: { readonly type: string }): void {
    const known = event as PeerEvent;
    const metrics = this.#metrics;
    if (known.type === "step") this.#noteStep(known);
    if (known.type === "update") {
      metrics.add("weft_updates_total", 1, { verdict: known.verdict, reason: known.code ?? "" });
    }
    if (known.type === "published") metrics.set("weft_own_update_bytes", known.bytes);
    if (known.type === "refused") metrics.add("weft_refused_aggregates_total", 1, { reason: known.reason });
    if (known.type === "mixed") {
      for (const { staleness } of known.neighbours) metrics.observe("weft_staleness_rounds", staleness);
    }
    if (known.type === "loop") {
      metrics.set("weft_event_loop_lag_seconds", known.report.p99Ms / 1000);
      metrics.set("weft_event_loop_holds_total", known.report.holds);
    }
    if (known.type === "round") this.#noteRound(known.summary);
  }

  /** Look up what no event tells. */
  look(
    peer: Pick<Peer, "status" | "desk">,
    { version, files }: { readonly version: string; readonly files: FileFigures },
  ): void {
    this.#lookAtStatus(peer, version);
    this.#lookAtDesk(peer);
    const metrics = this.#metrics;
    metrics.set("weft_checkpoints", files.checkpoints);
    if (files.checkpointAtMs !== undefined)
      metrics.set("weft_checkpoint_timestamp_seconds", files.checkpointAtMs / 1000);
    metrics.set("weft_files_bytes", files.bytes);
    metrics.set("weft_disk_free_bytes", files.freeBytes);
  }

  #noteStep({ round, step, loss }: Of<"step">): void {
    const metrics = this.#metrics;
    const atMs = this.#clock.now();
    const before = this.#step;
    const isNext = before !== undefined && before.round === round && before.step + 1 === step;
    if (isNext) metrics.observe("weft_step_seconds", Math.max(0, atMs - before.atMs) / 1000);
    this.#step = { round, step, atMs };
    metrics.add("weft_steps_total", 1);
    metrics.set("weft_train_loss", loss);
  }

  #noteRound({ validationLoss, lambda, neighbours, seconds }: RoundSummary): void {
    const metrics = this.#metrics;
    metrics.set("weft_validation_loss", validationLoss);
    metrics.set("weft_lambda", lambda);
    metrics.set("weft_mixed_neighbours", neighbours);
    metrics.observe("weft_aggregate_seconds", seconds.aggregate);
    for (const [phase, value] of Object.entries(phasesOf(seconds)))
      metrics.add("weft_phase_seconds_total", value, { phase });
  }

  #lookAtStatus(peer: Pick<Peer, "status">, version: string): void {
    const status = peer.status();
    if (status === undefined) return;
    const { manifest, view } = status;
    const metrics = this.#metrics;
    metrics.clear("weft_info");
    metrics.set("weft_info", 1, { version, network: networkId(manifest) });
    metrics.set("weft_round", view.roundsDone);
    metrics.set("weft_rounds", manifest.rounds.count);
    metrics.set("weft_paused", view.state === "paused" ? 1 : 0);
    metrics.set("weft_neighbours", view.neighbours);
    metrics.set("weft_pending_requests", view.requests?.length ?? 0);
    if (view.roster !== undefined) metrics.set("weft_members", view.roster.members);
    if (view.privacy !== undefined) {
      metrics.set("weft_epsilon_spent", view.privacy.spent);
      metrics.set("weft_epsilon_budget", view.privacy.epsilon);
    }
    metrics.clear("weft_membership_end_timestamp_seconds");
    const end = view.endings?.membership;
    if (end !== undefined) metrics.set("weft_membership_end_timestamp_seconds", end);
  }

  #lookAtDesk(peer: Pick<Peer, "desk">): void {
    const desk = peer.desk();
    if (desk === undefined) return;
    const metrics = this.#metrics;
    const { sent, received } = desk.bytes();
    metrics.set("weft_sent_bytes_total", sent);
    metrics.set("weft_received_bytes_total", received);
    const links = desk.links();
    const relayed = links.filter(({ isRelayed }) => isRelayed).length;
    metrics.set("weft_links", links.length - relayed, { way: "direct" });
    metrics.set("weft_links", relayed, { way: "relayed" });
    for (const [kind, total] of Object.entries(desk.egress())) {
      metrics.set("weft_egress_bytes_total", total.bytes, { kind });
      metrics.set("weft_egress_messages_total", total.messages, { kind });
    }
  }
}

function phasesOf({ train, network, aggregate, total }: PhaseSeconds): Readonly<Record<string, number>> {
  return { train, network, aggregate, other: Math.max(0, total - train - network - aggregate) };
}
