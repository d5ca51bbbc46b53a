/** What the text after a flag may be. Each parser returns the value or says what it expected. */

import { multiaddr } from "@multiformats/multiaddr";
import { InvalidArgumentError } from "commander";
import { addressFilter, LOG_LEVELS, LOG_MODULES, type LogLevel, type LogModule } from "../node/index.ts";
import { peerIdOfAddress } from "../protocol/addresses.ts";
import type { OptionRow } from "./command-row.ts";
import { fieldParser } from "./field-flag.ts";

/** What reads the text after a flag, wherever the text comes from: the command line, the environment or a file. */
export function parserOf({ flags, parse }: OptionRow): (text: string) => unknown {
  return parse ?? (/<(file|folder)>/.test(flags) ? path : (text) => text);
}

/** A path as it was given. An empty one, of a variable that is not set, would mean the folder at hand. */
function path(text: string): string {
  if (text === "") throw new InvalidArgumentError("expected a path, and this is an empty text");
  if (text.includes("\0")) throw new InvalidArgumentError("expected a path, which has no character of code 0");
  return text;
}

/** A name that others read: `min` to `max` characters of printable ASCII. */
export function printable(min: number, max: number): (text: string) => string {
  return (text) => {
    if (text.length >= min && text.length <= max && /^[ -~]*$/.test(text)) return text;
    throw new InvalidArgumentError(`expected ${min} to ${max} letters, digits and signs of ASCII`);
  };
}

/** An integer of `min` to `max`. */
export function integer(min: number, max: number = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return fieldParser({ type: "integer", min, max });
}

/** A finite number above 0. */
export function positive(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value > 0 && Number.isFinite(value))) {
    throw new InvalidArgumentError("expected a number above 0");
  }
  return value;
}

/** A number, 0 or more. */
export function notNegative(text: string): number {
  return text.trim() !== "" && Number(text) === 0 ? 0 : positive(text);
}

/** A number above 0 and at most 1. */
export function share(text: string): number {
  const value = positive(text);
  if (value > 1) throw new InvalidArgumentError("expected a number above 0 and at most 1");
  return value;
}

/** One of a few words. */
export function choice<const T extends string>(
  values: readonly T[],
): ((text: string) => T) & { readonly values?: readonly string[] } {
  return fieldParser({ type: "choice", values });
}

/** A part of the peer and a level of its log, such as network=debug. */
export function moduleLevel(text: string): readonly [LogModule, LogLevel] {
  const [module, level, ...rest] = text.split("=");
  const [known, shown] = [LOG_MODULES.find((one) => one === module), LOG_LEVELS.find((one) => one === level)];
  if (known !== undefined && shown !== undefined && rest.length === 0) return [known, shown];
  throw new InvalidArgumentError(
    `expected one of ${LOG_MODULES.join(", ")}, then = and one of ${LOG_LEVELS.join(", ")}`,
  );
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** A time such as 90s, 30m, 48h or 90d, of `min` to `max` seconds; the value is in seconds. */
export function duration(min: number, max: number): (text: string) => number {
  return (text) => {
    const [, count = "", unit = ""] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
    const seconds = Number(count) * (UNIT_SECONDS[unit] ?? Number.NaN);
    if (!(seconds >= min && seconds <= max)) {
      const bounds = `of ${formatDuration(min)} to ${formatDuration(max)}`;
      throw new InvalidArgumentError(`expected a time ${bounds}, such as 30m, 48h or 90d`);
    }
    return seconds;
  };
}

/** A point in time, as seconds since 1970 or as seconds from now on. */
export type Moment = { readonly at: number } | { readonly in: number };

/** A date in UTC, with or without a time of day, or a time from now on as `duration` takes it. */
export function momentOrDuration(secondsMax: number): (text: string) => Moment {
  return (text) => {
    if (/^\d+[smhd]$/.test(text)) return { in: duration(1, secondsMax)(text) };
    const [date] = /^\d{4}-\d{2}-\d{2}(?=$|T\d{2}:\d{2}(:\d{2})?Z?$)/.exec(text) ?? [];
    const ms = Date.parse(text.length === 10 || text.endsWith("Z") ? text : `${text}Z`);
    // A day that the calendar does not have is another day to Date.
    if (date === undefined || Number.isNaN(ms) || !new Date(ms).toISOString().startsWith(date)) {
      throw new InvalidArgumentError(
        "expected a date in UTC such as 2027-03-31 or 2027-03-31T18:00, or a time such as 30d",
      );
    }
    return { at: Math.floor(ms / 1000) };
  };
}

/** Seconds as `duration` takes them, in the largest unit that divides them. */
export function formatDuration(seconds: number): string {
  const [unit, size] = Object.entries(UNIT_SECONDS).findLast(([, one]) => seconds % one === 0)!;
  return `${seconds / size}${unit}`;
}

/** A multiaddr to listen on: where, which port, and over it TCP, WebSocket or QUIC. */
export function listenAddress(text: string): string {
  if (!isMultiaddr(text) || !/^\/(ip4|ip6|dns|dns4|dns6)\/[^/]+\/(tcp\/\d+(\/ws)?|udp\/\d+\/quic-v1)$/.test(text)) {
    throw new InvalidArgumentError("expected a multiaddr such as /ip4/0.0.0.0/tcp/9000");
  }
  return text;
}

/** A multiaddr that others shall dial: as one to listen on, or of a proxy that ends TLS (`/dns4/HOST/tcp/443/wss`). */
export function announcedAddress(text: string): string {
  const pattern = /^\/(ip4|ip6|dns|dns4|dns6)\/[^/]+\/(tcp\/\d+(\/ws|\/wss|\/tls\/ws)?|udp\/\d+\/quic-v1)$/;
  if (!isMultiaddr(text) || !pattern.test(text)) {
    throw new InvalidArgumentError("expected a multiaddr such as /dns4/peer.example.org/tcp/9000");
  }
  return text;
}

/** An address range, such as 10.0.0.0/8. */
export function addressRange(text: string): string {
  try {
    addressFilter([text]);
  } catch {
    throw new InvalidArgumentError("expected an address range such as 10.0.0.0/8 or fd00::/8");
  }
  return text;
}

/** A multiaddr to dial, and whom: it ends in /p2p/ and a peer id. */
export function peerAddress(text: string): string {
  if (!isMultiaddr(text) || peerIdOfAddress(text) === undefined) {
    throw new InvalidArgumentError("expected a multiaddr that ends in /p2p/ and a peer id, as weft run prints it");
  }
  return text;
}

function isMultiaddr(text: string): boolean {
  try {
    return multiaddr(text).getComponents().length > 0;
  } catch {
    // The library throws errors of many kinds, all of them about the text.
    return false;
  }
}

/** One of several equal parts of split data. */
export interface Part {
  /** Counted from 0. */
  readonly index: number;
  readonly count: number;
}

/** Which part of the split data: `2/6` is the second of six. */
export function part(text: string): Part {
  const match = /^(\d{1,6})\/(\d{1,6})$/.exec(text);
  const [index, count] = [Number(match?.[1]), Number(match?.[2])];
  if (!match || index < 1 || index > count) {
    throw new InvalidArgumentError("expected the part and the number of parts, such as 2/6");
  }
  return { index: index - 1, count };
}
