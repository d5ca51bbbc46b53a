/** A consortium on one machine for tests: peers as real processes on loopback, and `weft` commands on their directories. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { type CommandResult, weft } from "../cli/command.suite.ts";
import type { PeerEvent } from "../node/interface/peer-event.ts";
import type { MembersAnswer } from "../node/membership/roster-desk.ts";
import { type PeerProcess, startPeerProcess } from "./peer-process.ts";

/** For waiting on real processes; a failure shows in far less. */
export const WAITING = { timeout: 120_000, interval: 50 };
const COMMAND = join(import.meta.dirname, "..", "cli", "weft.js");

/** What a peer holds of the roster, by the names of this consortium. */
export interface Held {
  readonly digest: string;
  /** Names of the entries that no other one follows. */
  readonly heads: readonly string[];
  readonly members: Readonly<Record<string, string>>;
  readonly removed: Readonly<Record<string, string>>;
}

export interface Running {
  readonly name: string;
  readonly process: PeerProcess;
  of<T extends PeerEvent["type"]>(type: T): readonly Extract<PeerEvent, { type: T }>[];
  neighbours(): number;
  /** Rounds of accepted updates of somebody. */
  acceptedFrom(name: string): readonly number[];
  /** Where others on its network reach it: not on loopback, where it has another address. */
  address(): string;
  stop(): Promise<void>;
}

export interface Consortium {
  at(name: string): string;
  /** A new data directory and its peer id. */
  init(name: string): Promise<string>;
  idOf(name: string): string;
  /** The name of a peer id; the id itself where nobody has it. */
  nameOf(peer: string): string;
  /** A network of these founders, each `NAME role`, signed by those admins. */
  found(options: {
    readonly founders: readonly string[];
    readonly signers: readonly string[];
    readonly flags?: readonly string[];
  }): Promise<void>;
  /** A command on the data directory of a peer. */
  weft(name: string, ...words: readonly string[]): Promise<CommandResult>;
  /** Its standard output as JSON; the command must succeed. */
  json<T>(name: string, ...words: readonly string[]): Promise<T>;
  /** `weft run`, or another command that goes on to run (`join`), as a process of its own. */
  start(name: string, ...flags: readonly string[]): Running;
  startWith(name: string, words: readonly string[]): Running;
  running(): readonly Running[];
  held(name: string): Promise<Held>;
  /** Wait until all running peers hold the same roster, and this of it. */
  everybodyHolds(expected: Partial<Pick<Held, "members" | "removed">>): Promise<Held>;
  /** An invite by an admin, by way of the running peers named. */
  invite(admin: string, via: readonly Running[], ...flags: readonly string[]): Promise<string>;
  /** Approve what is pending about a peer, by these admins. */
  approve(subject: string, ...admins: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

const TRAINING = ["--adapter", "loreft:r2:f2+l2:layers=0", "--local-steps", "4", "--lambda", "fixed:0.5"];

/**
 * `parts`: of the data, one for each peer.  `on`: words before the command of a peer's process, such as those that run it
 * on a host of its own.
 */
export async function createConsortium({
  parts,
  on = () => [],
}: {
  readonly parts: number;
  readonly on?: (name: string) => readonly string[];
}): Promise<Consortium> {
  const folder = await mkdtemp(join(tmpdir(), "weft-consortium-"));
  const ids = new Map<string, string>();
  const peers: Running[] = [];
  const at = (name: string): string => join(folder, name);
  const idOf = (name: string): string => {
    const id = ids.get(name);
    if (id === undefined) throw new Error(`nobody is called ${name}`);
    return id;
  };
  const nameOf = (peer: string): string => [...ids].find(([, id]) => id === peer)?.[0] ?? peer;
  const onDirectory = (name: string, words: readonly string[]) => weft([...words, "--data-dir", at(name)]);
  const json = async <T>(name: string, ...words: readonly string[]): Promise<T> => {
    const { code, out, err } = await onDirectory(name, [...words, "--json"]);
    if (code !== 0) throw new Error(`weft ${words.join(" ")} of ${name}: ${err}`);
    return JSON.parse(out) as T;
  };
  const held = async (name: string): Promise<Held> => {
    const { members, removed, digest, heads } = await json<MembersAnswer>(name, "members", "list");
    const standing = members.filter((member) => member.standing === "member");
    return {
      digest,
      heads: [...heads].sort(),
      members: Object.fromEntries(standing.map(({ peer, role }) => [nameOf(peer), role])),
      removed: Object.fromEntries(removed.map(({ peer, reason }) => [nameOf(peer), reason])),
    };
  };
  const startWith = (name: string, words: readonly string[]): Running => {
    const events: PeerEvent[] = [];
    // Every peer has its part of the data, in the order in which they were made.
    const part = `${1 + ([...ids.keys()].indexOf(name) % parts)}/${parts}`;
    const process = startPeerProcess({
      command: COMMAND,
      launcher: on(name),
      arguments: [
        ...words,
        "--data",
        "embedded",
        "--events",
        "--serve",
        "--threads",
        "1",
        "--part",
        part,
        "--data-dir",
        at(name),
      ],
      onEvent: (event) => events.push(event),
    });
    const of = <T extends PeerEvent["type"]>(type: T) =>
      events.filter((event): event is Extract<PeerEvent, { type: T }> => event.type === type);
    const running: Running = {
      name,
      process,
      of,
      neighbours: () => of("neighbours").at(-1)?.connected ?? 0,
      acceptedFrom: (author) =>
        of("update")
          .filter(({ from, verdict }) => verdict === "accept" && from === idOf(author))
          .map(({ round }) => round),
      address() {
        const { addresses } = of("started")[0]!;
        return addresses.find((address) => !address.startsWith("/ip4/127.")) ?? addresses[0]!;
      },
      async stop() {
        await process.stop(10_000);
      },
    };
    peers.push(running);
    void process.ended.then(() => peers.splice(peers.indexOf(running), 1));
    return running;
  };
  return {
    at,
    idOf,
    nameOf,
    json,
    held,
    startWith,
    async init(name) {
      const id = (await onDirectory(name, ["init"])).out.trim();
      ids.set(name, id);
      return id;
    },
    async found({ founders, signers, flags = [] }) {
      const lines = founders.map((line) => line.replace(/^\w+/, idOf));
      await writeFile(at("founders.txt"), `${lines.join("\n")}\n`);
      const file = ["--members", at("founders.txt"), "--out", at("network.json")];
      const made = await weft(["network", "create", "--name", "consortium", ...TRAINING, ...file, ...flags]);
      expect(made).toMatchObject({ code: 0 });
      for (const name of signers) {
        expect(await onDirectory(name, ["network", "sign", at("network.json")])).toMatchObject({ code: 0 });
      }
    },
    weft: (name, ...words) => onDirectory(name, words),
    start: (name, ...flags) => startWith(name, ["run", "--network", at("network.json"), ...flags]),
    running: () => [...peers],
    async everybodyHolds(expected) {
      let last: Held | undefined;
      await expect
        .poll(async () => {
          const all = await Promise.all(peers.map(({ name }) => held(name)));
          last = all[0];
          return all;
        }, WAITING)
        .toSatisfy((all: readonly Held[]) => {
          const isSame = new Set(all.map(({ digest, heads }) => `${digest} ${heads}`)).size === 1;
          return isSame && all.every((one) => holds(one, expected));
        });
      return last!;
    },
    async invite(admin, via, ...flags) {
      const bootstrap = via.flatMap((peer) => ["--bootstrap", peer.address()]);
      const { out, err, code } = await onDirectory(admin, ["network", "invite", ...bootstrap, ...flags]);
      if (code !== 0) throw new Error(err);
      return out.trim();
    },
    async approve(subject, ...admins) {
      for (const name of admins) {
        // A request reaches the other admins by gossip.
        await expect
          .poll(() => onDirectory(name, ["members", "approve", idOf(subject)]), WAITING)
          .toMatchObject({ code: 0 });
      }
    },
    async stop() {
      await Promise.all(peers.map(({ process }) => process.stop(5_000)));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const holds = (held: Held, expected: Partial<Pick<Held, "members" | "removed">>): boolean => {
  const same = (a: object, b: object): boolean =>
    JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort());
  const { members = held.members, removed = held.removed } = expected;
  return same(held.members, members) && same(held.removed, removed);
};
