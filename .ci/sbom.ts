/**
 * `npm run sbom [-- FILE]`: the bill of materials of what weft needs at run time, in CycloneDX, from the lock file; into
 * dist/sbom.cdx.json where no file is named, which is how it comes into the package. The same tree gives the same bytes: npm's
 * own serial number, time and version are left out, and the name of the folder that it stands in. What only development needs
 * is left out here: npm itself would leave out packages that both need, such as commander.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** A package of the bill; fields that nobody reads here are kept as they are. */
export interface Component {
  readonly "bom-ref": string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
  readonly licenses?: readonly object[];
  readonly properties?: readonly { readonly name: string; readonly value: string }[];
}

/** The bill, as far as it is read here. */
export interface BillOfMaterials {
  readonly bomFormat: "CycloneDX";
  readonly specVersion: string;
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn?: readonly string[] }[];
}

const repository = dirname(import.meta.dirname);

/** The bill of the repository's lock file, without what differs from one run to the next. */
export function billOfMaterials(): BillOfMaterials {
  const words = ["sbom", "--sbom-format", "cyclonedx", "--package-lock-only"];
  const text = execFileSync("npm", words, { cwd: repository, encoding: "utf8", maxBuffer: 64 * 2 ** 20 });
  const { serialNumber: _, metadata, ...bill }: Written = JSON.parse(text);
  const { timestamp: __, tools: ___, component, ...rest } = metadata;
  const { name } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8"));
  const components = bill.components.filter(({ properties = [] }) => !properties.some(isDevelopment));
  const kept = new Set([component["bom-ref"], ...components.map((one) => one["bom-ref"])]);
  const dependencies = bill.dependencies
    .filter(({ ref }) => kept.has(ref))
    .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter((one) => kept.has(one)) }));
  return { ...bill, metadata: { ...rest, component: { ...component, name } }, components, dependencies };
}

/** As npm writes it. */
type Written = BillOfMaterials & {
  readonly serialNumber: string;
  readonly metadata: { readonly timestamp: string; readonly tools: object };
};

const isDevelopment = ({ name, value }: { readonly name: string; readonly value: string }): boolean =>
  name === "cdx:npm:package:development" && value === "true";

if (import.meta.main) {
  const file = process.argv[2] ?? join(repository, "dist", "sbom.cdx.json");
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(billOfMaterials(), null, 1)}\n`);
}
