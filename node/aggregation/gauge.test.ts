import { describe, expect, it } from "vitest";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import { NodeError } from "../errors.ts";
import { alignGauge, gaugeKind, retractRotations, rotationGroups } from "./gauge.ts";
import {
  difference,
  functionDistance,
  HIDDEN,
  PARAMETER_COUNT,
  RANK,
  randomAdapter,
  rotated,
  rotationError,
  SITES,
  SLOTS,
  tensor,
} from "./loreft.suite.ts";

const groups = rotationGroups("loreft", SLOTS);

/** W = R and b = 0: the edit is nothing. */
function noOp(seed: number): Float32Array {
  const theta = randomAdapter(seed);
  for (const { R, W, b } of groups) {
    theta.copyWithin(W!.offset, R.offset, R.offset + R.length);
    theta.fill(0, b!.offset, b!.offset + b!.length);
  }
  return theta;
}

describe("rotationGroups", () => {
  it("finds the sites with a trained rotation and leaves everything else alone", () => {
    expect(groups.map(({ site, rank, columns }) => [site, rank, columns])).toEqual(
      SITES.map((site) => [site, RANK, HIDDEN]),
    );
    const frozen = adapterSlots([
      { name: "a.W", shape: [RANK, HIDDEN] },
      { name: "a.b", shape: [RANK] },
    ]);
    expect(rotationGroups("loreft", frozen)).toEqual([]);
    for (const kind of ["lora", "ffa-lora", "tri-lora", "noreft", "nodireft"] as const) {
      expect(rotationGroups(kind, SLOTS), kind).toEqual([]);
    }
  });

  for (const [name, tensors] of [
    ["more rows than columns", [{ name: "a.R", shape: [3, 2] }]],
    ["a rotation that is not a matrix", [{ name: "a.R", shape: [6] }]],
    [
      "a W of another shape",
      [
        { name: "a.R", shape: [2, 3] },
        { name: "a.W", shape: [3, 2] },
      ],
    ],
    [
      "a b of another length",
      [
        { name: "a.R", shape: [2, 3] },
        { name: "a.b", shape: [3] },
      ],
    ],
  ] as const) {
    it(`refuses ${name}`, () => expect(() => rotationGroups("loreft", adapterSlots(tensors))).toThrow(NodeError));
  }
});

describe("gaugeKind", () => {
  it("is the kind itself, of a combination that of its ReFT side", () => {
    const reft = { kind: "direft", rank: 1, layers: "all", positions: "all" } as const;
    const lora = { kind: "lora", rank: 1, alpha: 1, targets: ["q_proj"], layers: "all" } as const;
    expect([reft, lora, { kind: "combination", lora, reft } as const].map(gaugeKind)).toEqual([
      "direft",
      "lora",
      "direft",
    ]);
  });
});

describe("alignGauge", () => {
  it("turns a rotated copy back into the original", () => {
    const mine = randomAdapter(1);
    for (let seed = 1; seed <= 20; seed++) {
      const copy = rotated(mine, seed);
      expect(difference(copy, mine)).toBeGreaterThan(0.1);
      expect(difference(alignGauge({ mine, theirs: copy, groups }), mine), `seed ${seed}`).toBeLessThan(2e-6);
    }
  });

  it("keeps the function of a different adapter and brings its rotation nearest", () => {
    const mine = randomAdapter(1);
    const theirs = randomAdapter(2);
    const aligned = alignGauge({ mine, theirs, groups });
    expect(functionDistance(aligned, theirs)).toBeLessThan(1e-5);
    const apart = (theta: ArrayLike<number>): number => {
      const R = tensor(theta, `${SITES[0]}.R`);
      return Math.hypot(...tensor(mine, `${SITES[0]}.R`).map((x, i) => x - R[i]!));
    };
    for (let seed = 1; seed <= 50; seed++) {
      expect(apart(aligned), `seed ${seed}`).toBeLessThanOrEqual(apart(rotated(theirs, seed)) + 1e-6);
    }
  });

  it("does not touch tensors without a gauge", () => {
    const theirs = randomAdapter(2);
    const aligned = alignGauge({ mine: randomAdapter(1), theirs, groups });
    expect(tensor(aligned, "head.weight")).toEqual(tensor(theirs, "head.weight"));
  });
});

describe("retractRotations", () => {
  it("makes the rows orthonormal, keeps W - R and b, and is still the second time", () => {
    const theta = Float64Array.from(randomAdapter(3), (x, i) => x + 0.05 * Math.sin(i));
    const once = retractRotations(theta, groups);
    expect(rotationError(theta)).toBeGreaterThan(0.01);
    expect(rotationError(once)).toBeLessThan(1e-14);
    for (const site of SITES) {
      const D = (x: Float64Array): number[] => tensor(x, `${site}.W`).map((w, i) => w - tensor(x, `${site}.R`)[i]!);
      expect(difference(D(once), D(theta))).toBeLessThan(1e-14);
      expect(tensor(once, `${site}.b`)).toEqual(tensor(theta, `${site}.b`));
    }
    expect(difference(retractRotations(once, groups), once)).toBeLessThan(1e-14);
  });

  it("keeps W itself where the edit is not made of W - R, so that a no-op of DiReFT stays one", () => {
    const theta = Float64Array.from(randomAdapter(3), (x, i) => x + 0.05 * Math.sin(i));
    const once = retractRotations(theta, rotationGroups("direft", SLOTS));
    expect(rotationError(theta)).toBeGreaterThan(0.01);
    expect(rotationError(once)).toBeLessThan(1e-14);
    for (const site of SITES) expect(tensor(once, `${site}.W`)).toEqual(tensor(theta, `${site}.W`));
  });

  it("leaves a no-op a no-op, however far the rotations were apart", () => {
    const [a, b] = [noOp(4), noOp(5)];
    const aligned = alignGauge({ mine: a, theirs: b, groups });
    const average = aligned.map((x, i) => (x + a[i]!) / 2);
    expect(rotationError(average)).toBeGreaterThan(0.1);
    const retracted = retractRotations(average, groups);
    expect(functionDistance(retracted, a)).toBeLessThan(1e-6);
  });

  it("refuses a rotation whose rows depend on each other", () => {
    expect(() => retractRotations(new Float64Array(PARAMETER_COUNT), groups)).toThrow(NodeError);
  });
});
