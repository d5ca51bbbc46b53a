/**
 * The log: on standard error, so that standard output stays free for data, and where a peer runs in a file of its own. A line
 * is JSON, and on a terminal a text for people. What others wrote into fields is written out where it is hidden, because lines
 * are read on terminals.
 */
import { type DestinationStream, multistream, pino } from "pino";
import type { Logger, LogLevel, LogModule } from "../../interface/logger.ts";
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
}

/** A log without modules. */
export function createLogger(options: LoggerOptions): Logger {
  return createLogs(options).logger;
}

/** A log for a peer. */
export function createLogs(options: LoggerOptions): Logs {
  const { level, modules = {}, fields = {}, write } = options;
  const shownBy = visibly(write === undefined ? standardError() : { write });
  const of = (module: LogModule | undefined): Logger => {
    const shown = (module && modules[module]) ?? level;
    return loggerOf(shownBy, { ...options, level: shown, fields: { ...fields, ...(module && { module }) } });
  };
  return { logger: of(undefined), of };
}

function loggerOf(shown: DestinationStream, { level, fields, keep }: LoggerOptions): Logger {
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
    debug: (text, more = {}) => log.debug(more, text),
    info: (text, more = {}) => log.info(more, text),
    warn: (text, more = {}) => log.warn(more, text),
    error: (text, more = {}) => log.error(more, text),
  };
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
