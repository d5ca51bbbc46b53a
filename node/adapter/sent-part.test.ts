import { describe, expect, it } from "vitest";
import { adapterSlots } from "../../protocol/adapter-spec.ts";
import { sentPart } from "./sent-part.ts";

const slots = adapterSlots([
  { name: "x.A", shape: [1, 2] },
  { name: "x.C", shape: [1] },
  { name: "y.A", shape: [2] },
  { name: "y.C", shape: [1, 2] },
]);
const part = sentPart(slots, [
  { name: "x.C", shape: [1] },
  { name: "y.C", shape: [1, 2] },
]);

describe("the part that is sent", () => {
  it("is taken out and put back in its places, without touching what it is given", () => {
    const theta = Float32Array.of(1, 2, 3, 4, 5, 6, 7);
    const sent = Float32Array.of(-3, -6, -7);
    expect(part.length).toBe(3);
    expect(part.slots.map(({ name, offset }) => [name, offset])).toEqual([
      ["x.C", 0],
      ["y.C", 1],
    ]);
    expect(part.sentOf(theta)).toEqual(Float32Array.of(3, 6, 7));
    expect(part.withSent(theta, sent)).toEqual(Float32Array.of(1, 2, -3, 4, 5, -6, -7));
    expect(part.sentOf(part.withSent(theta, sent))).toEqual(sent);
    expect(theta).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6, 7));
  });

  it("is the whole where everything travels", () => {
    const whole = sentPart(slots, slots);
    const theta = Float32Array.of(1, 2, 3, 4, 5, 6, 7);
    expect(whole.sentOf(theta)).toEqual(theta);
    expect(whole.sentOf(theta)).not.toBe(theta);
    expect(whole.withSent(new Float32Array(7), theta)).toEqual(theta);
  });

  it("refuses vectors of another length, and tensors that are not trained", () => {
    const code = expect.objectContaining({ code: "ADAPTER_SHAPE" });
    expect(() => part.sentOf(new Float32Array(3))).toThrow(code);
    expect(() => part.withSent(new Float32Array(7), new Float32Array(7))).toThrow(code);
    expect(() => part.withSent(new Float32Array(3), new Float32Array(3))).toThrow(code);
    expect(() => sentPart(slots, [{ name: "z.C", shape: [1] }])).toThrow(RangeError);
  });
});
