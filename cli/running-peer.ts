/** Asking the peer that runs in a data directory, by its admin interface. */
import { adminClientDoor, NodeError } from "../node/index.ts";
import type { PeerStatus } from "./status-file.ts";

/** Where a running peer is by its own word; undefined where none runs, or one without an admin interface. */
export async function runningStatus(dataDirectory: string): Promise<PeerStatus | undefined> {
  const { askAdmin, findAdmin } = await adminClientDoor();
  const found = await findAdmin(dataDirectory);
  if (found === undefined) return undefined;
  try {
    return (await askAdmin("/v1/status", found)) as PeerStatus;
  } catch (error) {
    // What a killed peer has left behind answers nobody; its files say where it was.
    if (error instanceof NodeError && error.code === "PEER_FAILED") return undefined;
    throw error;
  }
}
