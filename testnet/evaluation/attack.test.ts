import { describe, expect, test } from "vitest";
import { embeddedModelDirectory } from "../../node/system/files/embedded-model.ts";
import { createSigner } from "../../protocol/envelope.ts";
import { createPrng } from "../../protocol/prng.ts";
import type { VerdictCode } from "../../protocol/verdict.ts";
import { ATTACKS, type Attack, flipLabels, lieOf } from "./attack.ts";
import { lyingExchange } from "./exchange.ts";
import { createInboxes, createOutbox, type Inbox } from "./inbox.ts";
import { manifestOf } from "./method.ts";

const START = Float32Array.of(1, 0, -1);
const OWN = Float32Array.of(2, 1, -1);
const HONEST = [Float32Array.of(3, 0, 0), Float32Array.of(1, 2, 0)];

describe("a lie", () => {
  const check = (attack: Attack, receiver: number, expected: readonly number[]): void => {
    const lie = lieOf(attack, { start: START, own: OWN, honest: HONEST, receiver });
    expect([...lie].map((x) => Math.round(1e4 * x) / 1e4)).toEqual(expected);
  };

  test("is the equation of its attack", () => {
    check("sign-flip", 0, [-9, -10, -1]);
    check("scaling", 0, [1001, 1000, -1]);
    // mu (2, 1, 0), sigma (1, 1, 0)
    check("alie", 0, [0.5, -0.5, 0]);
    check("inner-product", 0, [0.9, -0.1, -1.1]);
    check("dissensus", 0, [5, -2, 0]);
    check("dissensus", 1, [-1, 4, 0]);
    check("nan", 0, [Number.NaN, 1, -1]);
    check("label-flip", 0, [2, 1, -1]);
    check("replay", 0, [2, 1, -1]);
    check("sign-flip-1", 0, [0, -1, -1]);
    check("float16-max", 0, [65504, 65504, 65504]);
    check("zero", 0, [0, 0, 0]);
    check("copy", 1, [3, 0, 0]);
    check("mirror", 1, [1, 2, 0]);
    check("stale", 0, [2, 1, -1]);
  });
});

test("lies of the largest values and of noise are what they are called", () => {
  const context = { start: START, own: OWN, honest: HONEST, receiver: 0 };
  expect([...lieOf("float32-max", context)]).toEqual(Array(3).fill(Math.fround(3e38)));
  expect([...lieOf("stale", { ...context, first: Float32Array.of(7, 7, 7) })]).toEqual([7, 7, 7]);
  const [noise, again] = [0, 0].map(() => lieOf("noise", { ...context, prng: createPrng(5) }));
  expect(noise).toEqual(again);
  expect(noise).not.toEqual(lieOf("noise", { ...context, prng: createPrng(6) }));
  // mu (2, 1, 0), sigma (1, 1, 0): where the honest peers agree, what hinders is 0.4 of the way back.
  const [hinder, other] = [5, 6].map((seed) => lieOf("hinder", { ...context, prng: createPrng(seed) }));
  expect(hinder![2]).toBeCloseTo(-0.4, 6);
  expect(hinder![0]).not.toBe(other![0]);
});

test("what undoes goes back on the newest way alone, and a part of the way that honest peers are apart", () => {
  const context = { start: START, own: OWN, honest: HONEST, receiver: 0 };
  // mu (2, 1, 0) came from (1, 1, 0), and from (1, 0, -1) at the start: w is (2, -1, -1) / sqrt 6; R is sqrt 2.
  const honestBefore = HONEST.map(([x, ...rest]) => Float32Array.of(x! - 1, ...rest));
  const mean = Float64Array.of(0, 0, 0);
  const draws = 4000;
  for (let seed = 0; seed < draws; seed++) {
    const lie = lieOf("undo", { ...context, honestBefore, prng: createPrng(seed) });
    for (const [i, x] of lie.entries()) mean[i]! += x / draws;
  }
  const step = (0.4 * Math.SQRT2) / Math.sqrt(6);
  for (const [i, x] of [2 - 2 * step, 1 + step, step].entries()) expect(mean[i]).toBeCloseTo(x, 1);
  // In the first round there is no other way than the whole.
  const first = lieOf("undo", { ...context, prng: createPrng(1) });
  expect(first.every((x, i) => x < [3, 2, 1][i]!)).toBe(true);
});

test("flipped labels keep the prompts and give every one another response", () => {
  const example = (prompt: number, response: number) => ({ tokens: [prompt, 9, response], promptLength: 2 });
  const train = [example(1, 5), example(2, 5), example(3, 6)];
  const flipped = flipLabels({ train, validation: train, test: train });
  expect(flipped.train).toEqual([example(1, 6), example(2, 6), example(3, 5)]);
  expect(flipped.test).toBe(train);
  const same = [example(1, 5), example(2, 5)];
  expect(flipLabels({ train: same, validation: [], test: [] }).train).toEqual(same);
});

describe("an exchange with a liar", () => {
  const manifest = manifestOf(
    {
      name: "tried",
      exchange: "others",
      adapter: { kind: "lora", rank: 1, alpha: 1, targets: ["q_proj"], layers: [0] },
      encoding: { values: "float32" },
    },
    {
      modelDirectory: embeddedModelDirectory(),
      peers: 3,
      seed: 1,
      settings: { rounds: 4, localSteps: 1, training: {} },
    },
  );
  const P = manifest.tensors.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  const swarm = () => {
    const inboxes = createInboxes(manifest);
    const verdicts: VerdictCode[] = [];
    return {
      verdicts,
      peers: [1, 2, 3].map((seed) => {
        const signer = createSigner(new Uint8Array(32).fill(seed));
        const inbox = inboxes.inboxOf(signer.peer);
        const receive: Inbox["receive"] = (bytes, round) => {
          const code = inbox.receive(bytes, round);
          verdicts.push(code);
          return code;
        };
        return { signer, outbox: createOutbox(manifest, { signer, sampleCount: 8 }), inbox: { ...inbox, receive } };
      }),
    };
  };
  const thetas = (round: number) => [0, 1, 2].map((peer) => new Float32Array(P).fill(peer + 10 * round + 1));

  test("has the honest peers hear each other and the lie, every round", () => {
    for (const attack of ATTACKS) {
      const { peers, verdicts } = swarm();
      const exchange = lyingExchange(peers, { attack, manifest, start: new Float32Array(P) });
      for (const round of [0, 1]) exchange.round(round, thetas(round));
      const [first] = peers;
      const heard = first!.inbox.latest();
      const liar = heard.find(({ peer }) => peer === peers[2]!.signer.peer);
      expect(
        heard.find(({ peer }) => peer === peers[1]!.signer.peer),
        attack,
      ).toMatchObject({ round: 1 });
      if (attack === "nan") {
        expect(liar).toBeUndefined();
        expect(verdicts.filter((code) => code === "VALUE_NOT_FINITE")).toHaveLength(4);
      } else if (attack === "silent") {
        expect(liar).toBeUndefined();
        expect(verdicts).toHaveLength(4);
      } else if (["noise", "hinder", "undo"].includes(attack)) {
        expect(liar).toMatchObject({ round: 1 });
      } else if (attack === "stale") {
        expect(liar).toMatchObject({ round: 1, theta: thetas(0)[2] });
      } else if (attack === "replay") {
        expect(liar).toMatchObject({ round: 0, theta: thetas(0)[2] });
        expect(verdicts.filter((code) => code === "DUPLICATE")).toHaveLength(2);
      } else {
        const honest = thetas(1).slice(0, 2);
        const lie = lieOf(attack, { start: new Float32Array(P), own: thetas(1)[2]!, honest, receiver: 0 });
        expect(liar, attack).toMatchObject({ round: 1, theta: lie });
        expect(new Set(verdicts), attack).toEqual(new Set(["ACCEPTED"]));
      }
      expect(exchange.blamed(), attack).toBe(0);
    }
  });

  test("may have several liars, whom the honest peers hear beside each other", () => {
    const { peers } = swarm();
    const exchange = lyingExchange(peers, { attack: "zero", liars: 2, manifest, start: new Float32Array(P) });
    exchange.round(0, thetas(0));
    const heard = peers[0]!.inbox.latest();
    expect(heard.map(({ theta }) => theta)).toEqual([new Float32Array(P), new Float32Array(P)]);
    expect(peers[1]!.inbox.latest()).toEqual([]);
  });
});
