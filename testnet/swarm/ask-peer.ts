/** Asking the peers of a swarm, each by its admin interface. */
import { adminClientDoor, NodeError, type PeerView } from "../../node/index.ts";

/** Of GET /v1/status, what a swarm goes by. */
export interface PeerAnswer {
  readonly process: number;
  readonly paused: boolean;
  readonly rounds: number;
  readonly bytes: { readonly sent: number; readonly received: number };
  readonly view: PeerView;
}

/** A peer that answers does so at once; one that hangs holds nobody up for long. */
const ANSWER_MS = 3_000;

/** An answer of the peer of a data directory; undefined where none answers.  Throws: NodeError with what it refuses. */
export async function askPeer<Answer>(
  dataDirectory: string,
  path: string,
  method: "GET" | "POST" = "GET",
): Promise<Answer | undefined> {
  const { askAdmin, findAdmin } = await adminClientDoor();
  try {
    const found = await findAdmin(dataDirectory);
    if (found === undefined) return undefined;
    return (await askAdmin(path, { ...found, timeoutMs: ANSWER_MS }, method)) as Answer;
  } catch (error) {
    // What a killed peer has left behind answers nobody.
    if (error instanceof NodeError && (error.code === "PEER_FAILED" || error.code === "DATA_DIRECTORY"))
      return undefined;
    throw error;
  }
}

/** Where a peer is by its own word; undefined where none answers. */
export function statusOf(dataDirectory: string): Promise<PeerAnswer | undefined> {
  return askPeer<PeerAnswer>(dataDirectory, "/v1/status");
}
