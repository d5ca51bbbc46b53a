/** package-lock.json: what `npm install` leaves as it is, with npm 10 and npm 11, on every platform and behind every mirror. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";

interface LockEntry {
  readonly resolved?: string;
  readonly link?: boolean;
  readonly libc?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** QUIC's binaries but one: the registry had no others when the lock file was written, and npm locks nothing that it cannot see. */
const NOT_IN_THE_REGISTRY = /^@chainsafe\/libp2p-quic-/;
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
      Object.keys(optionalDependencies).filter((name) => !isLocked(path, name) && !NOT_IN_THE_REGISTRY.test(name)),
    );
    expect(missing, `${MEND} where there is no node_modules`).toEqual([]);
  });
});
