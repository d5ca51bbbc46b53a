/** A template comes with a model from anywhere. */
import { expect, test } from "vitest";
import { ChatTemplate } from "./chat-template.ts";

const render = (text: string): string =>
  new ChatTemplate({ text }, { place: "folder" }).render({ messages: [{ role: "user", content: "a" }] });

test("range() has as many numbers as in Jinja's sandbox, and no template takes all memory by it", () => {
  expect(render("{% for i in range(2, 8, 3) %}{{ i }} {% endfor %}{{ range(100000) | length }}")).toBe("2 5 100000");
  for (const count of ["100001", "10000000000", "0, -1, -0.0000001", "messages"])
    expect(() => render(`{{ range(${count}) | length }}`)).toThrow(
      expect.objectContaining({
        code: "DATA_FORMAT",
        message: expect.stringContaining("range() has more than 100000"),
      }),
    );
});
