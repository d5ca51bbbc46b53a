import { expect, test } from "vitest";
import { encodingsOf, findPlants } from "./planted-secrets.suite.ts";

const secret = new TextEncoder().encode('Plänt "7f3a9c", twenty-four of them');
const around = (text: string | Buffer, before = 3): Buffer =>
  Buffer.concat([Buffer.alloc(before, "x"), Buffer.from(text), Buffer.from("zzz")]);

test.each([
  ["raw", secret],
  ["hex", Buffer.from(secret).toString("hex")],
  ["base64", Buffer.from(secret).toString("base64")],
  ["base64 behind one other byte", around(Buffer.from(secret), 1).toString("base64")],
  ["base64 behind two other bytes", around(Buffer.from(secret), 2).toString("base64")],
  ["base64url", around(Buffer.from(secret), 4).toString("base64url")],
  ["a list of numbers", JSON.stringify([...secret])],
  ["its first half alone", secret.subarray(0, 20)],
  ["its second half alone", Buffer.from(secret.subarray(-20)).toString("hex")],
])("a secret is found as %s", (_, text) => {
  expect(findPlants({ it: secret }, { log: around(Buffer.from(text)) })).not.toEqual([]);
});

test("a secret is not found where it is not", () => {
  const others = [...encodingsOf(crypto.getRandomValues(new Uint8Array(32))).values()];
  expect(findPlants({ it: secret }, { log: Buffer.concat([...others, Buffer.from(secret.subarray(0, 12))]) })).toEqual(
    [],
  );
});
