import { expect, it } from "vitest";
import { ENGINE_OPTIONS } from "./engine-options.ts";

it.each(Object.entries(ENGINE_OPTIONS))(
  "the option %s says what it is and where it comes from",
  (_, { text, source }) => {
    expect(text).toMatch(/^[a-z].*[^.]$/);
    expect(source.length).toBeGreaterThan(10);
  },
);
