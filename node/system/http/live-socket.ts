/** Whether somebody listens at a socket in the file system; one that a killed process left is nobody's. */
import { lstat } from "node:fs/promises";
import { connect } from "node:net";
import { NodeError } from "../../errors.ts";
import { systemCode } from "../files/atomic-file.ts";

/** Throws: NodeError PORT_IN_USE where somebody listens, LISTEN_FAILED where the name is that of something else. */
export async function refuseLiveSocket(path: string): Promise<void> {
  try {
    if (!(await lstat(path)).isSocket()) {
      throw new NodeError("LISTEN_FAILED", `${path} is there already, and is no socket`, { path });
    }
  } catch (error) {
    if (systemCode(error) === "ENOENT") return;
    throw error;
  }
  if (await answers(path)) throw new NodeError("PORT_IN_USE", `another process listens at ${path}`, { path });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
