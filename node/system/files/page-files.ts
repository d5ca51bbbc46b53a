/** The files of the page of a running peer, as they were built: in the source tree, which the published package carries for them. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { PageAsset } from "../../interface/admin.ts";

const FILES = [
  ["/", "index.html", "text/html; charset=utf-8"],
  ["/page.js", "page.js", "text/javascript; charset=utf-8"],
  ["/page.css", "page.css", "text/css; charset=utf-8"],
] as const;

/** All of them.  Throws: the system's error where the package is damaged. */
export async function readPageFiles(): Promise<readonly PageAsset[]> {
  const folder = pageFolder();
  return await Promise.all(
    FILES.map(async ([path, name, contentType]) => ({ path, contentType, bytes: await readFile(`${folder}/${name}`) })),
  );
}

function pageFolder(): string {
  const fromSource = "../../page/built";
  const fromCompiled = "../../../../node/page/built";
  return fileURLToPath(new URL(import.meta.url.endsWith(".ts") ? fromSource : fromCompiled, import.meta.url));
}
