import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readAnnouncement, signAnnouncement } from "./announcement.ts";
import { encodeCanonical } from "./canonical-message.ts";
import { sealEnvelope } from "./envelope.ts";
import { ProtocolError } from "./errors.ts";
import type { JudgeContext } from "./judge-context.ts";
import { readUpdate, signUpdate } from "./update.ts";
import { ALICE, EXAMPLE_CONTEXT, EXAMPLE_UPDATE, EXAMPLE_VALUES } from "./vectors/example-network.ts";
import { announcementVectors, updateVectors } from "./vectors/judged-vectors.ts";
import { payloadVectors } from "./vectors/payload-vectors.ts";
import { judgeAnnouncement, judgeUpdate, VERDICTS, type VerdictCode, verdictOf } from "./verdict.ts";
import { AnnouncementBodySchema, EnvelopeSchema, UpdateBodySchema } from "./wire_pb.ts";

const { bytes: update } = signUpdate(EXAMPLE_UPDATE, ALICE);
const announcement = signAnnouncement(readUpdate(update), ALICE);

test("an accepted message comes with its fields", () => {
  expect(judgeAnnouncement(announcement, EXAMPLE_CONTEXT)).toEqual({
    ...verdictOf("ACCEPTED"),
    message: readAnnouncement(announcement),
  });
  expect(judgeUpdate(update, EXAMPLE_CONTEXT)).toEqual({
    ...verdictOf("ACCEPTED"),
    message: { ...readUpdate(update), values: EXAMPLE_VALUES },
  });
});

test("a chain is accepted link by link, each judged with the one before it as head", () => {
  let head: ReturnType<JudgeContext["headOf"]>;
  for (let sequence = 0; sequence < 5; sequence++) {
    const fields = { ...EXAMPLE_UPDATE, sequence, previous: head?.contentId, round: sequence };
    const { bytes, contentId } = signUpdate(fields, ALICE);
    const context = { ...EXAMPLE_CONTEXT, headOf: () => head, round: sequence };
    expect(judgeUpdate(bytes, context).code, `link ${sequence}`).toBe("ACCEPTED");
    head = { sequence, contentId, round: sequence };
    expect(judgeUpdate(bytes, { ...context, headOf: () => head }).code, `link ${sequence} again`).toBe("DUPLICATE");
  }
});

describe("an exception while judging is this peer's own fault", () => {
  const broken = () => {
    throw new ProtocolError("MALFORMED", "thrown by the caller's own code");
  };
  test.each<[string, Partial<JudgeContext>]>([
    ["membership", { isMember: broken }],
    ["heads", { headOf: broken }],
  ])("%s", (_, context) => {
    for (const judgement of [
      judgeUpdate(update, { ...EXAMPLE_CONTEXT, ...context }),
      judgeAnnouncement(announcement, { ...EXAMPLE_CONTEXT, ...context }),
    ]) {
      expect(judgement).toMatchObject({ kind: "ignore", code: "INTERNAL", fault: "none" });
      expect(judgement).toHaveProperty("cause.code", "MALFORMED");
    }
  });
});

describe("whatever the bytes are, there is a verdict and no exception", () => {
  const judged = (bytes: Uint8Array): void => {
    for (const judgement of [
      judgeAnnouncement(bytes, EXAMPLE_CONTEXT),
      judgeUpdate(bytes, EXAMPLE_CONTEXT),
      judgeUpdate(bytes, { ...EXAMPLE_CONTEXT, announcement: readAnnouncement(announcement) }),
    ]) {
      expect(Object.keys(VERDICTS)).toContain(judgement.code);
      expect(judgement.code).not.toBe("INTERNAL");
      expect(judgement.kind).toBe(VERDICTS[judgement.code].kind);
    }
  };

  test("arbitrary bytes", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), judged), { numRuns: 300 });
  });

  test("valid messages with bytes changed, removed, inserted or repeated", () => {
    const splice = fc.record({
      from: fc.constantFrom(update, announcement),
      at: fc.nat({ max: 400 }),
      remove: fc.nat({ max: 3 }),
      insert: fc.uint8Array({ maxLength: 3 }),
      tail: fc.boolean(),
    });
    fc.assert(
      fc.property(splice, ({ from, at, remove, insert, tail }) => {
        const bytes = [...from];
        bytes.splice(at % bytes.length, remove, ...insert);
        judged(Uint8Array.from(tail ? [...bytes, ...from] : bytes));
      }),
      { numRuns: 200 },
    );
  });

  test("properly signed bodies of arbitrary fields", () => {
    const bytes = fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.constant(new Uint8Array(32)));
    const uint32 = fc.oneof(fc.nat({ max: 20 }), fc.nat({ max: 0xffff_ffff }));
    const updateBody = fc
      .record({
        networkId: bytes,
        round: uint32,
        sequence: uint32,
        previous: bytes,
        localSteps: uint32,
        sampleCount: uint32,
        encoding: uint32,
        payload: bytes,
      })
      .map((body) => sealEnvelope("update", encodeCanonical(UpdateBodySchema, body), ALICE));
    const announcementBody = fc
      .record({ networkId: bytes, round: uint32, sequence: uint32, contentId: bytes, bytesLength: uint32 })
      .map((body) => sealEnvelope("announcement", encodeCanonical(AnnouncementBodySchema, body), ALICE));
    const envelope = fc
      .record({ kind: uint32, author: bytes, body: bytes, signature: fc.uint8Array({ minLength: 64, maxLength: 64 }) })
      .map((fields) => encodeCanonical(EnvelopeSchema, fields));
    fc.assert(fc.property(fc.oneof(updateBody, announcementBody, envelope), judged), { numRuns: 100 });
  });

  test("no change of one byte of a valid update is accepted", () => {
    for (let at = 0; at < update.length; at += 3) {
      const changed = update.slice();
      changed[at]! ^= 0x10;
      expect(judgeUpdate(changed, EXAMPLE_CONTEXT).kind, `byte ${at}`).toBe("reject");
    }
  });
});

describe("the specification and the code say the same", () => {
  const readme = readFileSync(new URL("./README.md", import.meta.url), "utf8");
  const rows = [...readme.matchAll(/^\| (8\.\d+) \| (\w+) \| `(\w+)` \| (\w+) \| (.+) \|$/gm)];

  test("every verdict has its row: clause, verdict, code, fault", () => {
    const written = rows.map(([, clause, kind, code, fault]) => [code, { kind: kind?.toLowerCase(), clause, fault }]);
    expect(Object.fromEntries(written)).toEqual(VERDICTS);
    expect(rows.length).toBe(Object.keys(VERDICTS).length);
  });

  test("every clause is quoted above its check", () => {
    const source = readFileSync(new URL("./verdict.ts", import.meta.url), "utf8");
    for (const [, clause] of rows.slice(1)) expect(source, clause).toMatch(new RegExp(`// .*\\b${clause}\\b`));
  });

  test("every verdict that bytes can get has a golden vector", () => {
    const payloads = payloadVectors().flatMap(({ expected }) => ("code" in expected ? [expected.code] : []));
    const codes = [...announcementVectors(), ...updateVectors()].map(({ expected }) => expected).concat(payloads);
    const all = (Object.keys(VERDICTS) as VerdictCode[]).filter((code) => code !== "INTERNAL");
    expect([...new Set(codes)].sort()).toEqual(all.sort());
  });
});
