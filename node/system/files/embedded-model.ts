/** Where the embedded base model lies: in the source tree, which the published package carries for it. */
import { fileURLToPath } from "node:url";

/** The directory of the embedded base model. */
export function embeddedModelDirectory(): string {
  const fromSource = "../../model/embedded";
  const fromCompiled = "../../../../node/model/embedded";
  return fileURLToPath(new URL(import.meta.url.endsWith(".ts") ? fromSource : fromCompiled, import.meta.url));
}
