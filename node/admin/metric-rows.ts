/** What a peer exports for monitoring; `docs/monitoring` has the table. */
import type { MetricRow } from "../interface/metrics.ts";

const SECONDS = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300];

/** Every figure, in the order of the page. Ids of peers are no labels: there may be any number of them. */
export const PEER_METRICS = [
  { name: "weft_info", kind: "gauge", text: "Always 1; the labels say what runs.", labels: ["version", "network"] },
  { name: "weft_round", kind: "gauge", text: "Rounds that are done." },
  { name: "weft_rounds", kind: "gauge", text: "Rounds of the network." },
  { name: "weft_paused", kind: "gauge", text: "1 while the rounds stand still: on request, or on a full disk." },
  { name: "weft_neighbours", kind: "gauge", text: "Peers that are connected and past the handshake." },
  { name: "weft_links", kind: "gauge", text: "Open connections, direct and through a relay.", labels: ["way"] },
  { name: "weft_steps_total", kind: "counter", text: "Local steps since the start." },
  {
    ...{ name: "weft_step_seconds", kind: "histogram", buckets: SECONDS },
    text: "Time from one local step of a round to the next, checkpoints between them included.",
  },
  { name: "weft_train_loss", kind: "gauge", text: "Loss of the newest local step, nats per response token." },
  { name: "weft_validation_loss", kind: "gauge", text: "Loss on held-out examples after the newest round." },
  { name: "weft_lambda", kind: "gauge", text: "How far the newest round went towards the aggregate, 0 to 1." },
  {
    ...{ name: "weft_updates_total", kind: "counter", labels: ["verdict", "reason"] },
    text: "Updates of others that came, by verdict (accept, ignore, reject) and reason.",
  },
  {
    ...{ name: "weft_staleness_rounds", kind: "histogram", buckets: [0, 1, 2, 3, 5, 8] },
    text: "Rounds that each neighbour's update was behind when it was mixed in.",
  },
  { name: "weft_mixed_neighbours", kind: "gauge", text: "Neighbours in the newest aggregate." },
  {
    ...{ name: "weft_aggregate_seconds", kind: "histogram", buckets: SECONDS },
    text: "Time that aggregating took, the choice of lambda included.",
  },
  {
    ...{ name: "weft_phase_seconds_total", kind: "counter", labels: ["phase"] },
    text: "Time of finished rounds by what it went to: train, network, aggregate, other.",
  },
  {
    name: "weft_refused_aggregates_total",
    kind: "counter",
    text: "Aggregates that would have ruined the adapter.",
    labels: ["reason"],
  },
  { name: "weft_sent_bytes_total", kind: "counter", text: "Bytes on the wire, sent, under this manifest." },
  { name: "weft_received_bytes_total", kind: "counter", text: "Bytes on the wire, received, under this manifest." },
  { name: "weft_own_update_bytes", kind: "gauge", text: "This peer's newest own update as it was signed." },
  {
    ...{ name: "weft_egress_bytes_total", kind: "counter", labels: ["kind"] },
    text: "Bytes of messages on record in the egress ledger since the start, by kind.",
  },
  {
    ...{ name: "weft_egress_messages_total", kind: "counter", labels: ["kind"] },
    text: "Messages on record in the egress ledger since the start, by kind.",
  },
  { name: "weft_epsilon_spent", kind: "gauge", text: "Spent of the privacy budget; absent without one." },
  { name: "weft_epsilon_budget", kind: "gauge", text: "The privacy budget; absent without one." },
  { name: "weft_members", kind: "gauge", text: "Members by the roster; absent in an open network." },
  { name: "weft_pending_requests", kind: "gauge", text: "Requests for admission that were told and not decided." },
  {
    name: "weft_membership_end_timestamp_seconds",
    kind: "gauge",
    text: "When this peer's membership ends, where that is near.",
  },
  {
    name: "weft_event_loop_lag_seconds",
    kind: "gauge",
    text: "By how much a timer of the peer's process is late, the 99th percentile of the last minute.",
  },
  {
    name: "weft_event_loop_holds_total",
    kind: "counter",
    text: "Times since the start that something held the event loop for more than 50 ms.",
  },
  { name: "weft_checkpoints", kind: "gauge", text: "Checkpoints on disk." },
  { name: "weft_checkpoint_timestamp_seconds", kind: "gauge", text: "When the newest checkpoint was written." },
  { name: "weft_files_bytes", kind: "gauge", text: "All files of this peer." },
  { name: "weft_disk_free_bytes", kind: "gauge", text: "Space left on the disk of these files." },
] as const satisfies readonly MetricRow[];
