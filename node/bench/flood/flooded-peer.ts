/** A peer that runs as a process of its own, as anybody runs it, and what is measured of it from outside. */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { LoopHold } from "../../interface/event-loop.ts";
import type { PeerEvent } from "../../interface/peer-event.ts";

/** The program's entry, as the package installs it. */
const WEFT = join(import.meta.dirname, "..", "..", "..", "cli", "weft.js");

/** Where it runs, and whom it dials. */
export interface FloodedPeerOptions {
  readonly folder: string;
  readonly name: string;
  /** Of the data: `1/2`. */
  readonly part: string;
  readonly bootstrap?: string;
}

/** What a peer had and did in a time. */
export interface Sample {
  readonly seconds: number;
  /** At the end; megabytes. */
  readonly residentMb: number;
  /** Rounds that ended, and those of them into which another's update went. */
  readonly rounds: number;
  readonly heard: number;
  /** By how much its folder grew. */
  readonly diskBytes: number;
  /** Of all its threads. */
  readonly processorSeconds: number;
  /** By how much timers were late at the end, 99 % of them. */
  readonly p99Ms: number | undefined;
  /** The longest time that something held the event loop. */
  readonly hold: LoopHold | undefined;
}

/** A running peer. */
export class FloodedPeer {
  readonly folder: string;
  readonly #child: ChildProcess;
  readonly #events: PeerEvent[] = [];
  readonly #said: string[] = [];
  readonly #ended: Promise<void>;
  #isOver = false;

  constructor({ folder, name, part, bootstrap }: FloodedPeerOptions) {
    this.folder = join(folder, name);
    const words = ["run", "--events", "--serve", "--threads", "1", "--data", "embedded", "--part", part];
    const where = ["--network", join(folder, "network.json"), "--data-dir", this.folder];
    const dials = bootstrap === undefined ? [] : ["--bootstrap", bootstrap];
    this.#child = spawn(process.execPath, [WEFT, ...words, ...where, ...dials], { stdio: ["ignore", "pipe", "pipe"] });
    createInterface(this.#child.stdout!).on("line", (line) => {
      if (line.startsWith("{")) this.#events.push(JSON.parse(line));
    });
    createInterface(this.#child.stderr!).on("line", (line) => {
      this.#said.push(line);
      if (this.#said.length > SAID_MAX) this.#said.shift();
    });
    this.#ended = new Promise((resolve) => {
      this.#child.on("close", () => {
        this.#isOver = true;
        resolve();
      });
    });
  }

  isOver(): boolean {
    return this.#isOver;
  }

  /** Its last lines of standard error. */
  said(): readonly string[] {
    return this.#said;
  }

  of<Type extends PeerEvent["type"]>(type: Type): readonly Extract<PeerEvent, { type: Type }>[] {
    return this.#events.filter((event): event is Extract<PeerEvent, { type: Type }> => event.type === type);
  }

  /** Undefined until it listens. */
  address(): string | undefined {
    return this.of("started")[0]?.addresses[0];
  }

  /** Begin to measure; the function that comes back says what has happened since. */
  measure(): () => Sample {
    const began = performance.now();
    const [rounds, reports] = [this.of("round").length, this.of("loop").length];
    const [disk, processor] = [folderBytes(this.folder), this.#processorSeconds()];
    return () => {
      const since = this.of("round").slice(rounds);
      const told = this.of("loop").slice(reports);
      const holds = told.flatMap(({ report }) => report.recent ?? []).sort((a, b) => b.ms - a.ms);
      return {
        seconds: (performance.now() - began) / 1000,
        residentMb: this.#residentMb(),
        rounds: since.length,
        heard: since.filter(({ summary }) => summary.neighbours > 0).length,
        diskBytes: folderBytes(this.folder) - disk,
        processorSeconds: this.#processorSeconds() - processor,
        p99Ms: told.at(-1)?.report.p99Ms,
        hold: holds[0],
      };
    };
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGTERM");
    const late = setTimeout(() => this.#child.kill("SIGKILL"), STOP_MS);
    await this.#ended;
    clearTimeout(late);
  }

  #residentMb(): number {
    const kilobytes = /VmRSS:\s+(\d+)/.exec(this.#proc("status"))?.[1] ?? "0";
    return Number(kilobytes) / 1024;
  }

  #processorSeconds(): number {
    // Behind the name, which may hold anything: user and system time are fields 14 and 15 of the whole line.
    const fields = this.#proc("stat")
      .replace(/^.*\) /s, "")
      .split(" ");
    return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / TICKS_PER_SECOND;
  }

  #proc(file: string): string {
    try {
      return readFileSync(`/proc/${this.#child.pid}/${file}`, "utf8");
    } catch {
      // Another system, or the process has ended.
      return "";
    }
  }
}

/** Linux counts processor time in hundredths of a second. */
const TICKS_PER_SECOND = 100;
const STOP_MS = 20_000;
const SAID_MAX = 40;

/** Bytes of all files of a folder; what goes while it is looked at counts nothing. */
function folderBytes(folder: string): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    try {
      bytes += statSync(join(entry.parentPath, entry.name)).size;
    } catch {
      // Renamed or removed meanwhile.
    }
  }
  return bytes;
}
