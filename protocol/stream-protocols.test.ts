/** The list is complete: what is spoken stands in it, and what stands in it is whole. */
import { globSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { FEATURES, featureWords } from "./features.ts";
import { LIMITS } from "./limits.ts";
import { streamProtocols } from "./stream-protocols.ts";

const names = streamProtocols().map(({ name }) => name);
/** Text that names a stream: topics have a network's digits between. */
const NAME = /\/weft\/[a-z-]+\/\d+/g;
const readText = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");

test("each protocol has a name, a feature in words, limits and a purpose", () => {
  expect(new Set(names).size).toBe(names.length);
  for (const { name, feature, bytesMax, purpose } of streamProtocols()) {
    expect(name).toMatch(/^\/weft\/[a-z]+\/[1-9]\d*$/);
    expect(FEATURES, name).toContain(feature.name);
    expect(featureWords([feature.name]), name).toBe(`${feature.name} (${feature.words})`);
    for (const side of ["opened", "answered"] as const) {
      // Nothing is answered to addresses; every other message is bounded by what a handshake may have.
      expect(bytesMax[side], name).toBeGreaterThan(name === "/weft/addresses/1" && side === "answered" ? -1 : 0);
      expect(bytesMax[side], name).toBeLessThanOrEqual(LIMITS.handshakeBytesMax);
    }
    expect(purpose, name).toMatch(/^[A-Z].*\.$/);
  }
});

test("every protocol that the source names is in the list", () => {
  const files = globSync("{protocol,node,cli,testnet}/**/*.ts", { cwd: new URL("..", import.meta.url) });
  expect(files.length).toBeGreaterThan(500);
  for (const file of files) {
    for (const [name] of readText(file).matchAll(NAME)) expect(names, file).toContain(name);
  }
});

test("the specification names every protocol of the list, and no other", () => {
  const found = [...readText("protocol/README.md").matchAll(NAME)].map(([name]) => name);
  expect([...new Set(found)].sort()).toEqual([...names].sort());
});
