import { expect, test } from "vitest";
import { ofType, type Peer, peer, run, world } from "./driver.suite.ts";
import { PAUSED_ON_REQUEST } from "./pause-gate.ts";

test("a peer that is paused takes no step until it is to go on, then does all its rounds, and tells both", async () => {
  const { clock, hub } = world();
  const others = await peer(clock, hub, "b");
  let paused: Peer | undefined;
  let stepsAtPause = -1;
  const a = await peer(clock, hub, "a", {
    onEvent: (event) => {
      if (event.type === "round" && event.summary.round === 0) paused?.driver.pause();
      if (event.type === "paused") {
        stepsAtPause = ofType(paused?.events ?? [], "step").length;
        clock.after(60_000, () => {
          expect(ofType(paused?.events ?? [], "step")).toHaveLength(stepsAtPause);
          paused?.driver.resume();
        });
      }
    },
  });
  paused = a;
  const [report] = await run(clock, a, others);
  expect(stepsAtPause).toBeGreaterThan(0);
  expect(ofType(a.events, "paused")).toEqual([{ type: "paused", reason: PAUSED_ON_REQUEST }]);
  expect(ofType(a.events, "resumed")).toHaveLength(1);
  expect(report?.rounds.map(({ round }) => round)).toEqual([0, 1, 2, 3]);
  // Whose adapters were mixed in is told before each round that mixes any.
  expect(ofType(a.events, "mixed").map(({ neighbours }) => neighbours.map(({ peer }) => peer))[0]).toEqual(["b"]);
});
