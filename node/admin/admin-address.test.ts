import { describe, expect, it } from "vitest";
import { adminUrl, defaultAdminAddress, ownHosts, parseAdminAddress } from "./admin-address.ts";

describe("an admin interface's address", () => {
  it.each([
    ["127.0.0.1:4100", { kind: "port", host: "127.0.0.1", port: 4100 }],
    ["localhost:0", { kind: "port", host: "127.0.0.1", port: 0 }],
    ["[::1]:65535", { kind: "port", host: "::1", port: 65_535 }],
    ["4100", { kind: "port", host: "127.0.0.1", port: 4100 }],
    ["/run/weft/admin.sock", { kind: "socket", path: "/run/weft/admin.sock" }],
  ])("is %s", (text, expected) => {
    expect(parseAdminAddress(text)).toEqual(expected);
  });

  it.each([
    "0.0.0.0:4100",
    "192.168.1.2:4100",
    "example.org:80",
    "[::]:4100",
    "127.0.0.1:65536",
    "127.0.0.1",
    "",
    `/${"a".repeat(103)}`,
  ])("is not %j", (text) => {
    expect(() => parseAdminAddress(text)).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
  });

  it("is a socket among the peer's files by itself, and a free port where there can be none", () => {
    expect(defaultAdminAddress("/data/admin.sock", "linux")).toEqual({ kind: "socket", path: "/data/admin.sock" });
    const port = { kind: "port", host: "127.0.0.1", port: 0 };
    expect(defaultAdminAddress(`/${"a".repeat(103)}`, "linux")).toEqual(port);
    expect(defaultAdminAddress("alice/admin.sock", "linux")).toEqual(port);
    expect(defaultAdminAddress("C:/data/admin.sock", "win32")).toEqual(port);
  });

  it("has the names of this machine, and no other", () => {
    expect(adminUrl({ kind: "port", host: "::1", port: 5 })).toBe("http://[::1]:5");
    expect(ownHosts({ kind: "port", host: "127.0.0.1", port: 5 })).toEqual(["127.0.0.1:5", "[::1]:5", "localhost:5"]);
    expect(ownHosts({ kind: "socket", path: "/a" })).toBeUndefined();
  });
});
