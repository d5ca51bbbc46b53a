import { expect, it } from "vitest";
import type { Runtime } from "../interface/runtime.ts";
import { OpenGroup } from "./open-group.ts";

/** A runtime whose sessions do nothing but say which of them are open. */
function countingRuntime() {
  const open = new Set<string>();
  let loads = 0;
  const runtime: Runtime = {
    provider: async () => "cpu",
    whyNoFloat16: async () => undefined,
    load: async (model) => {
      const name = new TextDecoder().decode(model);
      if (name === "refused") throw new Error("refused");
      loads += 1;
      open.add(name);
      return { run: async () => ({}), close: async () => void open.delete(name) };
    },
  };
  return { runtime, open: () => [...open].toSorted(), loads: () => loads };
}

const named = (name: string) => new TextEncoder().encode(name);

it("keeps the sessions of one group open, and opens those of another where they run again", async () => {
  const { runtime, open, loads } = countingRuntime();
  const groups = new OpenGroup(runtime);
  const [training, evaluation] = [groups.runtimeOf("training"), groups.runtimeOf("evaluation")];
  const short = await training.load(named("short"), {});
  const long = await training.load(named("long"), {});
  expect(open()).toEqual(["long", "short"]);
  const test = await evaluation.load(named("test"), {});
  expect(open()).toEqual(["test"]);
  await test.run({});
  expect(loads()).toBe(3);
  await long.run({});
  expect(open()).toEqual(["long"]);
  await short.run({});
  await short.run({});
  expect(open()).toEqual(["long", "short"]);
  expect(loads()).toBe(5);
});

it("a session that is closed stays closed, and one that is refused is refused at once", async () => {
  const { runtime, open } = countingRuntime();
  const groups = new OpenGroup(runtime);
  const [training, evaluation] = [groups.runtimeOf("training"), groups.runtimeOf("evaluation")];
  const short = await training.load(named("short"), {});
  await expect(evaluation.load(named("refused"), {})).rejects.toThrow("refused");
  expect(open()).toEqual([]);
  await short.run({});
  expect(open()).toEqual(["short"]);
  await short.close();
  await short.close();
  expect(open()).toEqual([]);
});
