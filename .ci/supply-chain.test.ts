/** What weft is made of: exact where it touches keys or bytes of strangers, and listed in a bill of materials. */
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { billOfMaterials } from "./sbom.ts";

interface LockEntry {
  readonly name?: string;
  readonly version?: string;
  readonly dev?: boolean;
  readonly link?: boolean;
  readonly integrity?: string;
  readonly license?: string;
}

const repository = dirname(import.meta.dirname);
const read = (name: string) => JSON.parse(readFileSync(join(repository, name), "utf8"));
const dependencies: Readonly<Record<string, string>> = read("package.json").dependencies;
const locked: Readonly<Record<string, LockEntry>> = read("package-lock.json").packages;

/** Code that sees private keys, or bytes of strangers before anything was checked. */
const EXPOSED = [
  "protocol/**/*.ts",
  "node/{exchange,membership}/**/*.ts",
  "node/system/{network,http}/**/*.ts",
  "node/system/files/key-*.ts",
  "node/system/platform/{ed25519,sha256,secure-random}.ts",
];

/** The packages that a text imports, dynamic imports and types among them. */
function importedPackages(text: string): readonly string[] {
  const names = [...text.matchAll(/(?:from|import)\s*\(?\s*"([^".][^"]*)"/g)].map(([, name]) => name!);
  return names.filter((name) => !name.startsWith("node:")).map((name) => /^(?:@[^/]+\/)?[^/]+/.exec(name)![0]);
}

describe("what touches keys or bytes of strangers", () => {
  const files = EXPOSED.flatMap((pattern) => globSync(pattern, { cwd: repository }));
  const imported = files
    .filter((path) => !/\.(test|suite)\.ts$/.test(path))
    .flatMap((path) => importedPackages(readFileSync(join(repository, path), "utf8")));
  const names = [...new Set(imported)].filter((name) => name in dependencies).sort();

  it("is found by its imports", () => {
    expect(importedPackages(`import a from "b/c";\nimport type { d } from "@e/f/g.js";\nawait import("h");`)).toEqual([
      "b",
      "@e/f",
      "h",
    ]);
    expect(names).toEqual(
      expect.arrayContaining(["@bufbuild/protobuf", "@chainsafe/libp2p-noise", "@noble/curves", "libp2p"]),
    );
  });

  it.each(names)("has one exact version: %s", (name) => {
    const version = dependencies[name]!.replace(/^npm:@?[^@]+@/, "");
    expect(version, "name the one version that was tested, without ^ or ~").toMatch(/^\d+\.\d+\.\d+$/);
    expect(locked[`node_modules/${name}`]?.version).toBe(version);
  });
});

describe("the bill of materials", () => {
  const bill = billOfMaterials();
  const entries = Object.entries(locked).filter(
    ([path, { dev, link }]) => path.startsWith("node_modules/") && !dev && !link,
  );
  const known = new Map(bill.components.map((component) => [component["bom-ref"], component]));

  it("is of this package, in CycloneDX, and the same in every run", () => {
    expect(bill).toMatchObject({
      bomFormat: "CycloneDX",
      metadata: { component: { name: "weft-peer", purl: "pkg:npm/weft-peer@0.1.0" } },
    });
    expect(JSON.stringify(billOfMaterials())).toBe(JSON.stringify(bill));
    expect(JSON.stringify(bill)).not.toContain(repository);
  });

  it("has every package that is installed with weft, with its version, licence and hash", () => {
    expect(entries.length).toBeGreaterThan(100);
    const missing = entries.filter(([path, { name, version, integrity, license }]) => {
      // Binaries for other platforms that stand by their version; lock-file.test.ts says which may.
      if (integrity === undefined && path.startsWith("node_modules/@chainsafe/libp2p-quic-")) return false;
      const component = known.get(`${name ?? path.replace(/^.*node_modules\//, "")}@${version}`);
      const [algorithm, digest] = integrity?.split("-") ?? [];
      const hash = Buffer.from(digest ?? "", "base64").toString("hex");
      const isHashed = component?.hashes?.some(({ content }) => content === hash) ?? false;
      return !isHashed || algorithm !== "sha512" || (license !== undefined && component?.licenses === undefined);
    });
    expect(missing.map(([path]) => path)).toEqual([]);
  });
});
