/** What a running peer tells, as lines for a person or for a program. */
import {
  type AddressEvent,
  type CompanyEvent,
  counted,
  eventLogLevel,
  LOG_LEVELS,
  type LogLevel,
  type LogModule,
  type NetworkManifest,
  type PeerEvent,
  type PeerNames,
  type PeerNews,
  type SessionEvent,
} from "../node/index.ts";
import { formatEventLine } from "../testnet/words/event-line.ts";
import { progressLine } from "../testnet/words/live-view.ts";
import { peerName, withName } from "../testnet/words/peer-name.ts";
import { reportLines } from "../testnet/words/report-lines.ts";
import { jsonText } from "./json.ts";
import type { Terminal } from "./terminal.ts";

/** How a run is told: as events for a program, as one JSON document at its end, or in words. */
export interface TellingFlags {
  readonly events?: boolean;
  readonly json?: boolean;
  readonly format?: "jsonl";
  readonly logModule?: readonly (readonly [LogModule, LogLevel])[];
}

/** What the lines of one run have in common. */
export interface RunLines {
  readonly manifest: NetworkManifest;
  /** Of all peers that the lines name. */
  readonly names: PeerNames;
}

/** Say on the terminal what just happened under this manifest. */
export function tellNews(
  event: PeerNews,
  lines: RunLines,
  { format, events = format === "jsonl", json = false, logModule = [] }: TellingFlags,
  { out, err }: Pick<Terminal, "out" | "err">,
): void {
  if (event.type === "session") {
    if (event.step !== "serves" || !events) err(`${sessionLine(event)}\n`);
    return;
  }
  if (events) out(formatEventLine(event));
  // Whoever reads events reads the log too, and what the peer lacks is for a person to do something about.
  const isSaid = (!events || event.type === "observing") && !isLogged(event, new Map(logModule).get("events"));
  if (isSaid) for (const line of eventLines(event, lines)) err(`${line}\n`);
  if (event.type !== "finished" || events) return;
  out(json ? jsonText(event.report) : `${reportLines(event.report).join("\n")}\n`);
}

/** Whether the log on standard error has an event, at the level that somebody asked for it: then no words stand beside it. */
function isLogged({ type }: PeerEvent, asked: LogLevel = "silent"): boolean {
  const level = eventLogLevel(type);
  return level !== undefined && LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(asked);
}

/** Nothing for the many events that are only numbers. */
function eventLines(event: PeerEvent, { manifest, names }: RunLines): readonly string[] {
  if (isOfCompany(event)) return [companyLine(event, names)];
  const line = progressLine(event, manifest, names);
  return [
    ...(event.type === "started" ? [addressLine(event.addresses)] : []),
    ...(line === undefined ? [] : [`${line}${NEXT_STEPS[event.type] ?? ""}`]),
  ];
}

/** Where others dial it, for whoever tells them. */
const addressLine = (addresses: readonly string[]): string =>
  addresses.length > 0
    ? `dial this peer at ${addresses.join(" or ")}`
    : "nobody can dial this peer, which has no address of its own; it dials others";

/** The command that helps with what an event says. */
const NEXT_STEPS: { readonly [Type in PeerEvent["type"]]?: string } = {
  ending: " (weft members promote)",
  clock: " (weft doctor compares the clocks)",
};

const timesWords = (times: number): string => (times > 1 ? ` (${counted(times, "time")} by now)` : "");

/** Whom the peer has to talk to, and whom it cannot reach. */
function companyLine(event: CompanyEvent, names: PeerNames): string {
  switch (event.type) {
    case "company":
      return COMPANY_LINES[event.change](peerName(names, event.peer, event.label));
    case "alone":
      return event.addresses === 0
        ? "no neighbour yet, and no address to dial: others dial this peer, or give --bootstrap"
        : `no neighbour since ${event.since}; ${counted(event.addresses, "known address is", "known addresses are")} dialled again and again, weft doctor looks closer`;
    case "address":
      return leadsHere(event);
    case "declined":
      return `${peerName(names, event.peer, event.label)} does not become a neighbour${timesWords(event.times)}: ${event.reason}`;
    case "unreachable": {
      const tries = timesWords(event.failures);
      return `cannot reach ${withName(event.address, event.label)}: ${event.reason}${tries}; trying again`;
    }
  }
}

function leadsHere({ address, isReached, isTold, asked }: AddressEvent): string {
  if (isReached) return `others get through to ${address} again, and are told of it`;
  const told = isTold ? "it is told all the same, because it is announced" : "others are told of it no longer";
  return `none of ${counted(asked, "neighbour")} that tried gets through to ${address}; ${told}. Let it through the firewall and the router, or give --outbound-only`;
}

const COMPANY_TYPES: ReadonlySet<string> = new Set<CompanyEvent["type"]>([
  "company",
  "alone",
  "address",
  "declined",
  "unreachable",
]);
const isOfCompany = (event: PeerEvent): event is CompanyEvent => COMPANY_TYPES.has(event.type);

const COMPANY_LINES: Readonly<Record<"found" | "lost" | "back", (peer: string) => string>> = {
  found: (peer) => `found a first neighbour, ${peer}`,
  lost: (peer) => `the last neighbour, ${peer}, is gone; training goes on alone while others are looked for`,
  back: (peer) => `there is a neighbour again, ${peer}`,
};

function sessionLine(event: SessionEvent): string {
  switch (event.step) {
    case "records cut": {
      const { cut, maxTokens } = event;
      const tokens = cut.promptTokens + cut.responseTokens;
      return `${counted(cut.records, "record is", "records are")} longer than ${maxTokens} tokens; ${counted(tokens, "token was", "tokens were")} cut`;
    }
    case "model found":
      return "the network's model is there; this peer trains from now on";
    case "left behind":
      return "the members are in a later network";
    case "goes on":
      return `going on under network ${event.network} from round ${event.round + 1} on`;
    case "serves":
      return "finished; serving updates to others until Ctrl-C";
  }
}
