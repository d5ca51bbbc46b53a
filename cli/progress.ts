/**
 * Progress on standard error: on a terminal one line that is drawn over, elsewhere a line every few seconds. It hears of
 * work wherever it is told of (`node/interface/work.ts`), and a thread beside goes on while this one is held.
 */
import type { Work, WorkNews } from "../node/index.ts";
import { Pace } from "./progress-line.ts";
import { type ProgressShare, watchProgress } from "./progress-watch.ts";
import type { Terminal } from "./terminal.ts";

/** What is shorter needs no word. */
const FIRST_MS = 2_000;
/** Between two lines where they stay, at first and later: never ten seconds of silence, and no flood of lines. */
const [EARLY_MS, LATER_MS, EARLY_FOR_MS] = [4_000, 8_000, 60_000];
/** Between two lines of what runs for days, once it has settled. */
const SETTLED_MS = 60_000;
/** Between two drawings of the line that is drawn over. */
const [DRAW_MS, DRAW_FIRST_MS] = [200, 700];
/** How often somebody looks whether it is time. */
const TICK_MS = 500;
/** The thread beside waits so much longer than this one does. */
const HELD_MS = 1_000;
/** A view that was drawn so long ago says that something goes on; after that it stands still. */
const VIEW_MS = 5_000;
/** Clear the line and begin it anew. */
const CLEAR = "\r\x1b[K";

/** How a command works. */
export interface ProgressOptions {
  /** Whether it may hold this thread for seconds before it tells of any work. */
  readonly takesLong: boolean;
  /** Whether it stays until it is stopped: then silence is no fault, and a line is worth a minute. */
  readonly staysOn: boolean;
  /** Milliseconds. */
  readonly now?: () => number;
  /** Starts the thread beside; tests bring their own. */
  readonly watch?: typeof watchProgress;
}

/** The progress of one command, and the terminal that the command writes to meanwhile. */
export class Progress {
  /** As the one given; what is written to it does not run into the line that is drawn over. */
  readonly terminal: Terminal;
  readonly #given: Terminal;
  readonly #options: ProgressOptions;
  readonly #now: () => number;
  readonly #began: number;
  readonly #works = new Map<string, Pace>();
  #saidAt: number;
  #viewAt = Number.NEGATIVE_INFINITY;
  #share: ProgressShare | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isDrawn = false;
  /** While a person types, the line is theirs. */
  #isAsking = false;

  constructor(terminal: Terminal, options: ProgressOptions) {
    this.#given = terminal;
    this.#options = options;
    this.#now = options.now ?? (() => performance.timeOrigin + performance.now());
    this.#began = this.#now();
    this.#saidAt = this.#began;
    const clearing = (write: (text: string) => void) => (text: string) => {
      this.#clear();
      write(text);
    };
    const { draw, askLine, askSecret } = terminal;
    const asking = (ask: (question: string) => Promise<string>) => async (question: string) => {
      this.#clear();
      this.#isAsking = true;
      try {
        return await ask(question);
      } finally {
        this.#isAsking = false;
        this.#saidAt = this.#now();
      }
    };
    this.terminal = {
      ...terminal,
      out: terminal.outIsTerminal ? clearing(terminal.out) : terminal.out,
      err: clearing((text) => {
        this.#saidAt = this.#now();
        this.#share?.said(this.#saidAt);
        terminal.err(text);
      }),
      ...(draw && {
        draw: clearing((text) => {
          this.#viewAt = this.#now();
          draw(text);
        }),
      }),
      ...(askLine && { askLine: asking(askLine) }),
      ...(askSecret && { askSecret: asking(askSecret) }),
    };
  }

  /** Begin to look at the time. */
  start(): void {
    if (this.#given.isQuiet) return;
    if (this.#options.takesLong) this.#watch();
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
  }

  /** Work is told of. */
  hear(news: WorkNews): void {
    if (this.#given.isQuiet) return;
    if ("isOver" in news) this.#works.delete(news.what);
    else {
      this.#note(news);
      if (news.blocks) this.#watch();
    }
    this.#tick();
  }

  /** Nothing is shown from now on. Idempotent. */
  end(): void {
    clearInterval(this.#timer);
    this.#clear();
    this.#works.clear();
    this.#share?.close();
    this.#share = undefined;
  }

  #note(work: Work): void {
    const now = this.#now();
    const pace = this.#works.get(work.what) ?? new Pace(work, now);
    pace.note(work, now);
    // The newest is last, and is what is shown.
    this.#works.delete(work.what);
    this.#works.set(work.what, pace);
  }

  /** What there is to tell of; nothing where nobody needs to hear of it. */
  #pace(now: number): Pace | undefined {
    const pace = [...this.#works.values()].at(-1);
    const isSeen = this.#options.staysOn || now - this.#viewAt < VIEW_MS;
    return pace ?? (isSeen ? undefined : new Pace({ what: "working", done: 0 }, this.#began));
  }

  #interval(now: number): number {
    const age = now - this.#began;
    if (this.#given.errIsTerminal) return age < DRAW_FIRST_MS ? DRAW_FIRST_MS : DRAW_MS;
    if (age < EARLY_FOR_MS) return this.#saidAt === this.#began ? FIRST_MS : EARLY_MS;
    return this.#options.staysOn ? SETTLED_MS : LATER_MS;
  }

  #tick(): void {
    const now = this.#now();
    const pace = this.#isAsking ? undefined : this.#pace(now);
    const interval = this.#interval(now);
    if (this.#share) {
      this.#saidAt = Math.max(this.#saidAt, this.#share.saidAt);
      this.#share.set(pace && { words: pace.words(now), began: pace.began }, interval + TICK_MS + HELD_MS);
    }
    if (pace === undefined || now - this.#saidAt < interval) return;
    const line = pace.line(now);
    this.#saidAt = now;
    if (!this.#given.errIsTerminal) this.#given.err(`${line}\n`);
    else {
      (this.#given.draw ?? this.#given.err)(`${CLEAR}${line.slice(0, Math.max(1, this.#given.columns() - 1))}`);
      this.#isDrawn = true;
    }
    this.#share?.said(now);
  }

  #clear(): void {
    if (!this.#isDrawn && !this.#share?.isDrawn) return;
    this.#isDrawn = false;
    this.#share?.cleared();
    (this.#given.draw ?? this.#given.err)(CLEAR);
  }

  /** A thread costs what a quick command takes as a whole: it is started by what takes longer. */
  #watch(): void {
    if (this.#share || !this.#given.ownsProcess) return;
    const { watch = watchProgress } = this.#options;
    this.#share = watch({ now: this.#began, isDrawn: this.#given.errIsTerminal });
    this.#tick();
  }
}
