/** A count and its noun agree in every text that a person reads: `1 record`, `2 records`. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { counted } from "../node/index.ts";

const repository = join(import.meta.dirname, "..");
/** Rooms whose texts people read. */
const ROOMS = [
  "cli",
  "testnet/words",
  "testnet/swarm",
  ...["admin", "doctor", "local", "page/browser", "peer"].map((room) => `node/${room}`),
];
const NOUNS =
  "addresses|admins|answers|connections|days|entries|examples|files|founders|layers|lines|links|looks|members|messages|motions|neighbours|" +
  "parameters|peers|processes|processors|records|relays|rounds|rows|seconds|signatures|steps|tensors|times|tokens|updates|values|weights|words";
/** A number in a text, and what is counted. */
const COUNT = new RegExp(
  `\\$\\{([^{}]*(?:\\{[^{}]*\\}[^{}]*)*)\\} (?:(?:held-out|known|local|more|linear|old|neutral) )?(?:${NOUNS})\\b`,
  "g",
);
/** Constants and lengths of a model's context, which are never one. */
const NEVER_ONE = /^[A-Z_.]*[A-Z_]{3,}[A-Za-z_.]*$|maxTokens|contextTokens|KEYFRAME_EVERY|toPrecision/;

const sources = ROOMS.flatMap((room) =>
  readdirSync(join(repository, room), { recursive: true })
    .map((name) => join(room, String(name)))
    .filter((path) => /\.tsx?$/.test(path) && !/\.(test|suite)\.tsx?$/.test(path)),
);

describe("counts", () => {
  it("say one of one thing", () => {
    expect([0, 1, 2].map((count) => counted(count, "entry", "entries"))).toEqual(["0 entries", "1 entry", "2 entries"]);
    expect(counted(1, "record is", "records are")).toBe("1 record is");
  });

  it("are written by the one function that knows it", () => {
    expect(sources.length).toBeGreaterThan(150);
    const wrong = sources.flatMap((path) =>
      [...readFileSync(join(repository, path), "utf8").matchAll(COUNT)]
        .filter(([, value = ""]) => !NEVER_ONE.test(value))
        .map(([text]) => `${path}: ${text}`),
    );
    expect(wrong).toEqual([]);
  });
});
