/** Finding the admin interface of the peer that runs in a data directory. */
import { dataDirectoryLayout } from "../data-directory/layout.ts";
import { NodeError } from "../errors.ts";
import type { AdminAddress } from "../interface/admin.ts";
import { readToken } from "../system/files/admin-token.ts";
import { readIfThere } from "../system/files/atomic-file.ts";
import { isCopyInUse } from "../system/files/lock-file.ts";
import type { AdminClientOptions } from "../system/http/admin-client.ts";
import { isProcessRunning, type ProcessMark } from "../system/platform/process-mark.ts";

/** Where the interface of a running peer is. */
export interface AdminFile {
  readonly schema: "weft-admin/1";
  readonly address: AdminAddress;
  readonly process: number;
  /** Of that process; absent where the system tells none. */
  readonly mark?: ProcessMark;
}

/**
 * How to ask the peer of a data directory; undefined where none runs with an admin interface, as far as its files say: a killed
 * one has left them behind, and does not answer.  Throws: NodeError KEY_FILE, DATA_DIRECTORY.
 */
export async function findAdmin(dataDirectory: string): Promise<AdminClientOptions | undefined> {
  const layout = dataDirectoryLayout(dataDirectory);
  const bytes = await readIfThere(layout.admin);
  if (bytes === undefined) return undefined;
  // The peer runs in another directory, which this one was copied from.
  if (await isCopyInUse(layout.lock)) return undefined;
  const token = await readToken(layout.adminToken);
  if (token === undefined) return undefined;
  const file = adminFile(bytes, layout.admin);
  if (file === undefined || !(await isOwn(file))) return undefined;
  return { address: file.address, token };
}

/**
 * Whether nobody else can be listening there. A socket is among the peer's own files; a port is free again once its process has
 * ended, and whoever of this machine takes it then is shown no token.
 */
async function isOwn({ address, mark }: AdminFile): Promise<boolean> {
  return address.kind === "socket" || (mark !== undefined && (await isProcessRunning(mark)));
}

/** undefined for a file of another version.  Throws: NodeError DATA_DIRECTORY. */
function adminFile(bytes: Uint8Array, path: string): AdminFile | undefined {
  try {
    const file = JSON.parse(new TextDecoder().decode(bytes)) as AdminFile;
    return file.schema === "weft-admin/1" ? file : undefined;
  } catch (cause) {
    throw new NodeError("DATA_DIRECTORY", `${path} is damaged; the peer writes it anew`, { path }, { cause });
  }
}

/** The file with the token of the interface of a folder. */
export const tokenFileOf = (folder: string): string => dataDirectoryLayout(folder).adminToken;
