/** The admin interface of a running peer: put together, served, and found again by other programs of this machine. */
import { dataDirectoryLayout } from "../data-directory/layout.ts";
import { NodeError } from "../errors.ts";
import type { AdminAddress, AdminRoute } from "../interface/admin.ts";
import type { MetricsPage } from "../interface/metrics.ts";
import type { Peer } from "../peer/peer.ts";
import { absolutePath } from "../system/files/absolute-path.ts";
import { egressTail } from "../system/files/egress-tail.ts";
import { logTail } from "../system/files/log-file.ts";
import { readPageFiles } from "../system/files/page-files.ts";
import { type AdminServer, createAdminServer } from "../system/http/admin-server.ts";
import { createMetricsPage } from "../system/http/metrics-page.ts";
import { measureFiles } from "../system/platform/file-figures.ts";
import { createLogger } from "../system/platform/log.ts";
import { processFacts } from "../system/platform/process-facts.ts";
import { createSystemClock } from "../system/platform/system-clock.ts";
import { defaultAdminAddress } from "./admin-address.ts";
import { controlRoutes, lookRoutes, partitionRoutes, rosterRoutes } from "./admin-routes.ts";
import { EventFeed } from "./event-feed.ts";
import { healthRoutes } from "./health-routes.ts";
import { listenIn, type ServedAdmin } from "./listen-in.ts";
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
  /** Whether a page for browsers is served too; it needs a port, any free one where no address is given. */
  readonly page?: boolean;
  /** Whether the peer can be told whom to refuse; of test networks alone. */
  readonly canBeCutOff?: boolean;
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
  #server: Promise<AdminServer> | undefined;
  #forget: (() => Promise<void>) | undefined;
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

  /** Do what takes long, so that serving holds up no running peer. Idempotent. */
  prepare(): Promise<AdminServer> {
    this.#server ??= this.#create();
    return this.#server;
  }

  /**
   * Serve it; the peer has started, so that the data directory is this process's. Where it is stands in the data directory;
   * resolves with the same for people.
   * Throws: NodeError CONFIG_INVALID, PORT_IN_USE, LISTEN_FAILED, KEY_FILE, DISK_FULL, DATA_DIRECTORY.
   */
  async serve(): Promise<ServedAdmin> {
    const server = await this.prepare();
    const address = (socket: string, system: string) => this.#address(socket, system);
    const { served, forget } = await listenIn(this.#options.dataDirectory, server, address);
    this.#forget = forget;
    return served;
  }

  async #create(): Promise<AdminServer> {
    const { version, page = false } = this.#options;
    return await createAdminServer(createLogger({ level: "warn" }), {
      ...{ version, feed: this.#feed, routes: this.#routes() },
      ...(page && { assets: await readPageFiles() }),
    });
  }

  #routes(): readonly AdminRoute[] {
    const { dataDirectory, version, settings, stop, canBeCutOff = false } = this.#options;
    const layout = dataDirectoryLayout(dataDirectory);
    const desk = {
      ...{ peer: this.#peer, record: this.#record },
      about: { version, ...processFacts(), dataDirectory: absolutePath(dataDirectory), settings },
      ledgerTail: (count: number) => egressTail(layout.egress, count),
      logTail: (count: number) => logTail(layout.logs, count),
      stop: () => {
        this.#isAskedToStop = true;
        stop();
      },
    };
    const health = {
      ...{ peer: this.#peer, version, figures: this.#figures, page: this.#page },
      measureFiles: () => measureFiles(dataDirectory, layout.checkpoints),
    };
    const partitions = canBeCutOff ? partitionRoutes(desk) : [];
    return [...lookRoutes(desk), ...rosterRoutes(desk), ...controlRoutes(desk), ...partitions, ...healthRoutes(health)];
  }

  /** Throws: NodeError CONFIG_INVALID where a page is to be at a socket. */
  #address(socket: string, system: string): AdminAddress {
    const { address, page = false } = this.#options;
    if (!page) return address ?? defaultAdminAddress(socket, system);
    if (address === undefined) return { kind: "port", host: "127.0.0.1", port: 0 };
    if (address.kind === "port") return address;
    throw new NodeError(
      "CONFIG_INVALID",
      "a browser opens no socket in the file system; give the interface a port",
      address,
    );
  }

  /** Serve and listen no more. Idempotent. */
  async close(): Promise<void> {
    this.#endListening();
    const [server, forget] = [this.#server, this.#forget];
    this.#server = undefined;
    this.#forget = undefined;
    await forget?.();
    await (await server)?.close();
  }
}
