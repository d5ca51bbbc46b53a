/**
 * The answers of the admin interface, described: the OpenAPI document is made from these, and a test holds the answers to
 * them. Objects may get further fields; what is there keeps its name and meaning.
 */
import { z } from "zod";
import type { JsonSchema } from "../interface/admin.ts";
import { EGRESS_KINDS } from "../interface/egress.ts";

const count = z.number().int().min(0);
/** null: not a finite number, such as a loss before the first step. */
const figure = z.number().nullable();
const time = z.string().describe("ISO 8601");
const peer = z.string().describe("peer id");
const label = z
  .string()
  .optional()
  .describe("what the peer called itself when it asked to be admitted; absent where this peer did not see that");
const bytes = z.looseObject({ sent: count, received: count });
const updates = z.looseObject({ accepted: count, ignored: count, rejected: count });

const round = z
  .looseObject({
    round: count.describe("counted from 0; people are shown one more"),
    trainLoss: figure,
    validationLoss: figure.describe("of the adapter as it leaves the round, nats per response token"),
    lambda: figure,
    neighbours: count,
    stalenessMax: count,
    bytes,
    updateBytes: count,
    seconds: z.looseObject({ train: figure, network: figure, aggregate: figure, total: figure }),
    updates,
  })
  .describe("one round of this peer");

/** What a peer is doing. */
export const STATUS_ANSWER = z.looseObject({
  schema: z.literal("weft-status/1"),
  version: z.string(),
  network: z.string().describe("network id"),
  name: z.string().describe("the network's name"),
  rounds: count.describe("rounds of the network"),
  localSteps: count,
  process: count,
  ended: z.boolean(),
  startedAt: time,
  updatedAt: time,
  paused: z.boolean().describe("whether somebody has asked it to pause"),
  bytes: bytes.describe("on the wire since it started under this manifest"),
  view: z
    .looseObject({
      state: z.string(),
      peer: peer.optional(),
      round: count,
      roundsDone: count,
      step: count,
      steps: count,
      loss: figure.optional(),
      neighbours: count,
      updates,
      rounds: z.array(round).describe("the newest"),
    })
    .describe("what its events come to"),
});

/** Whom it is connected with. */
export const PEERS_ANSWER = z.looseObject({
  self: peer.nullable(),
  addresses: z.array(z.string()).describe("multiaddrs at which others can dial it"),
  peers: z.array(
    z.looseObject({
      ...{ peer, label },
      isNeighbour: z.boolean().describe("whether it has passed the handshake"),
      links: z.array(
        z.looseObject({
          address: z.string(),
          direction: z.enum(["inbound", "outbound"]),
          isRelayed: z.boolean(),
          roundTripMs: z.number().nullable(),
          openedAt: time,
        }),
      ),
      mix: z
        .looseObject({ round: count, weight: figure, staleness: count, distance: figure })
        .nullable()
        .describe("its part in the newest round that it entered"),
    }),
  ),
  unreachable: z.array(z.looseObject({ address: z.string(), label, reason: z.string(), failures: count })),
});

/** Its rounds. */
export const ROUNDS_ANSWER = z.looseObject({
  rounds: z.array(round),
  mixes: z.array(
    z.looseObject({
      round: count,
      lambda: figure,
      neighbours: z.array(z.looseObject({ peer, label, weight: figure, staleness: count, distance: figure })),
    }),
  ),
  scores: z
    .array(z.looseObject({ round: count, scores: z.array(z.looseObject({ peer, label, gain: figure, looks: count })) }))
    .describe("after each round, by how much a neighbour's updates alone lower this peer's held-out loss"),
  loraUpdateBytes: count
    .nullable()
    .describe("that an update of LoRA (rank 8, layers of queries and values, float32) would have in this model"),
  report: z.looseObject({}).nullable().describe("base, alone and swarm, once all rounds are done"),
  base: z.looseObject({ loss: figure }).nullable().describe("of the base model, on the validation set"),
});

/** Updates of others that came. */
export const UPDATES_ANSWER = z.looseObject({
  counts: updates,
  reasons: z.array(z.looseObject({ verdict: z.string(), code: z.string(), count })),
  newest: z.array(
    z.looseObject({ at: time, round: count, from: peer, label, verdict: z.string(), code: z.string().optional() }),
  ),
});

/** The members, as far as this peer has heard. */
export const MEMBERS_ANSWER = z.looseObject({
  network: z.string(),
  self: z.looseObject({ peer, role: z.string().optional(), standing: z.string() }),
  members: z.array(
    z.looseObject({
      peer,
      role: z.string(),
      notBefore: count,
      notAfter: count,
      standing: z.string(),
      isConnected: z.boolean(),
      label,
    }),
  ),
  admins: z.array(peer),
  policy: z.looseObject({}),
  entryCount: count,
  digest: z.string(),
});

const motion = z.looseObject({
  id: z.string(),
  statement: z.looseObject({ kind: z.string() }),
  request: z.looseObject({ candidate: peer, label: z.string(), fingerprint: z.string() }).optional(),
  approvedBy: z.array(peer),
  deniedBy: z.array(peer),
  isDeclinedHere: z.boolean(),
  threshold: count,
});

/** What waits for admins. */
export const MOTIONS_ANSWER = z.looseObject({ motions: z.array(motion) });
/** What became of a motion. */
export const MOTION_ANSWER = z.looseObject({ motion, isDecided: z.boolean() });

/** What it goes by. */
export const CONFIG_ANSWER = z.looseObject({
  version: z.string(),
  platform: z.string(),
  dataDirectory: z.string(),
  settings: z.looseObject({}).describe("this run's own, secrets left out"),
  network: z.string(),
  manifest: z.looseObject({}),
});

/** What left this peer. */
export const LEDGER_ANSWER = z.looseObject({
  totals: z
    .partialRecord(z.enum(EGRESS_KINDS), z.looseObject({ messages: count, bytes: count }))
    .describe("since it started under this manifest, by kind"),
  newest: z.array(
    z.looseObject({
      ...{ number: count, at: time, kind: z.string(), protocol: z.string(), to: z.array(peer), bytes: count },
      content: z.string(),
    }),
  ),
});

/** Its log. */
export const LOG_ANSWER = z.looseObject({
  lines: z.array(z.looseObject({ level: z.string(), time, text: z.string(), module: z.string().optional() })),
});

/** What control does. */
export const CONTROL_ANSWER = z.looseObject({ paused: z.boolean(), stopping: z.boolean() });

/** Whom the peer refuses from now on. */
export const CUT_OFF_ANSWER = z.looseObject({ cutOff: z.array(peer) });

/** That all is well. */
export const HEALTH_ANSWER = z.looseObject({ status: z.literal("OK") });

/** What is said where something is refused. */
export const ERROR_ANSWER = z.looseObject({
  error: z.looseObject({ code: z.string(), message: z.string(), problem: z.string().optional() }),
});

/** How many of the newest are asked for. */
export const NEWEST_QUERY = z.object({ newest: z.coerce.number().int().min(1).max(1_000).default(50) });
/** Rounds from this one on. */
export const ROUNDS_QUERY = z.object({ from: z.coerce.number().int().min(0).default(0) });
/** Peer ids, with commas between them; none where it is empty. */
export const CUT_OFF_QUERY = z.object({
  peers: z
    .string()
    .max(64 * 256)
    .regex(/^([1-9A-HJ-NP-Za-km-z]{52}(,[1-9A-HJ-NP-Za-km-z]{52})*)?$/)
    .default(""),
});
/** How many neighbours a peer needs to be of use. */
export const READINESS_QUERY = z.object({ minPeers: z.coerce.number().int().min(0).max(1_000).default(0) });
/** A motion by its name, or by the first 8 or more characters of it. */
export const MOTION_PARAMETERS = z.object({ motion: z.string().regex(/^[0-9a-f]{8,64}$/) });
/** What came of it: `RosterAnswer`. */
export const ROSTER_ANSWER = z.looseObject({ kind: z.string() });
/** Whether an act is meant that leaves the network without enough admins. */
export const MEANT_QUERY = z.object({ withoutQuorum: z.boolean().default(false) });

/** A description as JSON Schema, as OpenAPI 3.0 and validators of draft 7 both read it. */
export function jsonSchema(schema: z.ZodType, io: "input" | "output" = "output"): JsonSchema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { target: "draft-7", io, unrepresentable: "any" });
  return rest;
}
