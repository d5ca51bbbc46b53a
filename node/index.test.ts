import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const INDEX = join(import.meta.dirname, "index.ts");

/** What is slow to load, and has to wait behind a door. */
const HEAVY = [
  "@huggingface/tokenizers",
  "apache-arrow",
  "classic-level",
  "csv-parse",
  "fastify",
  "hyparquet",
  "libp2p",
  "onnxruntime-node",
  "pino",
];

const REPORT = `
import { registerHooks } from "node:module";
const urls = [];
registerHooks({ load: (url, context, next) => { urls.push(url); return next(url, context); } });
await import(${JSON.stringify(INDEX)});
process.stdout.write(JSON.stringify(urls));
`;

it("is imported without what computes, reads tables and models, stores or dials", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", REPORT], {
    maxBuffer: 1e7,
  });
  const urls = JSON.parse(stdout) as string[];
  const packages = urls.flatMap((url) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? []);
  expect(urls).toContain(`file://${INDEX}`);
  expect(packages.filter((name) => HEAVY.includes(name))).toEqual([]);
  const own = urls.filter((url) => url.endsWith(".ts") && !url.includes("node_modules"));
  // The whole of node/ and protocol/ has more than 400.
  expect(own.length).toBeLessThan(80);
});
