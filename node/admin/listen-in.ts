/** An interface at its place: the token that it wants, and the file that says where it is. */
import { dataDirectoryLayout } from "../data-directory/layout.ts";
import type { AdminAddress } from "../interface/admin.ts";
import { absolutePath } from "../system/files/absolute-path.ts";
import { readOrCreateToken } from "../system/files/admin-token.ts";
import { removeAll, writeFileAtomic } from "../system/files/atomic-file.ts";
import type { AdminServer } from "../system/http/admin-server.ts";
import { processFacts } from "../system/platform/process-facts.ts";
import { processMark } from "../system/platform/process-mark.ts";
import { adminUrl } from "./admin-address.ts";
import type { AdminFile } from "./find-admin.ts";

/** Where an interface is, for people. */
export interface ServedAdmin {
  /** The path of a socket, or an address for browsers. */
  readonly place: string;
  readonly token: string;
  readonly tokenFile: string;
}

/**
 * Have a server listen for a folder.  addressOf: where, given the path that a socket among the folder's files would have, and
 * the system.  Returns where it is, and what takes that out of the folder again.
 * Throws: NodeError CONFIG_INVALID, PORT_IN_USE, LISTEN_FAILED, KEY_FILE, DISK_FULL, DATA_DIRECTORY.
 */
export async function listenIn(
  folder: string,
  server: AdminServer,
  addressOf: (socket: string, system: string) => AdminAddress,
): Promise<{ readonly served: ServedAdmin; readonly forget: () => Promise<void> }> {
  const layout = dataDirectoryLayout(folder);
  const { system, process } = processFacts();
  const token = await readOrCreateToken(layout.adminToken);
  const address = await server.listen(addressOf(absolutePath(layout.adminSocket), system), token);
  const mark = await processMark(process);
  const found: AdminFile = { schema: "weft-admin/1", address, process, ...(mark && { mark }) };
  await writeFileAtomic(layout.admin, new TextEncoder().encode(`${JSON.stringify(found)}\n`), { mode: 0o600 });
  const place = address.kind === "socket" ? address.path : adminUrl(address);
  return { served: { place, token, tokenFile: layout.adminToken }, forget: () => removeAll(layout.admin) };
}
