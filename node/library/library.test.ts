/** The library without training: what it loads, what it refuses, and adapters on disk. cli/examples.long.test.ts trains. */
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { adapterMethod } from "../adapter/methods.ts";
import { openOwnKind } from "../adapter/own-kind.ts";
import { adapterOfVector } from "../interchange/saved-adapter.ts";
import { UsableAdapter } from "./adapter.ts";
import { createNetwork, createPeer, loadAdapter, loadModel, NodeError, train } from "./index.ts";
import { type LoadedModel, readModel } from "./model.ts";

const folder = mkdtempSync(join(tmpdir(), "weft-library-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const scale = pathToFileURL(join(import.meta.dirname, "..", "..", "examples", "scale-kind.mjs"));

/** The adapter of a kind before its first step. */
function untrained(model: LoadedModel, settings: AdapterSettings): UsableAdapter {
  const values = adapterMethod(settings).start(settings, model.opened.model.shape, 0);
  const options = { settings, seed: 0, digest: model.opened.digest(), values };
  return new UsableAdapter(model, adapterOfVector(model.opened.model, options));
}

const codeOf = async (work: Promise<unknown>): Promise<unknown> => {
  try {
    await work;
  } catch (error) {
    if (error instanceof NodeError) return error.code;
    throw error;
  }
  return "nothing was thrown";
};

describe("refusals have codes", () => {
  const nowhere = join(folder, "nowhere");
  it.each<[string, () => Promise<unknown>, string]>([
    ["a model that is not there", () => loadModel(nowhere), "MODEL_MISSING"],
    ["an adapter that is not there", () => loadAdapter(nowhere), "ADAPTER_FILE"],
    ["data that are not there", () => train({ data: nowhere }), "DATA_FORMAT"],
    ["a kind that is not there", () => train({ adapter: { module: pathToFileURL(nowhere) } }), "ADAPTER_SETTINGS"],
    ["a model of one's own making", () => train({ model: { directory: "x" } as never }), "CONFIG_INVALID"],
    [
      "a network that is not there",
      () => createPeer({ dataDirectory: nowhere, network: nowhere }).start(),
      "MANIFEST_INVALID",
    ],
  ])("%s", async (_, work, code) => {
    expect(await codeOf(work())).toBe(code);
  });
});

describe("a model", () => {
  it("says what it is", async () => {
    const { family, shape, notes } = await loadModel();
    expect({ family, notes, layers: shape.layers }).toEqual({ family: "llama", notes: [], layers: 4 });
  });

  it("makes a network's manifest, with an adapter that suits it", async () => {
    const network = await createNetwork({ name: "hearts", rounds: { count: 7 } });
    expect(network).toMatchObject({ name: "hearts", rounds: { count: 7 }, adapter: { kind: expect.any(String) } });
    expect(network.training.schedule).toBeDefined();
  });
});

describe("an adapter", () => {
  let model: LoadedModel;
  beforeAll(() => {
    model = readModel(undefined);
  });

  it("is written and read again, as weft's and as PEFT's", async () => {
    const lora = { kind: "lora", rank: 2, alpha: 4, layers: "all", targets: ["q_proj"] } as const;
    const adapter = untrained(model, lora);
    await adapter.save(join(folder, "weft"));
    await adapter.save(join(folder, "peft"), { format: "peft", baseModel: "a-model" });
    expect(readdirSync(join(folder, "peft"))).toContain("adapter_model.safetensors");
    for (const form of ["weft", "peft"]) {
      const again = await loadAdapter(join(folder, form), { model });
      expect([...again.tensors()]).toEqual([...adapter.tensors()]);
    }
    expect(await codeOf(adapter.save(join(folder, "weft")))).toBe("ADAPTER_FILE");
  });

  it("may be of a kind that a program brings; its files do not say where that lies", async () => {
    const settings = await openOwnKind({ module: scale, options: { targets: "q_proj" } });
    const adapter = untrained(model, settings);
    expect(adapter.parameters).toBe(adapter.model.shape.layers * model.shape.hidden);
    await adapter.save(join(folder, "own"));
    expect(readFileSync(join(folder, "own", "adapter.json"), "utf8")).not.toContain("file:");
    const again = await loadAdapter(join(folder, "own"), { model, kind: scale });
    expect([...again.tensors()]).toEqual([...adapter.tensors()]);
    expect(await codeOf(adapter.save(join(folder, "own-peft"), { format: "peft" }))).toBe("ADAPTER_FORMAT");
    await expect(loadAdapter(join(folder, "own"), { model })).rejects.toThrow(
      /of the kind "scale", which is no part of weft/,
    );
  });

  it("is not of a module that exports no kind", async () => {
    const file = join(folder, "no-kind.mjs");
    writeFileSync(file, "export default { name: 'half' };");
    await expect(openOwnKind({ module: pathToFileURL(file) })).rejects.toThrow(
      "does not export { name, parts, hooks }",
    );
  });
});

it("is imported without what computes, reads models or dials", async () => {
  const program = `
import { registerHooks } from "node:module";
const urls = [];
registerHooks({ load: (url, context, next) => { urls.push(url); return next(url, context); } });
const library = await import(${JSON.stringify(join(import.meta.dirname, "index.ts"))});
process.stdout.write(JSON.stringify({ urls, names: Object.keys(library) }));
`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", program]);
  const { urls, names } = JSON.parse(stdout) as { readonly urls: readonly string[]; readonly names: readonly string[] };
  expect(
    urls.filter((url) => /node_modules\/(libp2p|onnxruntime-node|fastify|pino|classic-level)\//.test(url)),
  ).toEqual([]);
  expect([...names].sort()).toEqual([
    ...["NODE_ERROR_CODES", "NodeError", "ProtocolError"],
    ...["createNetwork", "createPeer", "loadAdapter", "loadModel", "train"],
  ]);
});
