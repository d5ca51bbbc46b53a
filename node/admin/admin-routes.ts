/** What can be asked of a running peer, and what it can be told to do. */
import type { z } from "zod";
import { ProtocolError } from "../../protocol/errors.ts";
import { networkId } from "../../protocol/network-manifest.ts";
import { parsePeerId } from "../../protocol/peer-id.ts";
import { NodeError } from "../errors.ts";
import type { AdminRequest, AdminRoute, JsonSchema } from "../interface/admin.ts";
import { checkedRosterAction, ROSTER_ACTION } from "../membership/roster-action.ts";
import type { RosterAction, RosterAnswer } from "../membership/roster-desk.ts";
import type { Peer, PeerStatus } from "../peer/peer.ts";
import type { PeerDesk } from "../peer/peer-desk.ts";
import type { EgressRecord } from "../privacy/egress-record.ts";
import { REQUEST_BYTES_MAX } from "../system/files/request-inbox.ts";
import {
  CONFIG_ANSWER,
  CONTROL_ANSWER,
  CUT_OFF_ANSWER,
  CUT_OFF_QUERY,
  jsonSchema,
  LEDGER_ANSWER,
  LOG_ANSWER,
  MEANT_QUERY,
  MEMBERS_ANSWER,
  MOTION_ANSWER,
  MOTION_PARAMETERS,
  MOTIONS_ANSWER,
  NEWEST_QUERY,
  PEERS_ANSWER,
  ROSTER_ANSWER,
  ROUNDS_ANSWER,
  ROUNDS_QUERY,
  STATUS_ANSWER,
  UPDATES_ANSWER,
} from "./admin-answers.ts";
import type { PeerRecord } from "./peer-record.ts";

/** The peer, and what is known of it besides. */
export interface AdminDesk {
  readonly peer: Pick<Peer, "status" | "desk" | "pause" | "resume" | "isPaused" | "cutOff">;
  readonly record: PeerRecord;
  readonly about: AboutPeer;
  /** The newest records of the ledger, the newest last. */
  readonly ledgerTail: (count: number) => Promise<readonly EgressRecord[]>;
  /** The newest lines of its log, the newest last. */
  readonly logTail: (count: number) => Promise<readonly string[]>;
  /** Have the peer stop; resolves at once. */
  readonly stop: () => void;
}

/** What stays as it is while a peer runs. */
export interface AboutPeer {
  readonly version: string;
  readonly platform: string;
  readonly process: number;
  readonly startedAt: string;
  readonly dataDirectory: string;
  /** As they were given, secrets left out. */
  readonly settings: Readonly<Record<string, unknown>>;
}

/** Of the rounds, the newest are in the status. */
const STATUS_ROUNDS_MAX = 20;

/** Questions about the peer itself. */
export function lookRoutes(desk: AdminDesk): readonly AdminRoute[] {
  const { peer, record, about } = desk;
  const newest = { query: input(NEWEST_QUERY) };
  const config = "What this run goes by: its own settings and the network's manifest.";
  const updates = "Updates of others that came, and why each was taken or not.";
  const ledger = "What left this peer: totals by kind, and the newest messages.";
  return [
    get("status", "What the peer is doing.", STATUS_ANSWER, async () => statusAnswer(desk)),
    get("peers", "Whom it is connected with, and how.", PEERS_ANSWER, async () => peersAnswer(desk)),
    {
      ...get("rounds", "Its rounds, and whose adapters entered each.", ROUNDS_ANSWER, async ({ query }) =>
        roundsAnswer(desk, Number(query.from)),
      ),
      query: input(ROUNDS_QUERY),
    },
    {
      ...newest,
      ...get("updates", updates, UPDATES_ANSWER, async ({ query }) => ({
        counts: statusOf(peer).view.updates,
        reasons: record.verdicts(),
        newest: record.updates().slice(-Number(query.newest)),
      })),
    },
    get("config", config, CONFIG_ANSWER, async () => {
      const { manifest } = statusOf(peer);
      const { version, platform, dataDirectory, settings } = about;
      return { version, platform, dataDirectory, settings, network: networkId(manifest), manifest };
    }),
    {
      ...newest,
      ...get("ledger", ledger, LEDGER_ANSWER, async ({ query }) => ({
        totals: deskOf(peer).egress(),
        newest: await desk.ledgerTail(Number(query.newest)),
      })),
    },
    {
      ...newest,
      ...get("log", "The newest lines of its log, from its file.", LOG_ANSWER, async ({ query }) => ({
        lines: (await desk.logTail(Number(query.newest))).flatMap(logEntry),
      })),
    },
  ];
}

/** Questions about the roster, and decisions. */
export function rosterRoutes({ peer }: AdminDesk): readonly AdminRoute[] {
  return [
    get("members", "The members of the network; 403 where it has no roster.", MEMBERS_ANSWER, () =>
      act(peer, { kind: "members" }),
    ),
    get("motions", "Requests for admission and other motions that wait for admins.", MOTIONS_ANSWER, () =>
      act(peer, { kind: "pending" }),
    ),
    {
      ...decide("approve", "Approve a motion.", ({ parameters, query }) =>
        act(peer, { kind: "approve", id: parameters.motion ?? "", isMeant: query.withoutQuorum === true }),
      ),
      query: input(MEANT_QUERY),
    },
    decide("decline", "Decline a motion.", ({ parameters }) =>
      act(peer, { kind: "deny", id: parameters.motion ?? "" }),
    ),
    {
      ...{ method: "POST", path: "/v1/roster", name: "roster" },
      text: "Act on the roster, as the commands about members do: look, propose, approve, decline.",
      body: { schema: input(ROSTER_ACTION), bytesMax: REQUEST_BYTES_MAX },
      answer: jsonSchema(ROSTER_ANSWER),
      handle: async ({ body }) => act(peer, checkedRosterAction(body)),
    },
  ];
}

/**
 * What a peer of a test network can be told besides: whom to refuse. Served only where the peer was started with it, so that
 * nobody parts a network of peers that were not.
 */
export function partitionRoutes({ peer }: Pick<AdminDesk, "peer">): readonly AdminRoute[] {
  const text = "Refuse these peers, and no others, as if no way led to them; none with no peers.";
  return [
    {
      ...order("cut-off", text, async () => undefined),
      query: input(CUT_OFF_QUERY),
      answer: jsonSchema(CUT_OFF_ANSWER),
      handle: async ({ query }) => {
        const peers = String(query.peers ?? "")
          .split(",")
          .filter((word) => word !== "")
          .map(parsePeerId);
        peer.cutOff(peers);
        return { cutOff: peers };
      },
    },
  ];
}

/** What the peer can be told to do. */
export function controlRoutes({ peer, stop }: AdminDesk): readonly AdminRoute[] {
  const pause = "Finish the running steps and begin nothing new until told to; others are heard and served.";
  const end = "Finish the running steps, save, leave the others with a goodbye, and end.";
  let isStopping = false;
  const after = (act: () => void) => async (): Promise<unknown> => {
    act();
    return { paused: peer.isPaused, stopping: isStopping };
  };
  return [
    order(
      "pause",
      pause,
      after(() => peer.pause()),
    ),
    order(
      "resume",
      "Go on.",
      after(() => peer.resume()),
    ),
    order(
      "stop",
      end,
      after(() => {
        isStopping = true;
        stop();
      }),
    ),
  ];
}

function get(
  name: string,
  text: string,
  answer: z.ZodType,
  handle: (request: AdminRequest) => Promise<unknown>,
): AdminRoute {
  return { method: "GET", path: `/v1/${name}`, name, text, answer: jsonSchema(answer), handle };
}

function order(name: string, text: string, handle: () => Promise<unknown>): AdminRoute {
  return { method: "POST", path: `/v1/control/${name}`, name, text, answer: jsonSchema(CONTROL_ANSWER), handle };
}

function decide(name: string, text: string, handle: (request: AdminRequest) => Promise<unknown>): AdminRoute {
  const parameters = input(MOTION_PARAMETERS);
  const path = `/v1/motions/:motion/${name}`;
  return { method: "POST", path, name, text, parameters, answer: jsonSchema(MOTION_ANSWER), handle };
}

/** A line of the log; none where it is torn. */
function logEntry(line: string): readonly unknown[] {
  try {
    return [JSON.parse(line)];
  } catch {
    return [];
  }
}

const input = (schema: z.ZodType): JsonSchema => jsonSchema(schema, "input");

function statusAnswer({ peer, about }: AdminDesk): unknown {
  const { manifest, view } = statusOf(peer);
  const { report } = view;
  const newest = <Round>(rounds: readonly Round[]): readonly Round[] => rounds.slice(-STATUS_ROUNDS_MAX);
  return {
    schema: "weft-status/1",
    version: about.version,
    network: networkId(manifest),
    name: manifest.name,
    rounds: manifest.rounds.count,
    localSteps: manifest.rounds.localSteps,
    process: about.process,
    ended: false,
    startedAt: about.startedAt,
    updatedAt: new Date().toISOString(),
    paused: peer.isPaused,
    bytes: peer.desk()?.bytes() ?? { sent: 0, received: 0 },
    view: {
      ...view,
      rounds: newest(view.rounds),
      ...(report && { report: { ...report, rounds: newest(report.rounds) } }),
    },
  };
}

function peersAnswer({ peer, record }: AdminDesk): unknown {
  const { view } = statusOf(peer);
  const byPeer = new Map<string, ReturnType<PeerDesk["links"]>[number][]>();
  for (const link of peer.desk()?.links() ?? []) byPeer.set(link.peer, [...(byPeer.get(link.peer) ?? []), link]);
  const peers = [...byPeer].map(([id, links]) => ({
    ...named(peer, id),
    isNeighbour: links.some(({ isNeighbour }) => isNeighbour),
    links: links.map(({ address, direction, isRelayed, roundTripMs, openedAtMs }) => ({
      ...{ address, direction, isRelayed, roundTripMs: roundTripMs ?? null },
      openedAt: new Date(openedAtMs).toISOString(),
    })),
    mix: newestMix(record, id),
  }));
  return { self: view.peer ?? null, addresses: view.addresses, peers, unreachable: view.unreachable };
}

/** A peer, and what it calls itself where that is known. */
function named(peer: AdminDesk["peer"], id: string): { readonly peer: string; readonly label?: string } {
  const label = peer.desk()?.labelOf(id);
  return { peer: id, ...(label !== undefined && { label }) };
}

function newestMix(record: PeerRecord, peer: string): unknown {
  const mix = record.mixes().findLast(({ neighbours }) => neighbours.some((one) => one.peer === peer));
  const share = mix?.neighbours.find((one) => one.peer === peer);
  if (mix === undefined || share === undefined) return null;
  const { weight, staleness, distance } = share;
  return { round: mix.round, weight, staleness, distance };
}

function roundsAnswer({ peer, record }: AdminDesk, from: number): unknown {
  const { view } = statusOf(peer);
  const isAsked = ({ round }: { readonly round: number }): boolean => round >= from;
  const { rounds: _, ...report } = view.report ?? { rounds: [] };
  return {
    rounds: view.rounds.filter(isAsked),
    mixes: record.mixes().filter(isAsked),
    scores: record.scores().filter(isAsked),
    loraUpdateBytes: peer.desk()?.loraUpdateBytes ?? null,
    report: view.report === undefined ? null : report,
    base: view.base ?? null,
  };
}

/** What the protocol does not allow is refused like all that a peer does not allow.  Throws: NodeError. */
async function act(peer: AdminDesk["peer"], action: RosterAction): Promise<RosterAnswer> {
  try {
    return await deskOf(peer).act(action);
  } catch (cause) {
    if (!(cause instanceof ProtocolError)) throw cause;
    throw new NodeError("NOT_ALLOWED", cause.message, { code: cause.code }, { cause });
  }
}

/** Throws: NodeError PEER_FAILED. */
function deskOf(peer: AdminDesk["peer"]): PeerDesk {
  const desk = peer.desk();
  if (desk !== undefined) return desk;
  throw new NodeError("PEER_FAILED", "the peer is between two manifests, or about to end; ask again in a moment");
}

function statusOf(peer: AdminDesk["peer"]): PeerStatus {
  const status = peer.status();
  if (status !== undefined) return status;
  throw new NodeError("PEER_FAILED", "the peer has not found its network yet; ask again in a moment");
}
