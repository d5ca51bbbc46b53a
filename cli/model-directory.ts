/** Which base model a command means. */
import { resolve } from "node:path";
import { embeddedModelDirectory } from "../node/index.ts";

/** The directory that `--model` names, else that of the model the package brings. */
export function modelDirectory(flag: string | undefined): string {
  return flag === undefined ? embeddedModelDirectory() : resolve(flag);
}
