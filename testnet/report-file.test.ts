import { lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { refuseUnwritable, writeReport } from "./report-file.ts";

describe("the report's file", () => {
  let folder: string;
  let file: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "weft-report-"));
    file = join(folder, "report.html");
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it("is tried without a trace", async () => {
    await refuseUnwritable(file);
    expect(await readdir(folder)).toEqual([]);
    await writeFile(file, "of an earlier run");
    await refuseUnwritable(file);
    expect(await readdir(folder)).toEqual(["report.html"]);
    expect(await readFile(file, "utf8")).toBe("of an earlier run");
  });

  it("is replaced whole", async () => {
    await writeFile(file, "of an earlier run, and longer");
    await writeReport(file, "of this run");
    expect(await readFile(file, "utf8")).toBe("of this run");
    expect(await readdir(folder)).toEqual(["report.html"]);
  });

  it.each(["no/such/folder/report.html", "folder"])("is refused with one line as %s", async (name) => {
    await mkdir(join(folder, "folder"));
    await expect(refuseUnwritable(join(folder, name))).rejects.toMatchObject({
      code: "DATA_DIRECTORY",
      message: `cannot write the report ${join(folder, name)}`,
      facts: { problem: "report-unwritable" },
    });
    expect(await readdir(folder)).toEqual(["folder"]);
  });

  it.skipIf(process.platform === "win32")("may be a link, which stays one", async () => {
    const link = join(folder, "link");
    await writeFile(file, "");
    await symlink(file, link);
    await refuseUnwritable(link);
    await writeReport(link, "of this run");
    expect((await lstat(link)).isSymbolicLink()).toBe(true);
    expect(await readFile(file, "utf8")).toBe("of this run");
  });
});
