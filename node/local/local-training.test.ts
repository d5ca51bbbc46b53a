import { expect, it } from "vitest";
import { requireSound } from "./local-training.ts";

it("refuses to train where the loss is no number before any step", () => {
  for (const loss of [Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(() => requireSound({ loss })).toThrow(expect.objectContaining({ code: "MODEL_CONFIG" }));
  }
  expect(requireSound({ loss: 3 })).toBeUndefined();
});
