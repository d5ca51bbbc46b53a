import { expect, test } from "vitest";
import { dataDirectoryLayout } from "./layout.ts";

test.each([
  ["alice", "alice/key"],
  ["alice/", "alice/key"],
  ["/data/alice//", "/data/alice/key"],
  ["/", "/key"],
  [".", "./key"],
])("the key of %s is %s", (folder, key) => {
  expect(dataDirectoryLayout(folder).key).toBe(key);
});

test("no two things stand in one place", () => {
  const { folder, ...paths } = dataDirectoryLayout("/data");
  expect(new Set(Object.values(paths)).size).toBe(Object.keys(paths).length);
  expect(Object.values(paths).every((path) => path.startsWith(`${folder}/`))).toBe(true);
});
