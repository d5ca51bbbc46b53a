import { cp, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { ProtocolError } from "../../protocol/errors.ts";
import { parseInvite } from "../../protocol/membership/invite.ts";
import { examplePeer } from "../admin/example-peer.suite.ts";
import { AdminInterface } from "../admin/serve-admin.ts";
import { dataDirectoryLayout } from "../data-directory/layout.ts";
import { NodeError } from "../errors.ts";
import { secretKeyOf, signerOf } from "../exchange/exchange.suite.ts";
import { DAY, genesisWith, NOW, revoke } from "../membership/membership.suite.ts";
import { takeLock } from "../system/files/lock-file.ts";
import { watchRequestInbox } from "../system/files/request-inbox.ts";
import { silentLogger, until } from "../system/network/transport.suite.ts";
import { createSystemClock } from "../system/platform/system-clock.ts";
import { createInviteText, operate } from "./operator.ts";

const folders: string[] = [];
afterEach(async () => {
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true })));
});
async function directoryOf(seed: number): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "weft-operator-"));
  folders.push(folder);
  await writeFile(dataDirectoryLayout(folder).key, secretKeyOf(seed), { mode: 0o600 });
  return folder;
}
const genesis = genesisWith({}, 1);

test("acts on the files of a peer that does not run, and what it did is there the next time", async () => {
  const options = { dataDirectory: await directoryOf(1), genesis };
  expect(await operate({ kind: "members" }, options)).toMatchObject({
    self: { role: "admin", standing: "member" },
    entryCount: 0,
    admins: [1, 2, 3].map((seed) => signerOf(seed).peer).sort(),
  });
  const done = await operate({ kind: "propose", statement: revoke(signerOf(4).peer) }, options);
  expect(done).toMatchObject({ kind: "motion", isDecided: true });
  expect(await operate({ kind: "log" }, options)).toMatchObject({ entries: [{ kind: "revoke", lost: undefined }] });
  const waiting = { dataDirectory: await directoryOf(1), genesis: genesisWith() };
  await operate({ kind: "propose", statement: revoke(signerOf(4).peer) }, waiting);
  expect(await operate({ kind: "pending" }, waiting)).toMatchObject({
    motions: [{ approvedBy: [signerOf(1).peer], threshold: 2 }],
  });
});

test("signs nothing in a copy of a directory, or beside a restored key, unless its person says that it is alone", async () => {
  const options = { dataDirectory: await directoryOf(1), genesis };
  await operate({ kind: "members" }, options);
  const copy = `${options.dataDirectory}-copy`;
  folders.push(copy);
  await cp(options.dataDirectory, copy, { recursive: true });
  const action = { kind: "propose", statement: revoke(signerOf(4).peer) } as const;
  expect(await operate(action, options)).toMatchObject({ isDecided: true });
  const restored = await directoryOf(1);
  await writeFile(dataDirectoryLayout(restored).restoredKey, "");
  for (const dataDirectory of [copy, restored]) {
    const old = { dataDirectory, genesis };
    const refused = { code: "IDENTITY_IN_USE", facts: { problem: "old-files" } };
    await expect(operate(action, old)).rejects.toMatchObject(refused);
    await expect(operate(action, old)).rejects.toMatchObject(refused);
    expect(await operate({ kind: "pending" }, old)).toEqual({ kind: "pending", motions: [] });
    expect(await operate({ ...action, isAlone: true }, old)).toMatchObject({ isDecided: true });
    // Said once: from now on these files are the newest.
    expect(await operate({ kind: "propose", statement: revoke(signerOf(3).peer) }, old)).toMatchObject({
      isDecided: true,
    });
  }
});

test("goes through the running peer where there is one, errors included, and leaves nothing behind", async () => {
  const options = { dataDirectory: await directoryOf(1), genesis };
  const { lock: path, requestInbox } = dataDirectoryLayout(options.dataDirectory);
  const lock = await takeLock(path);
  const asked: unknown[] = [];
  const dependencies = { clock: createSystemClock(), logger: silentLogger };
  const watched = await watchRequestInbox(requestInbox, dependencies, async (request) => {
    asked.push(request);
    if (asked.length > 1) throw Object.assign(new Error("only an admin"), { code: "NOT_ALLOWED" });
    return { kind: "pending", motions: [] };
  });
  expect((await stat(requestInbox)).mode & 0o777).toBe(0o700);
  // The lock of this very process is as good as another's.
  expect(await operate({ kind: "pending" }, options)).toEqual({ kind: "pending", motions: [] });
  await expect(operate({ kind: "log" }, options)).rejects.toMatchObject({
    code: "NOT_ALLOWED",
    message: "only an admin",
  });
  expect(asked).toEqual([{ kind: "pending" }, { kind: "log" }]);
  await watched.stop();
  await expect(operate({ kind: "log" }, { ...options, timeoutMs: 1 })).rejects.toMatchObject({ code: "TIMEOUT" });
  await lock.release();
});

/** A peer that runs in a directory with its admin interface, and has what it is asked to do noted. */
async function servedPeer(dataDirectory: string) {
  const peer = examplePeer();
  const about = { dataDirectory, version: "1", settings: {}, stop: () => undefined };
  const admin = new AdminInterface(peer, about);
  await admin.serve();
  return { peer, admin };
}

test("asks the running peer by its admin interface, errors included, and uses no folder of requests", async () => {
  const options = { dataDirectory: await directoryOf(1), genesis };
  const { lock: path, requestInbox } = dataDirectoryLayout(options.dataDirectory);
  const lock = await takeLock(path);
  const { peer, admin } = await servedPeer(options.dataDirectory);
  peer.answers = { pending: { kind: "pending", motions: [] } };
  expect(await operate({ kind: "pending", declined: true }, options)).toEqual({ kind: "pending", motions: [] });
  expect(peer.acted).toEqual([{ kind: "pending", declined: true }]);
  await expect(operate({ kind: "log" }, options)).rejects.toMatchObject({ code: "NOT_ALLOWED" });
  peer.refusal = new NodeError("NOT_ALLOWED", "nobody knows them", { problem: "no-member" });
  const statement = revoke(signerOf(4).peer);
  await expect(operate({ kind: "propose", statement, isMeant: true }, options)).rejects.toMatchObject({
    ...{ code: "NOT_ALLOWED", message: "nobody knows them", facts: { problem: "no-member" } },
  });
  expect(peer.acted.at(-1)).toEqual({ kind: "propose", statement, isMeant: true });
  peer.refusal = new ProtocolError("FIELD_INVALID", "no such statement");
  await expect(operate({ kind: "log" }, options)).rejects.toMatchObject({
    code: "NOT_ALLOWED",
    message: expect.stringContaining("no such statement"),
  });
  await expect(stat(requestInbox)).rejects.toMatchObject({ code: "ENOENT" });
  await admin.close();
  await lock.release();
});

test("uses the files once a peer that is about to end has left them, and what a killed one has left behind", async () => {
  const options = { dataDirectory: await directoryOf(1), genesis };
  const { lock: path, admin: adminFile } = dataDirectoryLayout(options.dataDirectory);
  const lock = await takeLock(path);
  const { peer, admin } = await servedPeer(options.dataDirectory);
  const left = await readFile(adminFile);
  peer.refusal = new NodeError("PEER_FAILED", "the peer is about to end; ask again in a moment");
  const proposing = operate({ kind: "propose", statement: revoke(signerOf(4).peer) }, options);
  await until(() => peer.acted.length > 1);
  await admin.close();
  await lock.release();
  expect(await proposing).toMatchObject({ kind: "motion", isDecided: true });
  await writeFile(adminFile, left);
  expect(await operate({ kind: "log" }, options)).toMatchObject({ entries: [{ kind: "revoke", lost: undefined }] });
});

test("invites as an admin only, by a text that holds", async () => {
  const terms = { role: "trainer", uses: 1, notAfter: NOW + DAY, addresses: [] } as const;
  const invite = parseInvite(await createInviteText(terms, { dataDirectory: await directoryOf(2), genesis }));
  expect(invite.ticket).toMatchObject({ role: "trainer", uses: 1, issuer: signerOf(2).peer });
  const refused = createInviteText(terms, { dataDirectory: await directoryOf(4), genesis });
  await expect(refused).rejects.toMatchObject({ code: "NOT_ALLOWED" });
});
