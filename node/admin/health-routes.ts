/** What monitoring and supervisors ask of a running peer. */
import { counted } from "../../protocol/counted.ts";
import { NodeError } from "../errors.ts";
import type { AdminRoute } from "../interface/admin.ts";
import type { FileFigures, MetricsPage } from "../interface/metrics.ts";
import type { Peer } from "../peer/peer.ts";
import { HEALTH_ANSWER, jsonSchema, READINESS_QUERY } from "./admin-answers.ts";
import type { PeerMetrics } from "./peer-metrics.ts";

/** The peer, its figures, and where they are written. */
export interface HealthDesk {
  readonly peer: Pick<Peer, "status" | "desk">;
  readonly version: string;
  readonly figures: PeerMetrics;
  readonly page: MetricsPage;
  readonly measureFiles: () => Promise<FileFigures>;
}

/** Metrics, and whether it lives and is of use. The two latter say nothing of anybody, and are answered without a token. */
export function healthRoutes({ peer, version, figures, page, measureFiles }: HealthDesk): readonly AdminRoute[] {
  const health = jsonSchema(HEALTH_ANSWER);
  return [
    {
      ...{ method: "GET", path: "/metrics", name: "metrics", answer: {}, contentType: page.contentType },
      text: "Figures of the peer, of libp2p and of the process in the text format of Prometheus.",
      handle: async () => {
        figures.look(peer, { version, files: await measureFiles() });
        return (await page.text()) + ((await peer.desk()?.figures()) ?? "");
      },
    },
    {
      ...{ method: "GET", path: "/liveness", name: "liveness", answer: health, isOpen: true },
      text: "Whether the process answers.",
      handle: async () => ({ status: "OK" }),
    },
    {
      ...{ method: "GET", path: "/readiness", name: "readiness", answer: health, isOpen: true },
      text: "Whether the peer is at work with so many neighbours; 503 while it is not.",
      query: jsonSchema(READINESS_QUERY, "input"),
      handle: async ({ query }) => {
        const reason = unready(peer, Number(query.minPeers));
        if (reason !== undefined) throw new NodeError("PEER_FAILED", reason);
        return { status: "OK" };
      },
    },
  ];
}

/** Why a peer is of no use at the moment; undefined where it is. */
function unready(peer: Pick<Peer, "status" | "desk">, minPeers: number): string | undefined {
  const view = peer.status()?.view;
  if (view === undefined || view.state === "starting" || peer.desk() === undefined)
    return "it is about to start or to end";
  if (view.state === "paused") return "its rounds stand still";
  return view.neighbours < minPeers ? `it has ${view.neighbours} of ${counted(minPeers, "neighbour")}` : undefined;
}
