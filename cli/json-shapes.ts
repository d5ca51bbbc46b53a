/** What several commands print as JSON, key by key. */
import type { JsonShape } from "./json.ts";

/** Of commands that decide something about the roster. */
export const MOTION_JSON: JsonShape = {
  id: "name of the motion, the same at every peer",
  statement: "what is to hold, with its kind",
  "request?": "who asks for it by an invite: candidate, label, issuedAt, fingerprint",
  approvedBy: "ids of the admins that have agreed",
  deniedBy: "ids of those that have declined",
  isDeclinedHere: "whether this peer has declined it",
  threshold: "number of admins that have to agree",
  "endsQuorum?": "the admins that it leaves, where they are too few to change anything",
  isDecided: "whether it holds",
};

/** Of a peer whose last round is done. */
export const PEER_REPORT_JSON: JsonShape = {
  id: "the peer's id",
  base: "held-out loss, accuracy and exactMatch of the base model",
  "alone?": "the same after as many steps without anybody else, with --compare-alone",
  swarm: "the same with the swarm's adapter",
  bytes: "bytes sent and received",
  seconds: "where the time went",
  updates: "updates accepted, ignored and rejected",
  forgetting: "what else was forgotten, after the last round",
  "best?": "round, from 0, and validationLoss of the round whose adapter is kept as the best",
  rounds: "a summary of each round",
};

/** What `weft run` and `weft join` tell while they work. */
export const EVENT_LINES: JsonShape = {
  started: "the peer runs: its id, addresses, examples",
  step: "a local step: round, step, loss",
  round: "a round is done: its summary",
  published: "an update has left",
  update: "an update has come, with the verdict on it",
  mixed: "the neighbours' shares of the aggregate",
  request: "somebody asks for admission",
  finished: "the last round is done; report is as --json prints it",
  "…": "and those of docs/ADMIN.md's feed of events",
};

/** The same keys, each of which may be missing. */
export const optional = (shape: JsonShape): JsonShape =>
  Object.fromEntries(Object.entries(shape).map(([key, text]) => [key.endsWith("?") ? key : `${key}?`, text]));
