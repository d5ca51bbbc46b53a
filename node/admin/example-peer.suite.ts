/** A peer that does nothing but what a test has it tell, for tests of what looks at peers. */
import { EXAMPLE_MANIFEST } from "../../protocol/vectors/example-network.ts";
import { NodeError } from "../errors.ts";
import type { RosterAction, RosterAnswer } from "../membership/roster-desk.ts";
import type { Peer, PeerStatus } from "../peer/peer.ts";
import type { NeighbourLink, PeerDesk } from "../peer/peer-desk.ts";
import { foldPeerEvent, UNSEEN_PEER } from "../peer/peer-view.ts";
import type { PeerNews } from "../peer/session-event.ts";

export const SELF = "12D3KooWSelf";
export const OTHER = "12D3KooWOther";

/** What was asked of it, and how a test has it tell. */
export interface ExamplePeer extends Peer {
  tell(event: PeerNews): void;
  readonly acted: RosterAction[];
  readonly calls: string[];
  /** Answers of its roster, by kind of action; without one it belongs to an open network. */
  answers: Partial<Record<RosterAction["kind"], unknown>>;
  /** Thrown at whatever is asked of its roster. */
  refusal: Error | undefined;
}

/** A connection of the example, with what matters to a test. */
export const exampleLink = (link: object): object => ({
  ...{ peer: OTHER, address: "/ip4/127.0.0.1/tcp/9", direction: "outbound", isRelayed: false, roundTripMs: 3 },
  ...{ openedAtMs: 0, isNeighbour: true },
  ...link,
});

/** Two connections with one neighbour. */
const TWO_LINKS = [
  exampleLink({}),
  exampleLink({
    address: "/ip4/127.0.0.1/tcp/8/p2p-circuit",
    direction: "inbound",
    isRelayed: true,
    roundTripMs: undefined,
  }),
];

/** A peer that has not told anything yet. */
export function examplePeer(
  links: readonly object[] = TWO_LINKS,
  labels: Readonly<Record<string, string>> = {},
): ExamplePeer {
  const listeners = new Set<(event: PeerNews) => void>();
  let isPaused = false;
  const acted: RosterAction[] = [];
  const calls: string[] = [];
  let status: PeerStatus = { manifest: EXAMPLE_MANIFEST, view: UNSEEN_PEER };
  const desk: PeerDesk = {
    labelOf: (one) => labels[one],
    links: () => links as readonly NeighbourLink[],
    bytes: () => ({ sent: 10, received: 20 }),
    figures: async () => "libp2p_dial_queue 0\n",
    egress: () => ({ update: { messages: 1, bytes: 10 } }),
    loraUpdateBytes: 250_000,
    act: async (action) => {
      acted.push(action);
      if (peer.refusal !== undefined) throw peer.refusal;
      const answer = peer.answers[action.kind];
      if (answer === undefined) throw new NodeError("NOT_ALLOWED", "the network is open");
      return answer as RosterAnswer;
    },
    pause: () => {
      isPaused = true;
      calls.push("pause");
    },
    resume: () => {
      isPaused = false;
      calls.push("resume");
    },
    cutOff: (peers) => void calls.push(`cut off ${peers.join(" ")}`),
  };
  const peer: ExamplePeer = {
    acted,
    calls,
    answers: {},
    refusal: undefined,
    tell: (event) => {
      if (event.type !== "session") status = { ...status, view: foldPeerEvent(status.view, event) };
      for (const listener of listeners) listener(event);
    },
    start: async () => undefined,
    stop: async () => undefined,
    events: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    status: () => status,
    desk: () => desk,
    get isPaused() {
      return isPaused;
    },
    pause: () => desk.pause(),
    resume: () => desk.resume(),
    cutOff: (peers) => desk.cutOff(peers),
    done: new Promise(() => undefined),
  };
  return peer;
}

/** A peer begins. */
export function tellStart(peer: ExamplePeer, neighbours = 1): void {
  peer.tell({
    type: "started",
    ...{ peer: SELF, addresses: ["/ip4/127.0.0.1/tcp/7"], dataDirectory: "alice", round: 0, resumed: false },
    examples: { train: 3, validation: 2, test: 1 },
  });
  peer.tell({ type: "neighbours", connected: neighbours });
}

/** A few events of a peer at work. */
export function tellExample(peer: ExamplePeer, rounds = 2): void {
  tellStart(peer);
  for (let round = 0; round < rounds; round++) {
    peer.tell({ type: "step", round, step: 1, steps: 1, loss: 3 - round, phase: "swarm" });
    peer.tell({ type: "update", round, from: OTHER, verdict: "accept", code: "ACCEPTED" });
    const neighbours = [{ peer: OTHER, weight: 1, staleness: round, distance: 0.5 }];
    peer.tell({ type: "mixed", round, lambda: 0.5, neighbours });
    peer.tell({ type: "round", summary: summaryOf(round), forgetting: { loss: 0, accuracy: 0, tasks: [] } });
  }
}

/** A round as it is summed up. */
export function summaryOf(round: number): Extract<PeerNews, { type: "round" }>["summary"] {
  return {
    round,
    ...{ trainLoss: 3 - round, stepsSkipped: 0, validationLoss: 2.5 - round, forgetting: { loss: 0, accuracy: 0 } },
    ...{ lambda: 0.5, lambdaCost: { evaluations: 0, steps: 0, seconds: 0 }, neighbours: 1, stalenessMax: round },
    ...{ bytes: { sent: 100, received: 200 }, updateBytes: 90 },
    seconds: { train: 1, network: 0.5, aggregate: 0.25, total: 2 },
    updates: { accepted: 1, ignored: 0, rejected: 0 },
    deadlineMs: 1000,
  };
}
