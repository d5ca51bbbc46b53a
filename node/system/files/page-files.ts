/** The files of the page of a running peer, as they were built: in the source tree, which the published package carries for them. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { PageAsset } from "../../interface/admin.ts";

const FILES = [
  ["/", "index.html", "text/html; charset=utf-8"],
  ["/page.js", "page.js", "text/javascript; charset=utf-8"],
  ["/page.css", "page.css", "text/css; charset=utf-8"],
] as const;

/** All of them.  of: what the page shows.  Throws: the system's error where the package is damaged. */
export async function readPageFiles(of: "peer" | "swarm" = "peer"): Promise<readonly PageAsset[]> {
  const folder = pageFolder();
  return await Promise.all(
    FILES.map(async ([path, name, contentType]) => {
      const bytes = await readFile(`${folder}/${name}`);
      return { path, contentType, bytes: of === "swarm" && path === "/" ? ofSwarm(bytes) : bytes };
    }),
  );
}

/** The same page, told that what it asks is a swarm. */
function ofSwarm(html: Uint8Array): Uint8Array {
  const text = new TextDecoder().decode(html);
  return new TextEncoder().encode(
    text
      .replace('<div id="page">', '<div id="page" data-of="swarm">')
      .replace("<title>weft: a peer</title>", "<title>weft: a swarm</title>"),
  );
}

function pageFolder(): string {
  const fromSource = "../../page/built";
  const fromCompiled = "../../../../node/page/built";
  return fileURLToPath(new URL(import.meta.url.endsWith(".ts") ? fromSource : fromCompiled, import.meta.url));
}
