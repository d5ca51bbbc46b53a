/**
 * The log: on standard error, so that standard output stays free for data, and where a peer runs in a file of its own. A line
 * is JSON, and on a terminal a text for people. What others wrote into fields is written out where it is hidden, because lines
 * are read on terminals.
 */
import { type DestinationStream, multistream, pino } from "pino";
import type { Logger, LogLevel, LogModule } from "../../interface/logger.ts";
import type { PeerLabel } from "../../interface/peer-names.ts";
import { visibleText } from "../../visible-text.ts";
import { logLine } from "./log-line.ts";

/** What is written, and where to. */
export interface LoggerOptions {
  readonly level: LogLevel;
  /** Other levels than that of modules of the peer. */
  readonly modules?: Readonly<Partial<Record<LogModule, LogLevel>>> | undefined;
  /** Added to every line; this peer's own id is `self`, because `peer` is always another one. */
  readonly fields?: Readonly<Record<string, unknown>>;
  /** Receives each line with its line end, as JSON; standard error when absent. */
  readonly write?: (line: string) => void;
  /** Receives each line from `info` on, and what the levels ask for besides; as JSON, with its line end. */
  readonly keep?: (line: string) => void;
}

/** A log, and one for each module of a peer. */
export interface Logs {
  readonly logger: Logger;
  /** Its lines have a field `module`. */
  of(module: LogModule): Logger;
  /** From now on lines that name another peer say what it calls itself too. */
  nameBy(labelOf: LabelOf): void;
  /** What a peer calls itself, where that is known. */
  labelOf(peer: string): PeerLabel;
}

type LabelOf = (peer: string) => PeerLabel;

/** A log without modules. */
export function createLogger(options: LoggerOptions): Logger {
  return createLogs(options).logger;
}

/** A log for a peer. */
export function createLogs(options: LoggerOptions): Logs {
  const { level, modules = {}, fields = {}, write } = options;
  const shownBy = visibly(write === undefined ? standardError() : { write });
  let labels: LabelOf = () => undefined;
  const labelOf: LabelOf = (peer) => labels(peer);
  const of = (module: LogModule | undefined): Logger => {
    const shown = (module && modules[module]) ?? level;
    return loggerOf(shownBy, { ...options, level: shown, fields: { ...fields, ...(module && { module }) } }, labelOf);
  };
  return { logger: of(undefined), of, labelOf, nameBy: (known) => void (labels = known) };
}

function loggerOf(shown: DestinationStream, { level, fields, keep }: LoggerOptions, labelOf: LabelOf): Logger {
  const settings = {
    // What is kept may be more talkative than what is shown.
    level: keep !== undefined && isQuieter(level, "info") ? "info" : level,
    base: fields ?? {},
    timestamp: pino.stdTimeFunctions.isoTime,
    messageKey: "text",
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const log = pino(settings, keep === undefined ? shown : both({ level, shown, keep }));
  return {
    debug: (text, more = {}) => log.debug(labelled(more, labelOf), text),
    info: (text, more = {}) => log.info(labelled(more, labelOf), text),
    warn: (text, more = {}) => log.warn(labelled(more, labelOf), text),
    error: (text, more = {}) => log.error(labelled(more, labelOf), text),
  };
}

/** Fields that hold the id of another peer; no line has two of them. */
const PEER_FIELDS = ["peer", "author", "issuer"] as const;

function labelled(fields: Readonly<Record<string, unknown>>, labelOf: LabelOf): Readonly<Record<string, unknown>> {
  if ("label" in fields) return fields;
  const peer = PEER_FIELDS.map((name) => fields[name]).find((value) => typeof value === "string");
  const label = peer === undefined ? undefined : labelOf(String(peer));
  return label === undefined ? fields : { ...fields, label };
}

/** What is shown from this level on, and everything kept. */
function both({ level, shown, keep }: { level: LogLevel; shown: DestinationStream; keep: (line: string) => void }) {
  const kept = { level: "debug", stream: visibly({ write: keep }) } as const;
  return multistream(level === "silent" ? [kept] : [{ level, stream: shown }, kept]);
}

/** Takes lines whose hidden characters are written out; as JSON they mean the same. */
const visibly = (stream: DestinationStream): DestinationStream => ({
  write: (line: string) => void stream.write(visibleText(line)),
});

const LOUDNESS: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3, silent: 4 };
const isQuieter = (a: LogLevel, b: LogLevel): boolean => LOUDNESS[a] > LOUDNESS[b];

/** For people on a terminal, for programs elsewhere. Synchronous: the last lines before an exit are the ones that matter. */
function standardError(): DestinationStream {
  const raw = pino.destination({ fd: 2, sync: true });
  return process.stderr.isTTY === true ? { write: (line: string) => raw.write(logLine(line)) } : raw;
}
