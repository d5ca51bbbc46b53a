/** `weft join`: from an invite to a member, and on to a running peer. */

import {
  counted,
  createNativeVerifier,
  type FoundNetwork,
  type Joining,
  keepNetwork,
  keptNetwork,
  type ModelDigests,
  membershipDoor,
  NodeError,
  networkDoor,
  recordDoor,
  rosterGenesis,
  type WorkTeller,
  workDoor,
} from "../../../node/index.ts";
import { LIMITS } from "../../../protocol/limits.ts";
import type { Grant } from "../../../protocol/membership/entry.ts";
import { createGenesis } from "../../../protocol/membership/genesis.ts";
import { parseInvite } from "../../../protocol/membership/invite.ts";
import { type NetworkManifest, networkId } from "../../../protocol/network-manifest.ts";
import { leavingLines } from "../../../testnet/words/leaving-lines.ts";
import type { CommandRow } from "../../command-row.ts";
import { writeConfig } from "../../config-file.ts";
import { dataDirectory } from "../../data-directory.ts";
import { inviteGiven } from "../../invite-argument.ts";
import { jsonText } from "../../json.ts";
import { EVENT_LINES, optional, PEER_REPORT_JSON } from "../../json-shapes.ts";
import { modelDirectory } from "../../model-directory.ts";
import { duration, printable } from "../../option-value.ts";
import { outwardReach } from "../../reach-options.ts";
import type { RunOptions } from "../../run-options.ts";
import { DATA_DIR, PEER_OPTIONS, RUN_OPTIONS } from "../../shared-options.ts";
import { EXIT_OK, stoppedCode, type Terminal } from "../../terminal.ts";
import { configOf } from "./init.ts";
import { runPeer } from "./run.ts";

/** The row of `weft join`, and what it runs. */
export const joinCommand: CommandRow = {
  name: ["join"],
  text: "Join a network by an invite. The peer checks the manifest and the model, asks for admission, waits for the admins, and runs.",
  argument: {
    name: "invite",
    text: "the text weft1… that weft network invite printed, or - to read it from standard input; every user of the machine sees what stands in a command",
    optional: true,
  },
  options: [
    { flags: "--invite-file <file>", text: "file with the invite, in place of the argument" },
    DATA_DIR,
    {
      flags: "--label <text>",
      text: "name of this peer in its request, for the admins",
      parse: printable(0, LIMITS.labelLengthMax),
      otherwise: "nothing",
    },
    {
      flags: "--wait <time>",
      text: "longest wait for the admins, such as 30m",
      parse: duration(1, 30 * 86_400),
      otherwise: "until Ctrl-C",
    },
    { flags: "--join-only", text: "join only, and do not run afterwards" },
    ...PEER_OPTIONS.filter(({ flags }) => !flags.startsWith("--network")),
    ...RUN_OPTIONS,
  ],
  configurable: "partly",
  takesLong: true,
  staysOn: true,
  endsInOrder: true,
  example: "weft join --invite-file invite.txt --label hospital-4 --data-dir dave",
  json: {
    ...optional(PEER_REPORT_JSON),
    "peer?": "with --join-only: the peer's id",
    "network?": "with --join-only: the network's id",
    "role?": "with --join-only: the role that it has",
    "until?": "with --join-only: the end of its membership",
    "dataDirectory?": "with --join-only: where its files are",
  },
  jsonl: EVENT_LINES,
  run,
};

/** What `weft join` takes beside the flags of `weft run`. */
interface JoinCommandOptions extends RunOptions {
  readonly inviteFile?: string;
  readonly label?: string;
  /** Seconds. */
  readonly wait?: number;
  readonly joinOnly?: boolean;
}

async function run(options: JoinCommandOptions, terminal: Terminal, argument: string | undefined): Promise<number> {
  const { createLogger } = await recordDoor();
  const { openJoining } = await membershipDoor();
  const invite = parseInvite(await inviteGiven(options, argument), createNativeVerifier());
  const folder = dataDirectory(options.dataDir, terminal.environment);
  await refuseOther(folder, invite.ticket.networkId);
  await refuseRemoved(folder, terminal.signal);
  terminal.err(`files of this peer: ${folder}\n`);
  const { ModelDigests } = await networkDoor();
  const { tellWork } = await workDoor();
  const digests = new ModelDigests();
  const timeout = options.wait === undefined ? undefined : AbortSignal.timeout(options.wait * 1000);
  const joining = await openJoining({
    dataDirectory: folder,
    invite,
    label: options.label ?? "",
    bootstrap: options.bootstrap ?? [],
    reach: outwardReach(options, invite.ticket.networkId),
    logger: createLogger({ level: options.logLevel ?? "warn" }),
    signal: timeout === undefined ? terminal.signal : AbortSignal.any([terminal.signal, timeout]),
  });
  let grant: Grant;
  let manifest: NetworkManifest;
  try {
    const found = await networkOf(joining, options, { terminal, digests, tellWork });
    ({ grant, manifest } = await joining.admission(found, waitingTeller(joining, { terminal, tellWork })));
    // A directory that has been in the network before goes on from where it was.
    const isFirst = networkId(manifest) === networkId(found.genesis.manifest);
    if ((await keptNetwork(folder)) === undefined) {
      await keepNetwork(isFirst ? found.genesis : createGenesis(manifest), folder);
    }
  } catch (error) {
    if (timeout?.aborted) {
      const text = `nobody decided within ${counted(options.wait ?? 0, "second")}; run the same command again, and it asks the same question`;
      throw new NodeError("TIMEOUT", text);
    }
    if (terminal.signal.aborted) return stoppedCode(terminal.signal);
    throw error;
  } finally {
    for (const what of ["looking for a member", "waiting for the admins"]) tellWork({ what, isOver: true });
    await joining.close();
  }
  const bootstrap = [...new Set([...(options.bootstrap ?? []), ...invite.addresses])];
  await writeConfig(folder, configOf({ ...options, bootstrap }));
  const until = new Date(grant.notAfter * 1000).toISOString();
  terminal.err(`admitted to ${manifest.name} as ${grant.role} until ${until}\n`);
  for (const line of leavingLines(manifest, grant.role, { more: "docs/PRIVACY.md, and --dp" }))
    terminal.err(`${line}\n`);
  if (!options.joinOnly) return runPeer({ ...options, bootstrap }, terminal, digests);
  const { peer } = joining;
  const network = networkId(manifest);
  terminal.out(
    options.json ? jsonText({ peer, network, role: grant.role, until, dataDirectory: folder }) : `${peer}\n`,
  );
  return EXIT_OK;
}

/** The network, and the model held against what is trained under now, before anybody is asked for anything. */
async function networkOf(
  joining: Joining,
  options: JoinCommandOptions,
  {
    terminal,
    digests,
    tellWork,
  }: { readonly terminal: Terminal; readonly digests: ModelDigests; readonly tellWork: WorkTeller },
): Promise<FoundNetwork> {
  const found = await joining.network(unreachableTeller(joining, { terminal, tellWork }));
  tellWork({ what: "looking for a member", isOver: true });
  const { manifests, current } = found.story;
  const manifest = manifests[current] ?? found.genesis.manifest;
  terminal.err(`network ${manifest.name}, ${networkId(manifest)}\n`);
  if (current > 0) {
    terminal.err(
      `it has gone on ${counted(current, "time")} since ${networkId(found.genesis.manifest)}, which the invite names\n`,
    );
  }
  const { checkModel, modelProblems } = await networkDoor();
  const check = checkModel(manifest, modelDirectory(options.model), digests);
  if (check.isRight) return found;
  const problems = modelProblems(check);
  for (const problem of problems.slice(1)) terminal.err(`${problem}\n`);
  const text = `${problems[0]}; get these files and name their folder with --model`;
  throw new NodeError("MODEL_MISMATCH", text, { directory: check.directory });
}

/** A peer belongs to one network. */
async function refuseOther(folder: string, network: string): Promise<void> {
  const kept = await keptNetwork(folder);
  if (kept === undefined) return;
  const { manifest } = kept;
  if ((manifest.succeeds?.first ?? networkId(manifest)) === network) return;
  const text = `${folder} belongs to another network, ${manifest.name}; choose another --data-dir`;
  throw new NodeError("MANIFEST_MISMATCH", text, { network });
}

/**
 * A removed key is let in nowhere, and no member tells it so: its own roster says it.
 * Throws: NodeError MEMBERSHIP_ENDED.
 */
async function refuseRemoved(dataDirectory: string, signal: AbortSignal): Promise<void> {
  const kept = await keptNetwork(dataDirectory);
  const genesis = kept && (await rosterGenesis(kept, dataDirectory));
  if (genesis === undefined) return;
  const { membersOf } = await import("../../roster-action.ts");
  const { self } = await membersOf({ dataDirectory, genesis, manifest: kept?.manifest ?? genesis.manifest, signal });
  if (self.standing !== "removed") return;
  const text = `the key in ${dataDirectory} was removed from the network, which is for good`;
  throw new NodeError("MEMBERSHIP_ENDED", text, { peer: self.peer, problem: "key-barred" });
}

/** Says whom this peer asks, and once for each reason why nobody has answered. */
function unreachableTeller(
  { addresses }: Joining,
  { terminal, tellWork }: { readonly terminal: Terminal; readonly tellWork: WorkTeller },
): (reason: string) => void {
  tellWork({ what: "looking for a member", done: 0 });
  for (const address of addresses) terminal.err(`asking for the network at ${address}\n`);
  const said = new Set<string>();
  return (reason) => {
    if (!said.has(reason)) terminal.err(`${reason}; trying again for a minute\n`);
    said.add(reason);
  };
}

/** Says once what is waited for, and when nobody can be reached. */
function waitingTeller(
  { peer, fingerprint }: Joining,
  { terminal, tellWork }: { readonly terminal: Terminal; readonly tellWork: WorkTeller },
): Parameters<Joining["admission"]>[1] {
  let last = "";
  tellWork({ what: "waiting for the admins", done: 0 });
  terminal.err(`this peer is ${peer}\nfingerprint ${fingerprint}: an admin who calls should see the same digits\n`);
  return (waiting) => {
    const line =
      waiting.kind === "pending"
        ? "waiting until admins approve; Ctrl-C to come back later with the same invite"
        : `no member can be reached at the moment (${waiting.reason}); trying again`;
    if (line !== last) terminal.err(`${line}\n`);
    last = line;
  };
}
