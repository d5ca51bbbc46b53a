import { expect, test } from "vitest";
import { EventFeed } from "./event-feed.ts";

const clock = { now: () => 0 };
const step = (n: number) => ({ type: `step ${n}` });

test("events come in their order to readers at any place", () => {
  const feed = new EventFeed(clock);
  expect(feed.after(0)).toBeUndefined();
  let called = 0;
  const end = feed.onAdded(() => called++);
  for (let n = 1; n <= 3; n++) feed.add(step(n));
  end();
  feed.add(step(4));
  expect(called).toBe(3);
  expect(feed.newest).toBe(4);
  expect([0, 1, 2, 3].map((n) => feed.after(n)?.event)).toEqual(
    [1, 2, 3, 4].map((number) => ({ number, at: "1970-01-01T00:00:00.000Z", event: step(number) })),
  );
  expect(feed.after(4)).toBeUndefined();
});

test("only the newest are kept, and who asks for older ones learns how many are gone", () => {
  const feed = new EventFeed(clock, { eventsMax: 3 });
  for (let n = 1; n <= 10; n++) feed.add(step(n));
  expect(feed.after(0)).toMatchObject({ event: { number: 8 }, lost: 7 });
  expect(feed.after(6)).toMatchObject({ event: { number: 8 }, lost: 1 });
  expect(feed.after(7)).toMatchObject({ event: { number: 8 }, lost: 0 });
  expect(feed.after(9)).toMatchObject({ event: { number: 10 }, lost: 0 });
});
