/** package-lock.json: what `npm install` leaves as it is, with npm 10 and npm 11, on every platform and behind every mirror. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";

interface LockEntry {
  readonly version?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly link?: boolean;
  readonly libc?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** Written by hand: npm locks nothing that it cannot see, and its `npm ci` takes no file that lacks one of them. */
const WITHOUT_HASH = /^node_modules\/@chainsafe\/libp2p-quic-/;
const MEND = "npx npm@10 install --package-lock-only mends it";
const repository = dirname(import.meta.dirname);
const read = (name: string) => JSON.parse(readFileSync(join(repository, name), "utf8"));
const packages: Readonly<Record<string, LockEntry>> = read("package-lock.json").packages;

/** As Node.js looks for it: in the folder's own node_modules, then in those above. */
function isLocked(from: string, name: string): boolean {
  const folders = from.split("/node_modules/").map((_, i, parts) => parts.slice(0, i + 1).join("/node_modules/"));
  return ["", ...folders].some((folder) => `${folder && `${folder}/`}node_modules/${name}` in packages);
}

describe("package-lock.json", () => {
  it("asks for what package.json asks for", () => {
    const { dependencies, devDependencies } = read("package.json");
    const { "": root } = packages;
    expect({ dependencies: root?.dependencies, devDependencies: root?.devDependencies }, MEND).toEqual({
      dependencies,
      devDependencies,
    });
  });

  it("names no registry", () => {
    const named = Object.entries(packages).filter(([, { link, resolved }]) => !link && resolved !== undefined);
    expect(
      named.map(([path]) => path),
      MEND,
    ).toEqual([]);
  });

  it("has no field that npm 10 takes out again", () => {
    const named = Object.entries(packages).filter(([, { libc }]) => libc !== undefined);
    expect(
      named.map(([path]) => path),
      MEND,
    ).toEqual([]);
  });

  it("has the binaries of every platform, not only of the one that wrote it", () => {
    const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter((name) => !isLocked(path, name)),
    );
    expect(missing, `${MEND} where there is no node_modules; without them npm ci refuses the file`).toEqual([]);
  });

  it("has a hash of everything but binaries of QUIC that the registry did not show, which stand by their version", () => {
    const bare = Object.entries(packages).filter(
      ([path, { link, integrity }]) => path.startsWith("node_modules/") && !link && integrity === undefined,
    );
    const { optionalDependencies = {} } = packages["node_modules/@chainsafe/libp2p-quic"] ?? {};
    for (const [path, { version }] of bare) {
      expect(path, "npm install --package-lock-only adds it").toMatch(WITHOUT_HASH);
      expect(version).toBe(optionalDependencies[path.slice("node_modules/".length)]);
    }
  });
});
