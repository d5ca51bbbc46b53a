import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import {
  canonicalManifestBytes,
  MANIFEST_DEFAULTS,
  manifestDifference,
  manifestFromBytes,
  type NetworkManifest,
  networkId,
  parseManifest,
} from "./network-manifest.ts";
import { EXAMPLE_MANIFEST } from "./vectors/example-network.ts";

type Draft = Record<string, unknown> & { [K in keyof NetworkManifest]: Record<string, unknown> };

describe("canonical bytes", () => {
  test("do not depend on the order or spacing of the file, and hash to the network id", () => {
    const backwards = Object.fromEntries(Object.entries(EXAMPLE_MANIFEST).reverse());
    const manifest = parseManifest(JSON.stringify(backwards, null, 4));
    const bytes = canonicalManifestBytes(EXAMPLE_MANIFEST);
    expect(canonicalManifestBytes(manifest)).toEqual(bytes);
    expect(networkId(manifest)).toBe(createHash("sha256").update(bytes).digest("hex"));
    expect(manifestFromBytes(bytes)).toEqual(EXAMPLE_MANIFEST);
  });

  test("are sorted at every depth (RFC 8785)", () => {
    const text = new TextDecoder().decode(canonicalManifestBytes(EXAMPLE_MANIFEST));
    const sorted = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(sorted);
      if (typeof value !== "object" || value === null) return value;
      return Object.fromEntries(
        Object.entries(value)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([k, v]) => [k, sorted(v)]),
      );
    };
    expect(text).toBe(JSON.stringify(sorted(EXAMPLE_MANIFEST)));
  });

  test("any other spelling of the same manifest is refused on the wire", () => {
    const utf8 = (text: string) => new TextEncoder().encode(text);
    const canonical = new TextDecoder().decode(canonicalManifestBytes(EXAMPLE_MANIFEST));
    for (const text of [
      `${canonical} `,
      `\ufeff${canonical}`,
      canonical.replace("0.002", "2e-3"),
      JSON.stringify(EXAMPLE_MANIFEST),
    ]) {
      expect(() => manifestFromBytes(utf8(text))).toThrow(expect.objectContaining({ name: "ProtocolError" }));
    }
    expect(() => manifestFromBytes(utf8(canonical.replace("0.002", "2e-3")))).toThrow(
      expect.objectContaining({ code: "NOT_CANONICAL" }),
    );
    expect(() => manifestFromBytes(Uint8Array.of(0xc0))).toThrow(expect.objectContaining({ code: "MANIFEST_INVALID" }));
  });
});

describe("the first differing field", () => {
  test.each<[string, (draft: Draft) => void, string, string, string]>([
    [
      "a number",
      ({ training }) => Object.assign(training, { learningRate: 0.5 }),
      "training.learningRate",
      "0.002",
      "0.5",
    ],
    ["a kind", ({ reference }) => Object.assign(reference, { kind: "none" }), "reference.kind", '"window"', '"none"'],
    [
      "one more tensor",
      ({ tensors }) => (tensors as unknown as unknown[]).push({ name: "x", shape: [1] }),
      "tensors[3]",
      "absent",
      '{"name":"x","shape":[1]}',
    ],
    [
      "inside a tensor",
      ({ tensors }) => Object.assign((tensors[1] as { shape: number[] }).shape, { 1: 9 }),
      "tensors[1].shape[1]",
      "2",
      "9",
    ],
    ["all against some", ({ adapter }) => Object.assign(adapter, { layers: "all" }), "adapter.layers", "[0]", '"all"'],
    ["the first of two", (m) => Object.assign(m, { seed: 8, name: "other" }), "name", '"example"', '"other"'],
  ])("%s", (_, change, path, a, b) => {
    const draft = structuredClone(EXAMPLE_MANIFEST) as unknown as Draft;
    change(draft);
    expect(manifestDifference(EXAMPLE_MANIFEST, draft as unknown as NetworkManifest)).toEqual({ path, a, b });
    expect(manifestDifference(draft as unknown as NetworkManifest, EXAMPLE_MANIFEST)).toEqual({ path, a: b, b: a });
  });

  test("of equal manifests there is none", () => {
    expect(manifestDifference(EXAMPLE_MANIFEST, structuredClone(EXAMPLE_MANIFEST))).toBeUndefined();
  });
});

test("the defaults make a valid manifest", () => {
  expect(parseManifest({ ...EXAMPLE_MANIFEST, ...MANIFEST_DEFAULTS })).toMatchObject(MANIFEST_DEFAULTS);
  expect(MANIFEST_DEFAULTS).toMatchObject({
    aggregation: { rule: "vetted-mean", scope: "tensor", lambda: { mode: "adaptive" }, stalenessExponent: 0.5 },
    reference: { kind: "none" },
  });
});
