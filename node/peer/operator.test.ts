import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { parseInvite } from "../../protocol/membership/invite.ts";
import { dataDirectoryLayout } from "../data-directory/layout.ts";
import { secretKeyOf, signerOf } from "../exchange/exchange.suite.ts";
import { DAY, genesisWith, NOW, revoke } from "../membership/membership.suite.ts";
import { takeLock } from "../system/files/lock-file.ts";
import { watchRequestInbox } from "../system/files/request-inbox.ts";
import { silentLogger } from "../system/network/transport.suite.ts";
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

test("invites as an admin only, by a text that holds", async () => {
  const terms = { role: "trainer", uses: 1, notAfter: NOW + DAY, addresses: [] } as const;
  const invite = parseInvite(await createInviteText(terms, { dataDirectory: await directoryOf(2), genesis }));
  expect(invite.ticket).toMatchObject({ role: "trainer", uses: 1, issuer: signerOf(2).peer });
  const refused = createInviteText(terms, { dataDirectory: await directoryOf(4), genesis });
  await expect(refused).rejects.toMatchObject({ code: "NOT_ALLOWED" });
});
