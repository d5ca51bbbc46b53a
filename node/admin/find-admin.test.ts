/** Where a peer's interface is by its files, which a killed peer leaves behind. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { afterEach, beforeEach, expect, it } from "vitest";
import { dataDirectoryLayout } from "../data-directory/layout.ts";
import type { AdminAddress } from "../interface/admin.ts";
import { readOrCreateToken } from "../system/files/admin-token.ts";
import { type ProcessMark, processMark } from "../system/platform/process-mark.ts";
import { findAdmin } from "./find-admin.ts";

let folder: string;
let token: string;
beforeEach(async () => {
  folder = await mkdtemp(`${tmpdir()}/weft-find-`);
  token = await readOrCreateToken(dataDirectoryLayout(folder).adminToken);
});
afterEach(() => rm(folder, { recursive: true }));

const PORT: AdminAddress = { kind: "port", host: "127.0.0.1", port: 9 };
const SOCKET: AdminAddress = { kind: "socket", path: "/nowhere" };
const left = (address: AdminAddress, mark?: ProcessMark): Promise<void> =>
  writeFile(
    dataDirectoryLayout(folder).admin,
    JSON.stringify({ schema: "weft-admin/1", address, process: process.pid, ...(mark && { mark }) }),
  );

it("is asked at a port while its process runs, and not once another one may listen there", async () => {
  const mark = (await processMark(process.pid))!;
  await left(PORT, mark);
  expect(await findAdmin(folder)).toEqual({ address: PORT, token });
  for (const other of [{ ...mark, startedAt: "1" }, { ...mark, boot: "another" }, undefined]) {
    await left(PORT, other);
    expect(await findAdmin(folder), JSON.stringify(other)).toBeUndefined();
  }
});

it("is asked at a socket, which lies among its own files, whatever became of the process", async () => {
  await left(SOCKET);
  expect(await findAdmin(folder)).toEqual({ address: SOCKET, token });
});
