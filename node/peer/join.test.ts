import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { parseGenesis } from "../../protocol/membership/genesis.ts";
import { createInvite, inviteText, parseInvite } from "../../protocol/membership/invite.ts";
import { networkId } from "../../protocol/network-manifest.ts";
import { dataDirectoryLayout } from "../data-directory/layout.ts";
import { secretKeyOf, signerOf } from "../exchange/exchange.suite.ts";
import { BOUNDS, createMember, genesisWith, type Member } from "../membership/membership.suite.ts";
import type { RosterMembership } from "../membership/membership.ts";
import { createLibp2pTransport } from "../system/network/libp2p.ts";
import { createMemoryHub } from "../system/network/memory-transport.ts";
import { patient } from "../system/network/transport.suite.ts";
import { createSystemClock } from "../system/platform/system-clock.ts";
import { openJoining } from "./join.ts";
import { operate } from "./operator.ts";

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function member(genesis: ReturnType<typeof genesisWith>): Promise<Member> {
  let made: RosterMembership | undefined;
  const up = await createMember(
    { clock: createSystemClock(), hub: createMemoryHub(), genesis },
    {
      seed: 1,
      transport: (seed, logger, membership) =>
        createLibp2pTransport(
          { logger, admits: (peer) => (made ?? membership())?.admits(peer) !== false },
          { seed, listen: ["/ip4/127.0.0.1/tcp/0"], connectionsMax: 16, ...BOUNDS },
        ),
    },
  );
  made = up.membership;
  ends.push(() => up.stop());
  return up;
}

async function directoryOf(seed: number): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "weft-join-"));
  ends.push(() => rm(folder, { recursive: true }));
  await writeFile(dataDirectoryLayout(folder).key, secretKeyOf(seed), { mode: 0o600 });
  return folder;
}

const invited = (genesis: ReturnType<typeof genesisWith>, { transport }: Member) =>
  inviteText(
    createInvite(
      {
        networkId: networkId(genesis.manifest),
        role: "trainer",
        uses: 1,
        notAfter: Math.floor(Date.now() / 1000) + 3600,
        secret: new Uint8Array(16).fill(3),
        addresses: transport.addresses(),
      },
      signerOf(1),
    ),
  );

test("brings a newcomer from an invite to a data directory that it can start with", async () => {
  const genesis = genesisWith({ approval: "invite" }, 1);
  const a = await member(genesis);
  const dataDirectory = await directoryOf(5);
  const invite = parseInvite(invited(genesis, a));
  const about = { invite, label: "", bootstrap: [], reach: { network: "" }, logger: SILENT };
  const joining = await openJoining({ ...about, dataDirectory, signal: patient() });
  const found = await joining.network();
  expect(found).toEqual({ genesis, story: { manifests: [genesis.manifest], current: 0 } });
  expect(await joining.admission(found, () => undefined)).toMatchObject({
    grant: { role: "trainer", subject: joining.peer },
    manifest: genesis.manifest,
  });
  await joining.close();
  expect(parseGenesis(await readFile(dataDirectoryLayout(dataDirectory).genesis, "utf8"))).toEqual(genesis);
  expect(await operate({ kind: "members" }, { dataDirectory, genesis })).toMatchObject({
    self: { peer: signerOf(5).peer, role: "trainer", standing: "member" },
    entryCount: 1,
  });
  const other = await openJoining({
    ...about,
    dataDirectory: await directoryOf(6),
    signal: patient(),
  });
  ends.push(() => other.close());
  await expect(other.network()).rejects.toThrow("the invite is used up; ask for a new one");
});
