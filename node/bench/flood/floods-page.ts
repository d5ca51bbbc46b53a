/** What floods did to a peer, as a page, and the bounds that each of them is held to. */
import type { Sample } from "./flooded-peer.ts";
import { PAUSE_MS, type Service } from "./honest-neighbour.ts";

/** One time of one run. */
export type FloodSide = Sample & Service;

/** One attack, measured. */
export interface Flood {
  readonly name: string;
  /** Of the machine, before it: processes that wanted a processor. */
  readonly load: number;
  readonly quiet: FloodSide;
  readonly flood: FloodSide;
  /** Acts of the attacker that the peer took, and those that it refused, cut off or left unanswered. */
  readonly taken: number;
  readonly refused: number;
  /** Whether the peer ended. */
  readonly isOver: boolean;
}

/** More than this of memory in 20 s is a leak or an unbounded queue: an honest run of this size has 200 MB. */
const GROWTH_MB_MAX = 200;
/** 4 GB a day; a quiet peer of half-second rounds writes 5 to 20 kB/s. */
const DISK_BYTES_PER_SECOND_MAX = 50_000;
/** Of what a neighbour asks. */
const SERVED_MIN = 0.8;
/** Of the rounds that another's update goes into, against the quiet time. */
const HEARD_MIN = 0.5;
/** Of one handler, in processor time: a tenth of what a ping may take. */
const HOLD_PROCESSOR_MS_MAX = 1_000;

/** What is beyond its bound, in words; none where all is well. */
export function beyondBounds({ quiet, flood, isOver }: Flood): readonly string[] {
  const growth = flood.residentMb - quiet.residentMb;
  const disk = flood.diskBytes / flood.seconds;
  const served = flood.served / Math.max(1, flood.asked);
  const hold = flood.hold?.processorMs ?? 0;
  return [
    isOver && "the peer ended",
    growth > GROWTH_MB_MAX && `memory grew by ${growth.toFixed(0)} MB`,
    disk > DISK_BYTES_PER_SECOND_MAX && `its folder grew by ${(disk / 1000).toFixed(1)} kB/s`,
    served < SERVED_MIN && `${flood.served} of ${flood.asked} honest requests were served`,
    shareHeard(flood) < HEARD_MIN * shareHeard(quiet) &&
      `another was heard in ${flood.heard} of ${flood.rounds} rounds`,
    hold > HOLD_PROCESSOR_MS_MAX && `${flood.hold?.handler} held the loop for ${hold} ms of processor time`,
  ].filter((text) => text !== false);
}

const shareHeard = ({ heard, rounds }: FloodSide): number => heard / Math.max(1, rounds);

const TITLES: Readonly<Record<string, string>> = {
  "silent-sockets": "140 sockets that say nothing, opened again when they are closed",
  "fresh-keys": "16 connections at a time, each of a new key, that never greet",
  "old-heads": "4 neighbours send heads of 1,024 old, valid announcements without end",
  "empty-heads": "8 neighbours ask for heads and tell none, as fast as they are answered",
  "long-hellos": "4 strangers greet again and again with manifests of a megabyte",
  "never-served": "8 neighbours announce updates twice a second, and never hand them out",
  "slow-providers": "8 neighbours pass on honest announcements, then hand out a byte a second",
  "garbage-gossip": "4 neighbours gossip random bytes and broken signatures",
  "large-requests": "4 neighbours ask for the newest update on 16 streams at a time, and read nothing",
  "longest-messages": "4 neighbours send noise that is as long as each protocol takes, without end",
  "many-keys":
    "100 strangers of one address, each of a new key, that never greet and come again when they are shown out",
  "hearsay-addresses": "8 neighbours tell of 128 addresses that lead nowhere, 50 times a second",
  "admission-requests":
    "strangers with new keys and one invite ask an admin for admission, 16 times a visit, 8 at a time",
  "strangers-of-a-roster": "16 connections at a time to an admin, each of a new key, that show nothing",
};

/** The page that docs/ has. */
export function floodsPage(floods: readonly Flood[]): string {
  return `# Floods

For whoever asks what one neighbour, or one stranger, can do to a peer's machine. \`npm run flood -- --keep\` measured it and
wrote this page: two peers train together on loopback, a third one asks the first for its heads every ${PAUSE_MS / 1000} s, which is less than a neighbour may. The first one is
attacked for 20 s by another process, and has a quiet time before each attack; it is the same peer in all of an open network. All peers run as \`weft run\` does by default. Other work shared the
machine's two processors, and so did the attacker; the load stands beside each row. Read each figure against the quiet one
before it.

| flood | load | memory, MB | rounds that another was heard in | honest requests served (longest, ms) | folder grew, kB/s | processor | taken, refused |
|---|---|---|---|---|---|---|---|
${floods.map(row).join("\n")}

${missing(floods)}"Processor" is all of the peer's threads, its training too, in processors. "Taken, refused" counts the attacker's own acts: what
the peer took or answered, and what it refused, cut off, or left without an answer for 5 s.

## Who held the event loop?

In milliseconds. The lag is the 99th percentile of how late timers were in the 20 s before the last word of each time. Holds are the
watchdog's ([ARCHITECTURE.md](ARCHITECTURE.md)); much less processor time than wall time means that the machine was busy.

| flood | lag, quiet | longest hold | of it processor time | lag, flood | longest hold | of it processor time | handler |
|---|---|---|---|---|---|---|---|
${floods.map(loopRow).join("\n")}

## Bounds

A run fails where memory grew by more than ${GROWTH_MB_MAX} MB, the folder by more than ${DISK_BYTES_PER_SECOND_MAX / 1000} kB/s, fewer than ${SERVED_MIN * 100} % of the honest requests
were served, another was heard in fewer than half as many of the rounds as before, a handler held the loop for more than
${HOLD_PROCESSOR_MS_MAX / 1000} s of processor time, or the peer ended.

${missed(floods)}
`;
}

/** What was beyond its bound, attack by attack. */
function missed(floods: readonly Flood[]): string {
  const lines = floods.flatMap((flood) => beyondBounds(flood).map((text) => `* ${TITLES[flood.name]}: ${text}.`));
  return lines.length === 0 ? "Every bound held." : `These did not hold:\n\n${lines.join("\n")}`;
}

/** Attacks that are written and not measured yet. */
function missing(floods: readonly Flood[]): string {
  const measured = new Set(floods.map(({ name }) => name));
  const rest = Object.keys(TITLES).filter((name) => !measured.has(name));
  return rest.length === 0 ? "" : `Not measured yet: ${rest.map((name) => `\`${name}\``).join(", ")}.\n\n`;
}

function row({ name, load, quiet, flood, taken, refused }: Flood): string {
  const pair = (figure: (side: FloodSide) => string): string => `${figure(quiet)} → ${figure(flood)}`;
  return `| ${[
    TITLES[name] ?? name,
    load.toFixed(1),
    pair(({ residentMb }) => residentMb.toFixed(0)),
    pair(({ heard, rounds }) => `${heard} of ${rounds}`),
    pair(({ served, asked, longestMs }) => `${served} of ${asked} (${longestMs.toFixed(0)})`),
    pair(({ diskBytes, seconds }) => (diskBytes / seconds / 1000).toFixed(1)),
    pair(({ processorSeconds, seconds }) => (processorSeconds / seconds).toFixed(2)),
    `${taken}, ${refused}`,
  ].join(" | ")} |`;
}

function loopRow({ name, quiet, flood }: Flood): string {
  const figure = (value: number | undefined): string => (value === undefined ? "" : value.toFixed(0));
  const side = ({ p99Ms, hold }: FloodSide): readonly string[] => [
    figure(p99Ms),
    figure(hold?.ms),
    figure(hold?.processorMs),
  ];
  return `| ${[TITLES[name] ?? name, ...side(quiet), ...side(flood), flood.hold?.handler ?? ""].join(" | ")} |`;
}
