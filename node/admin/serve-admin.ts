/** The admin interface of a running peer: put together, served, and found again by other programs of this machine. */
import { dataDirectoryLayout } from "../data-directory/layout.ts";
import type { AdminAddress } from "../interface/admin.ts";
import type { MetricsPage } from "../interface/metrics.ts";
import type { Peer } from "../peer/peer.ts";
import { absolutePath } from "../system/files/absolute-path.ts";
import { readOrCreateToken } from "../system/files/admin-token.ts";
import { removeAll, writeFileAtomic } from "../system/files/atomic-file.ts";
import { egressTail } from "../system/files/egress-tail.ts";
import { startAdminServer } from "../system/http/admin-server.ts";
import { createMetricsPage } from "../system/http/metrics-page.ts";
import { measureFiles } from "../system/platform/file-figures.ts";
import { createLogger } from "../system/platform/log.ts";
import { processFacts } from "../system/platform/process-facts.ts";
import { createSystemClock } from "../system/platform/system-clock.ts";
import { adminUrl, defaultAdminAddress } from "./admin-address.ts";
import { adminRoutes } from "./admin-routes.ts";
import { EventFeed } from "./event-feed.ts";
import type { AdminFile } from "./find-admin.ts";
import { healthRoutes } from "./health-routes.ts";
import { PEER_METRICS } from "./metric-rows.ts";
import { PeerMetrics } from "./peer-metrics.ts";
import { PeerRecord } from "./peer-record.ts";

/** How a peer's admin interface is served. */
export interface AdminOptions {
  readonly dataDirectory: string;
  /** Of the program. */
  readonly version: string;
  /** Default: a socket among the peer's files, or a free port where that cannot be. */
  readonly address?: AdminAddress;
  /** What the run was told, for people to look at; secrets left out. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Called when somebody asks for the peer to stop. */
  readonly stop: () => void;
}

/** An admin interface that listens to its peer from the beginning, and is served once the peer has its data directory. */
export class AdminInterface {
  readonly #peer: Peer;
  readonly #options: AdminOptions;
  readonly #record: PeerRecord;
  readonly #feed: EventFeed;
  readonly #page: MetricsPage;
  readonly #figures: PeerMetrics;
  readonly #endListening: () => void;
  #close: (() => Promise<void>) | undefined;
  #isAskedToStop = false;

  constructor(peer: Peer, options: AdminOptions) {
    const clock = createSystemClock();
    this.#peer = peer;
    this.#options = options;
    this.#record = new PeerRecord(clock);
    this.#feed = new EventFeed(clock);
    this.#page = createMetricsPage(PEER_METRICS);
    this.#figures = new PeerMetrics(this.#page, clock);
    this.#endListening = peer.events((event) => {
      this.#record.note(event);
      this.#figures.note(event);
      this.#feed.add(event);
    });
  }

  /** Whether somebody has asked for the peer to stop. */
  get isAskedToStop(): boolean {
    return this.#isAskedToStop;
  }

  /**
   * Serve it; the peer has started, so that the data directory is this process's. Where it is stands in the data directory;
   * resolves with the same for people: the path of a socket, or an address for browsers.
   * Throws: NodeError PORT_IN_USE, LISTEN_FAILED, KEY_FILE, DISK_FULL, DATA_DIRECTORY.
   */
  async serve(): Promise<string> {
    const { dataDirectory, version, settings, stop } = this.#options;
    const layout = dataDirectoryLayout(dataDirectory);
    const facts = processFacts();
    const token = await readOrCreateToken(layout.adminToken);
    const server = await startAdminServer(createLogger({ level: "warn" }), {
      address: this.#options.address ?? defaultAdminAddress(absolutePath(layout.adminSocket), facts.system),
      token,
      version,
      feed: this.#feed,
      routes: [
        ...adminRoutes({
          peer: this.#peer,
          record: this.#record,
          about: { version, ...facts, dataDirectory: absolutePath(dataDirectory), settings },
          ledgerTail: (count) => egressTail(layout.egress, count),
          stop: () => {
            this.#isAskedToStop = true;
            stop();
          },
        }),
        ...healthRoutes({
          ...{ peer: this.#peer, version, figures: this.#figures, page: this.#page },
          measureFiles: () => measureFiles(dataDirectory, layout.checkpoints),
        }),
      ],
    });
    this.#close = async () => {
      await removeAll(layout.admin);
      await server.close();
    };
    const found: AdminFile = { schema: "weft-admin/1", address: server.address, process: facts.process };
    await writeFileAtomic(layout.admin, new TextEncoder().encode(`${JSON.stringify(found)}\n`), { mode: 0o600 });
    return server.address.kind === "socket" ? server.address.path : adminUrl(server.address);
  }

  /** Serve and listen no more. Idempotent. */
  async close(): Promise<void> {
    this.#endListening();
    const close = this.#close;
    this.#close = undefined;
    await close?.();
  }
}
