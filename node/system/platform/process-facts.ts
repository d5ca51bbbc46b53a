/** What stays as it is while a process runs. */

/** This process, for people to look at. */
export interface ProcessFacts {
  readonly process: number;
  /** ISO 8601. */
  readonly startedAt: string;
  /** Node.js, system and processor, in words. */
  readonly platform: string;
  /** The system by its short name, such as linux. */
  readonly system: string;
}

/** The facts of this process. */
export function processFacts(): ProcessFacts {
  return {
    process: process.pid,
    startedAt: new Date(Date.now() - 1000 * process.uptime()).toISOString(),
    platform: `Node.js ${process.versions.node}, ${process.platform} ${process.arch}`,
    system: process.platform,
  };
}
