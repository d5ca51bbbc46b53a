/** The page of all peers of a swarm on this machine, served as the page of one peer is: at a port of it, to who shows the token. */

import { ensureFolder } from "../system/files/atomic-file.ts";
import { readPageFiles } from "../system/files/page-files.ts";
import { createAdminServer } from "../system/http/admin-server.ts";
import { createLogger } from "../system/platform/log.ts";
import { listenIn, type ServedAdmin } from "./listen-in.ts";
import type { SwarmDesk } from "./swarm-routes.ts";
import { swarmRoutes } from "./swarm-routes.ts";

/** A page that is served. */
export interface SwarmPage extends ServedAdmin {
  /** Serve it no more. Idempotent. */
  close(): Promise<void>;
}

/**
 * Serve the page.  folder: holds the token and says where the page is.  port: 0 for any.
 * Throws: NodeError PORT_IN_USE, LISTEN_FAILED, KEY_FILE, DISK_FULL, DATA_DIRECTORY; the system's error where the package is damaged.
 */
export async function serveSwarmPage(
  desk: SwarmDesk,
  { folder, port, version }: { readonly folder: string; readonly port: number; readonly version: string },
): Promise<SwarmPage> {
  await ensureFolder(folder, { mode: 0o700 });
  const assets = await readPageFiles("swarm");
  const server = await createAdminServer(createLogger({ level: "warn" }), {
    version,
    routes: swarmRoutes(desk),
    assets,
  });
  const { served, forget } = await listenIn(folder, server, () => ({ kind: "port", host: "127.0.0.1", port }));
  let closed: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    await forget();
    await server.close();
  };
  return { ...served, close: () => (closed ??= close()) };
}
