import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { weft } from "./command.suite.ts";
import { inviteGiven } from "./invite-argument.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "weft-invite-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("an invite", () => {
  it("comes from a file or from standard input, where no other user of the machine sees it", async () => {
    const inviteFile = join(folder, "invite");
    await writeFile(inviteFile, "weft1abc\n");
    expect(await inviteGiven({ inviteFile }, undefined)).toBe("weft1abc");
    expect(await inviteGiven({}, "-", Readable.from(["weft1", "def\n"]))).toBe("weft1def");
    expect(await inviteGiven({}, "weft1ghi")).toBe("weft1ghi");
    const { code, err } = await weft(["join", "--invite-file", inviteFile, "--data-dir", join(folder, "peer")]);
    expect([code, err]).toEqual([2, expect.stringContaining("invite")]);
    expect(err).not.toContain("weft1abc");
  });

  it("is read no further than an invite could be long, also where the file never ends", async () => {
    async function* endless(): AsyncGenerator<Buffer> {
      for (;;) yield Buffer.alloc(4096, "weft1");
    }
    const tooLong = { code: "CONFIG_INVALID", message: expect.stringContaining("is too long for an invite") };
    await expect(inviteGiven({}, "-", endless())).rejects.toMatchObject(tooLong);
    await expect(inviteGiven({ inviteFile: "/dev/zero" }, undefined)).rejects.toMatchObject(tooLong);
  });

  it("is given once, and from a file that can be read", async () => {
    const invalid = { code: "CONFIG_INVALID" };
    await expect(inviteGiven({}, undefined)).rejects.toMatchObject(invalid);
    await expect(inviteGiven({ inviteFile: "a" }, "weft1abc")).rejects.toMatchObject(invalid);
    await expect(inviteGiven({ inviteFile: join(folder, "none") }, undefined)).rejects.toMatchObject(invalid);
    // As a command that failed leaves behind what its output was led to.
    await expect(inviteGiven({ inviteFile: "/dev/null" }, undefined)).rejects.toThrow("/dev/null is empty");
  });
});
