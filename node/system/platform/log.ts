/**
 * The log: one JSON line each, on standard error, so that standard output stays free for data. What others wrote into fields
 * is written out where it is hidden: the lines are read on terminals.
 */
import { pino } from "pino";
import type { Logger, LogLevel } from "../../interface/logger.ts";
import { visibleText } from "../../visible-text.ts";

/**
 * fields: added to every line; this peer's own id is `self`, because `peer` is always another one.
 * write: receives each line with its line end; standard error when absent.
 */
export function createLogger(options: {
  readonly level: LogLevel;
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly write?: (line: string) => void;
}): Logger {
  const { level, fields = {}, write } = options;
  const settings = {
    level,
    base: fields,
    timestamp: pino.stdTimeFunctions.isoTime,
    messageKey: "text",
    formatters: { level: (label: string) => ({ level: label }) },
  };
  // Synchronous: the last lines before an exit are the ones that matter.
  const target = write === undefined ? pino.destination({ fd: 2, sync: true }) : { write };
  const log = pino(settings, { write: (line: string) => void target.write(visibleText(line)) });
  return {
    debug: (text, more = {}) => log.debug(more, text),
    info: (text, more = {}) => log.info(more, text),
    warn: (text, more = {}) => log.warn(more, text),
    error: (text, more = {}) => log.error(more, text),
  };
}
