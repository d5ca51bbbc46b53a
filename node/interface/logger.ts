/** Structured log: a fixed text and fields. Never keys, never remote bytes as text at info or above. */
export interface Logger {
  debug(text: string, fields?: Readonly<Record<string, unknown>>): void;
  info(text: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(text: string, fields?: Readonly<Record<string, unknown>>): void;
  error(text: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** From which level on lines are written, the most talkative first. */
export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;

/** One of LOG_LEVELS. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** The parts of a peer that have a level of their own. */
export const LOG_MODULES = ["network", "membership", "exchange", "rounds", "training", "files", "events"] as const;

/** One of LOG_MODULES. */
export type LogModule = (typeof LOG_MODULES)[number];
