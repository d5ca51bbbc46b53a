/** A part of `npm run fuzz`, small enough for every day; that it reaches every decoder; and arbitrary bytes. */
import { readdirSync } from "node:fs";
import { Session } from "node:inspector";
import { join } from "node:path";
import { bytesToHex } from "@noble/hashes/utils.js";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { opensslVerify } from "../membership/openssl.suite.ts";
import { fuzzTargets } from "./fuzz.ts";
import { FuzzFailure, type FuzzTarget, fuzz, fuzzTarget, tryAgain } from "./mutation.ts";

/** Messages of which a changed one, or the original, was read, by their names in the schemas. */
const readMessages = vi.hoisted(() => new Set<string>());
vi.mock("../canonical-message.ts", async (original) => {
  const module = await original<typeof import("../canonical-message.ts")>();
  const decodeCanonical: typeof module.decodeCanonical = (schema, bytes, bytesMax) => {
    const message = module.decodeCanonical(schema, bytes, bytesMax);
    // A message inside another one is read with it.
    for (const { typeName } of [schema, ...schema.fields.flatMap(({ message }) => message ?? [])])
      readMessages.add(typeName);
    return message;
  };
  return { ...module, decodeCanonical };
});

const targets = fuzzTargets();
const named = (name: string): FuzzTarget => targets.find((target) => target.name === name) ?? expect.unreachable();
/** Draws within which each decoder is reached; one does for most. */
const SEEDS_MAX = 20;
const CASES = { membership: 1000, conversations: 1000, insiders: 500, wire: 700 } as Record<string, number>;

describe("fuzzing", () => {
  test("accepts nothing that is changed, and makes no decoder fail", () => {
    const run = (target: FuzzTarget) =>
      fuzz(target, { cases: CASES[target.name]!, seed: 2, verify: opensslVerify }).outcomes;
    const outcomes = Object.fromEntries(targets.map((target) => [target.name, run(target)]));
    // The changes reach the decoders, and what is behind them and behind the signatures.
    const reached = {
      membership: ["MALFORMED", "GENESIS_INVALID", "SIGNATURE_INVALID", "INVITE_INVALID"],
      conversations: ["MALFORMED", "SIGNATURE_INVALID", "FIELD_INVALID"],
      insiders: ["accepted", "added, 1 in the state", "WELCOME"],
      wire: ["accepted", "SIGNATURE_INVALID", "PAYLOAD_LENGTH"],
    };
    for (const [name, codes] of Object.entries(reached)) {
      for (const code of codes) expect(outcomes[name]?.[code] ?? 0, `${name} ${code}`).toBeGreaterThan(0);
    }
  }, 120_000);

  test("reaches every decoder and every message of the protocol", async () => {
    readMessages.clear();
    const { decoders, messages } = await exportsOfTheProtocol();
    const called = new Set<string>();
    // Some are behind a rare change: another seed draws others.
    for (let seed = 1; seed <= SEEDS_MAX && !decoders.every((name) => called.has(name)); seed++) {
      const names = functionsCalled(() => {
        for (const target of targets) {
          for (const original of target.originals) target.judge(original, original.bytes, opensslVerify);
          fuzz(target, { cases: 2 * target.originals.length, seed, verify: opensslVerify });
        }
      });
      for (const name of names) called.add(name);
    }
    expect(decoders.length).toBeGreaterThan(40);
    expect(decoders.filter((name) => !called.has(name))).toEqual([]);
    expect(messages.length).toBeGreaterThan(25);
    expect(messages.filter((name) => !readMessages.has(name))).toEqual([]);
  }, 120_000);

  test.each(targets)("$name: each original has a name of its own", ({ originals }) => {
    expect(new Set(originals.map(({ message, name }) => `${message} ${name}`)).size).toBe(originals.length);
  });

  test.each(["membership", "conversations", "wire"])("%s: notices an acceptance, which can be tried again", (name) => {
    const target = named(name);
    const failure = failureOf(() => fuzz(target, { cases: 4000, seed: 1, verify: () => true }));
    expect(failure.message).toContain("was accepted after a change");
    const written = JSON.parse(JSON.stringify(failure.found));
    expect(failureOf(() => tryAgain(targets, written, () => true)).found).toEqual(failure.found);
    expect(tryAgain(targets, written, opensslVerify)).toMatch(/^[A-Z_]+$/);
    expect(() => tryAgain(targets, { ...written, name: "nothing" }, opensslVerify)).toThrow(/no .* is among/);
  });

  test("notices a failure that is none of the protocol's, with its bytes", () => {
    const judge = (_: unknown, bytes: Uint8Array) => {
      if (bytes.length > 2) throw new RangeError("boom");
      return { outcome: "short", isForged: false };
    };
    const target = fuzzTarget("failing", [{ message: "any", name: "two", bytes: Uint8Array.of(1, 2) }], judge);
    const failure = failureOf(() => fuzz(target, { cases: 100, seed: 1, verify: () => true }));
    expect(failure).toMatchObject({ cause: new RangeError("boom"), found: { target: "failing", message: "any" } });
    expect(failure.found.bytes.length).toBeGreaterThan(4);
  });
});

test.each(targets)("$name: arbitrary bytes and text have an outcome", (target) => {
  const valid = new Set(target.originals.map(({ bytes }) => bytesToHex(bytes)));
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 400 }),
    fc.string().map((text) => new TextEncoder().encode(`weft1${text}`)),
    fc.json().map((text) => new TextEncoder().encode(text)),
  );
  // One of each message.
  const originals = [...new Map(target.originals.map((one) => [one.message, one])).values()];
  for (const original of originals) {
    fc.assert(
      fc.property(bytes, (one) => {
        const { outcome, isForged } = target.judge(original, one, opensslVerify);
        expect(outcome).not.toBe("");
        expect(isForged && !valid.has(bytesToHex(one))).toBe(false);
      }),
      { numRuns: 40 },
    );
  }
});

function failureOf(run: () => unknown): FuzzFailure {
  try {
    run();
  } catch (error) {
    if (error instanceof FuzzFailure) return error;
    throw error;
  }
  throw new Error("nothing was found");
}

/** Names of the functions of the protocol's own files that run meanwhile. */
function functionsCalled(run: () => void): ReadonlySet<string> {
  const session = new Session();
  session.connect();
  session.post("Profiler.enable");
  session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: false });
  run();
  const names = new Set<string>();
  session.post("Profiler.takePreciseCoverage", (_, { result }) => {
    const files = result.filter(({ url }) => url.includes("/protocol/") && !url.includes("/vectors/"));
    for (const { functions } of files)
      for (const { functionName, ranges } of functions) if (ranges[0]!.count > 0) names.add(functionName);
  });
  session.post("Profiler.stopPreciseCoverage");
  session.disconnect();
  return names;
}

/** By their names: functions that take bytes or text of somebody else. */
const DECODER = /^(decode|parse|read|open|answer|check|judge|verify)[A-Z]|FromBytes$/;
/** Of those names and no decoders: rules and standings by what has been decoded already, and a person's own settings. */
const NO_DECODERS = ["judgeRules", "judgeMembership", "parseField"];

/** Every exported decoder of this room, and every message of its schemas. */
async function exportsOfTheProtocol(): Promise<{ decoders: readonly string[]; messages: readonly string[] }> {
  const room = join(import.meta.dirname, "..");
  const files = readdirSync(room, { recursive: true, encoding: "utf8" }).filter(
    (file) => file.endsWith(".ts") && !/\.(test|suite)\.ts$/.test(file) && !file.startsWith("vectors"),
  );
  const found = await Promise.all(files.map(async (file) => Object.entries(await import(join(room, file)))));
  const values = new Map(found.flat());
  const decoders = [...values].filter(([name, value]) => typeof value === "function" && DECODER.test(name));
  const messages = [...values.values()].flatMap((value) => {
    const { kind, typeName } = (value ?? {}) as { kind?: string; typeName?: string };
    return kind === "message" && typeName !== undefined ? [typeName] : [];
  });
  return { decoders: decoders.map(([name]) => name).filter((name) => !NO_DECODERS.includes(name)), messages };
}
