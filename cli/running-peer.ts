/** Asking the peer that runs in a data directory, by its admin interface. */
import { adminClientDoor, NodeError } from "../node/index.ts";
import type { PeerStatus } from "./status-file.ts";

/** Where a running peer is by its own word; undefined where none runs, or one without an admin interface. */
export function runningStatus(dataDirectory: string): Promise<PeerStatus | undefined> {
  return askRunningPeer<PeerStatus>(dataDirectory, "/v1/status");
}

/** Whether the peer in a data directory serves an admin interface, or did when it was killed. */
export async function servesAdmin(dataDirectory: string): Promise<boolean> {
  const { findAdmin } = await adminClientDoor();
  return (await findAdmin(dataDirectory)) !== undefined;
}

/** A running peer's answer to a question; undefined where none runs, or one without an admin interface.  Throws: NodeError with what it refuses. */
export async function askRunningPeer<Answer>(dataDirectory: string, path: string): Promise<Answer | undefined> {
  const { askAdmin, findAdmin } = await adminClientDoor();
  const found = await findAdmin(dataDirectory);
  if (found === undefined) return undefined;
  try {
    return (await askAdmin(path, found)) as Answer;
  } catch (error) {
    // What a killed peer has left behind answers nobody; its files say where it was.
    if (error instanceof NodeError && error.code === "PEER_FAILED") return undefined;
    throw error;
  }
}
