/** narrow bases: every golden directory in every form (`npm run test:base`). */
import { describe, it } from "vitest";
import { goldenNames } from "../golden/golden-models.suite.ts";
import { checkNarrowBase } from "./narrow-base.suite.ts";

describe.each(["q4", "q8", "f16", "q4-e8"] as const)(
  "a base in %s has the gradient of the f32 model that it stands for",
  (form) => {
    it.each(goldenNames())("%s", (name) => checkNarrowBase(name, form));
  },
);
