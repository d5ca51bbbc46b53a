/**
 * Somebody who sees from outside where a peer's datagrams come from: a relaying peer. It opens a UDP socket while somebody asks,
 * takes datagrams there that show a number which it gave over an encrypted connection, and says over that connection whence
 * they came. It sends no datagram to anybody.
 */
import { randomBytes } from "node:crypto";
import type { Connection, PeerId, Stream, StreamHandler } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { isRelayed } from "../relayed-address.ts";
import { type DatagramSocket, openDatagramSocket } from "./datagram-socket.ts";
import { addressOf, type Endpoint, endpointOf, hostOf } from "./endpoint.ts";
import { SmallMessages } from "./small-messages.ts";

const TOKEN_BYTES = 16;
/** Two bytes: the port at which the witness takes datagrams. */
const PORT_BYTES = 2;
/** Who asks: all together, guests among them, whose keys are free, and of one key. */
const ASKING_MAX = 32;
const ASKING_GUESTS_MAX = 16;
const ASKING_PER_PEER_MAX = 2;
/** From the question to the answer. */
const ASKING_MS_MAX = 3_000;
const REPEAT_MS = 100;

/** Where a witness may take datagrams: IP addresses of this machine, with the port that is tried first. */
export type WitnessPlaces = () => readonly Endpoint[];

/** A question under way. */
interface Asking {
  readonly peer: string;
  readonly isGuest: boolean;
  readonly seen: (from: Endpoint) => void;
}

/** Answers who asks where its datagrams come from. */
export class Witness {
  readonly #places: WitnessPlaces;
  readonly #isGuest: (peer: PeerId) => boolean;
  readonly #open: typeof openDatagramSocket;
  /** By number, who waits for a datagram that shows it. */
  readonly #asking = new Map<string, Asking>();
  /** By the host that it is opened at; closed when nobody asks. */
  readonly #sockets = new Map<string, Promise<DatagramSocket>>();

  constructor(
    places: WitnessPlaces,
    {
      isGuest = () => false,
      open = openDatagramSocket,
    }: { readonly isGuest?: (peer: PeerId) => boolean; readonly open?: typeof openDatagramSocket } = {},
  ) {
    this.#places = places;
    this.#isGuest = isGuest;
    this.#open = open;
  }

  /** How many wait for an answer. */
  get asking(): number {
    return this.#asking.size;
  }

  /** Answer one question. */
  readonly answer: StreamHandler = async (stream: Stream, { remotePeer, remoteAddr }: Connection) => {
    const peer = remotePeer.toString();
    const [all, isGuest] = [[...this.#asking.values()], this.#isGuest(remotePeer)];
    const isFull =
      all.length >= ASKING_MAX || (isGuest && all.filter((one) => one.isGuest).length >= ASKING_GUESTS_MAX);
    if (isFull || all.filter((one) => one.peer === peer).length >= ASKING_PER_PEER_MAX) {
      stream.abort(new Error("too many ask at once"));
      return;
    }
    const token = randomBytes(TOKEN_BYTES);
    const signal = AbortSignal.timeout(ASKING_MS_MAX);
    const seen = Promise.withResolvers<Endpoint>();
    this.#asking.set(token.toString("hex"), { peer, isGuest, seen: seen.resolve });
    try {
      const messages = new SmallMessages(stream, signal);
      const { port } = await this.#socketFor(hostOf(remoteAddr));
      messages.write(Uint8Array.of(port >> 8, port & 255), token);
      // The other side says nothing; its end is the end of the question.
      const from = await Promise.race([
        seen.promise,
        messages.read().then(() => Promise.reject(new Error("no question"))),
      ]);
      messages.write(addressOf(from).bytes);
      await messages.end();
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error(String(error)));
    } finally {
      this.#asking.delete(token.toString("hex"));
      if (this.#asking.size === 0) await this.close();
    }
  };

  /** Take no datagrams any more, until somebody asks again. */
  async close(): Promise<void> {
    const sockets = [...this.#sockets.values()];
    this.#sockets.clear();
    for (const socket of await Promise.allSettled(sockets)) if (socket.status === "fulfilled") socket.value.close();
  }

  /** A socket of the family of an address. */
  async #socketFor(asker: string | undefined): Promise<DatagramSocket> {
    const place = this.#places().find(({ host }) => asker !== undefined && host.includes(":") === asker.includes(":"));
    if (place === undefined) throw new Error("this peer listens at no address of that family");
    const opened = this.#sockets.get(place.host) ?? this.#opened(place);
    this.#sockets.set(place.host, opened);
    return await opened;
  }

  /** The port of the same number as the one that the peer listens at, the next where QUIC has it, or any. */
  async #opened({ host, port }: Endpoint): Promise<DatagramSocket> {
    const socket = await this.#open(host, port)
      .catch(() => this.#open(host, port + 1))
      .catch(() => this.#open(host, 0));
    socket.receive((bytes, from) => {
      if (bytes.length === TOKEN_BYTES) this.#asking.get(Buffer.from(bytes).toString("hex"))?.seen(from);
    });
    return socket;
  }
}

/**
 * Ask a witness where the datagrams of a socket come from.  stream: of its protocol.
 * Throws: Error where it does not see them, or says what is no address.
 */
export async function askWitness(
  { stream, host }: { readonly stream: Stream; readonly host: string },
  socket: DatagramSocket,
  signal: AbortSignal,
): Promise<Endpoint> {
  const messages = new SmallMessages(stream, AbortSignal.any([AbortSignal.timeout(ASKING_MS_MAX), signal]));
  const message = await messages.read();
  if (message.length !== PORT_BYTES + TOKEN_BYTES) throw new Error("the witness says no number");
  const [high = 0, low = 0] = message;
  const token = message.subarray(PORT_BYTES);
  const port = high * 256 + low;
  if (port === 0) throw new Error("the witness says no port");
  const send = (): void => socket.send(token, { host, port });
  const timer = setInterval(send, REPEAT_MS);
  send();
  try {
    const seen = endpointOf(multiaddr(await messages.read()));
    if (seen === undefined) throw new Error("the witness says no address");
    return seen;
  } finally {
    clearInterval(timer);
    await messages.end();
  }
}

/** A direct connection with a peer, over which a witness can be asked. */
export const directOf = (connections: readonly Connection[], peer: string): Connection | undefined =>
  connections.find(
    ({ remotePeer, remoteAddr, status }: { readonly remotePeer: PeerId } & Connection) =>
      status === "open" && remotePeer.toString() === peer && !isRelayed(remoteAddr),
  );
