/** steps block by block: every golden directory (`npm run test:base`). */
import { describe, it } from "vitest";
import { goldenNames } from "../golden/golden-models.suite.ts";
import { checkStreamed } from "./streamed-parts.suite.ts";

describe.each(["f32", "q4"] as const)("block by block in %s is as the whole", (base) => {
  it.each(goldenNames())("%s", (name) => checkStreamed(name, { base }));
});
