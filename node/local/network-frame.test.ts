/** One frame for all peers of a network: it is taken from the model, applied by every peer, and refused where it is another. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type NetworkManifest, networkId } from "../../protocol/network-manifest.ts";
import { createNetwork, createSuccessor } from "../manifest/create-network.ts";
import { loadPeerExamples } from "../peer/peer-data.ts";
import { readModelFiles } from "../system/files/model-files.ts";
import { frameOfNetwork, templateDigest } from "./network-frame.ts";

const NODE = join(import.meta.dirname, "..");
const PLAIN = join(NODE, "model/cases/base-llama");
const TURNS = "{% for m in messages %}{{ m.role + ':' + m.content + eos_token }}{% endfor %}";
const OTHER = TURNS.replace("':'", "'>'");

let folder: string;
/** Copies of one model, with one template and with another. */
const model = (name: string): string => join(folder, name);
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "weft-frame-"));
  for (const [name, template] of [
    ["one", TURNS],
    ["other", OTHER],
  ] as const) {
    cpSync(PLAIN, model(name), { recursive: true });
    writeFileSync(join(model(name), "chat_template.jinja"), template);
  }
  writeFileSync(join(folder, "turns.jinja"), TURNS);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ADAPTER = { kind: "lora", rank: 2, alpha: 4, targets: ["q_proj"], layers: "all" } as const;
const network = (modelDirectory: string, more: object = {}): NetworkManifest =>
  createNetwork({ name: "n", modelDirectory, adapter: ADAPTER, seed: 1, training: { batchSize: 2 }, ...more });
const file = join(NODE, "data/cases/B1-messages.jsonl");
const frameOf = async (manifest: NetworkManifest, modelDirectory: string, chatTemplate?: string) =>
  (await loadPeerExamples({ file, ...(chatTemplate && { chatTemplate }) }, { manifest, modelDirectory })).trainedData;

describe("the frame of a network", () => {
  it("is the template of its model, by digest, a chosen one, or turns; a model without one leaves it out", () => {
    const digest = templateDigest({ text: TURNS });
    expect(network(model("one")).frame).toEqual({ kind: "template", digest });
    expect(network(PLAIN, { chatTemplate: join(folder, "turns.jinja") }).frame).toEqual({ kind: "template", digest });
    expect(network(model("one"), { chatTemplate: "none" }).frame).toEqual({ kind: "turns" });
    expect(Object.hasOwn(network(PLAIN), "frame")).toBe(false);
    expect(() => frameOfNetwork(readModelFiles(PLAIN), "missing.jinja")).toThrow("neither a file nor a template");
    expect(templateDigest({ text: TURNS, toolUse: OTHER })).not.toBe(digest);
  });

  it("writes the conversations of every peer, and an adapter keeps it", async () => {
    const manifest = network(model("one"));
    const own = await frameOf(manifest, model("one"));
    expect(own).toMatchObject({ frame: "template", chatTemplate: { text: TURNS } });
    // The digests of the model are the same: only tokenizer_config.json and the template's file differ.
    expect(network(model("other")).model).toEqual(manifest.model);
    expect(await frameOf(manifest, model("other"), join(folder, "turns.jinja"))).toEqual(own);
    expect(await frameOf(network(model("one"), { chatTemplate: "none" }), model("other"))).toMatchObject({
      frame: "turns",
    });
  });

  it.each<[string, string, object, string | undefined, string]>([
    ["another template", "other", {}, undefined, "the peers of this network train with the chat template with digest"],
    ["none", "one", {}, "none", '"none" gives no chat template'],
    ["one where there is to be none", "one", { chatTemplate: "none" }, "turns.jinja", "train with no chat template"],
  ])("refuses a peer with %s", async (_, name, more, chosen, text) => {
    const manifest = network(model("one"), more);
    const choice = chosen === "turns.jinja" ? join(folder, chosen) : chosen;
    await expect(frameOf(manifest, model(name), choice)).rejects.toMatchObject({
      code: "MODEL_MISMATCH",
      message: expect.stringContaining(text),
      facts: { problem: "another-template" },
    });
  });

  it("leaves networks that are there as they were: each peer has its own template", async () => {
    const { frame: _, ...before } = network(model("one"));
    expect(networkId(before)).not.toBe(networkId(network(model("one"))));
    expect(await frameOf(before, model("other"))).toMatchObject({ chatTemplate: { text: OTHER } });
  });

  it("stays through a change of manifest, unless the model is another or one is chosen", () => {
    const founders = [{ peer: "12D3KooWJWoaqZhDaoEFshF7Rh1bpY9ohihFhzcW6d69Lr2NASuq", role: "admin" as const }];
    const policy = {
      approval: "person",
      earlierUpdates: "keep",
      equivocation: "bar",
      certificateSeconds: 3600,
    } as const;
    const membership = { kind: "roster" as const, founders, threshold: 1, policy };
    const { frame: _, ...before } = network(model("one"), { membership });
    const options = { modelDirectory: model("one"), adapter: ADAPTER, seed: 1, training: { batchSize: 2 } };
    expect(createSuccessor(before, options, 3).frame).toBeUndefined();
    expect(createSuccessor(before, { ...options, chatTemplate: "none" }, 3).frame).toEqual({ kind: "turns" });
    expect(createSuccessor({ ...before, frame: { kind: "turns" } }, options, 3).frame).toEqual({ kind: "turns" });
  });
});
