import { expect, it } from "vitest";
import { signerOf } from "./exchange.suite.ts";
import { HeadsReader } from "./heads-reader.ts";

const [a, b] = [signerOf(1).peer, signerOf(2).peer];

function reader(stopAt?: number) {
  const judged: string[] = [];
  const turns: (() => void)[] = [];
  const read = new HeadsReader(
    {
      judge: (bytes, { from }) => {
        judged.push(`${from === a ? "a" : "b"}${bytes[0]}`);
        return bytes[0] !== stopAt;
      },
      nextTurn: () => new Promise((resolve) => turns.push(resolve)),
    },
    { perTurnMax: 2 },
  );
  const next = async (): Promise<void> => {
    turns.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { read, judged, next, turns };
}

const message = (from: typeof a, ...numbers: number[]) => ({
  from,
  announcements: numbers.map((number) => Uint8Array.of(number)),
});

it("heads are judged a few at a time, each neighbour in its turn, and the loop goes on in between", async () => {
  const { read, judged, next, turns } = reader();
  const first = read.read(message(a, 1, 2, 3, 4, 5));
  expect(judged).toEqual(["a1", "a2"]);
  void read.read(message(b, 1, 2, 3));
  expect(judged).toHaveLength(2);
  await next();
  expect(judged.slice(2)).toEqual(["a3", "a4"]);
  await next();
  expect(judged.slice(4)).toEqual(["b1", "b2"]);
  await next();
  expect(judged.slice(6)).toEqual(["a5"]);
  await first;
  await next();
  expect(judged.slice(7)).toEqual(["b3"]);
  expect(turns).toEqual([]);
});

it("of what a neighbour sends meanwhile the last one waits, and a refused message goes no further", async () => {
  const { read, judged, next } = reader(9);
  void read.read(message(a, 1, 2, 3));
  const passedOver = read.read(message(a, 4));
  const last = read.read(message(a, 9, 6));
  await passedOver;
  await next();
  await next();
  await last;
  expect(judged).toEqual(["a1", "a2", "a3", "a9"]);
});
