import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { VALUE_BLOCKS } from "./block-values.ts";

interface Golden {
  readonly name: string;
  readonly type: number;
  readonly blocks: string;
  readonly values: string;
}

const golden: readonly Golden[] = JSON.parse(
  readFileSync(join(import.meta.dirname, "../golden/gguf/blocks.json"), "utf8"),
);

it.each(golden.map((row) => [row.name, row] as const))(
  "blocks of %s have the values of llama.cpp, bit for bit",
  (_, row) => {
    const type = VALUE_BLOCKS.get(row.type)!;
    const [blocks, expected] = [Buffer.from(row.blocks, "base64"), Buffer.from(row.values, "base64")];
    const count = blocks.length / type.bytes;
    const values = new Float32Array(count * type.values);
    for (let block = 0; block < count; block++) {
      const bytes = blocks.subarray(block * type.bytes, (block + 1) * type.bytes);
      type.unpack(bytes, values.subarray(block * type.values, (block + 1) * type.values));
    }
    expect(new Uint8Array(values.buffer)).toEqual(new Uint8Array(expected));
  },
);

it("every type has blocks to be held to", () => {
  expect(golden.map(({ type }) => type).toSorted((a, b) => a - b)).toEqual([...VALUE_BLOCKS.keys()]);
});
