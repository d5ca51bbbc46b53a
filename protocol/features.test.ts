import fc from "fast-check";
import { expect, it } from "vitest";
import {
  BASELINE_FEATURES,
  FEATURES,
  featureNames,
  featureWords,
  missingFeatures,
  requiredFeatures,
} from "./features.ts";
import { answerHello, decodeHello, decodeReply, encodeHello, explainReply } from "./handshake.ts";
import type { NetworkManifest } from "./network-manifest.ts";
import { BOB, EXAMPLE_MANIFEST } from "./vectors/example-network.ts";

const { aggregation } = EXAMPLE_MANIFEST;
const manifests = fc
  .record({
    values: fc.constantFrom("float32" as const, "float16" as const, "int8" as const),
    topK: fc.boolean(),
    isMetropolis: fc.boolean(),
  })
  .map(
    ({ values, topK, isMetropolis }): NetworkManifest => ({
      ...EXAMPLE_MANIFEST,
      encoding: { values, ...(topK && { topK: { share: 0.1, keyframeEvery: 2 } }) },
      aggregation: { ...aggregation, ...(isMetropolis && { weights: { kind: "metropolis" } }) },
    }),
  );
const unknown = fc.stringMatching(/^x[a-z0-9]{0,6}(-[a-z0-9]{1,6}){0,2}$/);
const told = fc
  .tuple(fc.subarray([...FEATURES]), fc.array(unknown, { maxLength: 4 }))
  .map(([known, others]) => [...known, ...others])
  .filter((names) => names.length > 0);

it("are told as they are, and make a neighbour of whoever has what the manifest needs", () => {
  fc.assert(
    fc.property(manifests, told, told, (manifest, theirs, own) => {
      const hello = encodeHello(manifest, undefined, theirs);
      expect(decodeHello(hello)).toMatchObject({ features: featureNames(theirs) });
      const { code, missing, features, reply } = answerHello(hello, BOB.peer, {
        ...{ manifest, features: own, isMember: () => true, busy: false },
      });
      const lacks = requiredFeatures(manifest).filter((name) => !theirs.includes(name));
      expect([code, missing]).toEqual(lacks.length > 0 ? ["FEATURES", lacks] : ["WELCOME", []]);
      expect(features).toEqual(lacks.length > 0 ? [] : featureNames(theirs));
      const read = decodeReply(reply);
      expect(read).toMatchObject({ code, missing, features: featureNames(own) });
      // The side that dialled says it of the other one, too.
      const reason = explainReply(read, manifest);
      const isRight = lacks.length === 0 && missingFeatures(manifest, own).length === 0;
      expect(reason === undefined).toBe(isRight);
      for (const name of lacks.slice(0, 4)) expect(reason).toContain(name);
    }),
    { numRuns: 60 },
  );
});

it("that are not told are those of the first version, whatever is added later", () => {
  expect(decodeHello(encodeHello(EXAMPLE_MANIFEST))).toMatchObject({ features: BASELINE_FEATURES });
  for (const name of BASELINE_FEATURES) expect(FEATURES).toContain(name);
  expect(FEATURES).toEqual(featureNames(FEATURES));
});

it("are said in one line, of many the first", () => {
  expect(featureWords(["core", "zebra"])).toBe("core (handshake, announcements, heads and bytes), zebra");
  expect(featureWords(Array.from({ length: 9 }, (_, i) => `f${i}`))).toBe("f0, f1, f2, f3, and 5 more");
});
