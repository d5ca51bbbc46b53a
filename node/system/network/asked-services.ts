/**
 * Services of libp2p that answer only whom this peer has admitted. libp2p lets whoever is connected use each of them at once;
 * here a stream, or the news that somebody speaks a protocol, waits until a question has been answered.
 */
import type { Connection, PeerId as Libp2pPeerId, Stream, StreamHandler, Topology } from "@libp2p/interface";

/** The part of libp2p by which a service hears of streams and of peers. */
interface Registrar {
  handle(protocol: string, handler: StreamHandler, options?: object): Promise<void>;
  register(protocol: string, topology: Topology): Promise<string>;
}

/** What a service may be told; a question that is absent is answered with yes. */
export interface ServiceQuestions {
  /** Whether a stream of a protocol is handed to the service; it waits for the answer, and is aborted where that is no. */
  readonly takes?: (protocol: string, stream: Stream, connection: Connection) => boolean | Promise<boolean>;
  /** Runs the service's work on a stream that it was handed. */
  readonly around?: (stream: Stream, run: () => Promise<void>) => Promise<void>;
  /** Whether the service is told of a peer that speaks a protocol; it waits for the answer. */
  readonly meets?: (protocol: string, peer: Libp2pPeerId, connection: Connection) => Promise<boolean>;
}

/** The same components with a registrar that asks first. */
export function askedFirst<Components extends { readonly registrar: object }>(
  components: Components,
  { takes = () => true, around = (_, run) => run(), meets = async () => true }: ServiceQuestions,
): Components {
  const registrar = components.registrar as Registrar;
  const asking: Registrar = {
    handle: (protocol, handler, options) => {
      const asked: StreamHandler = async (stream, connection) => {
        if (await takes(protocol, stream, connection))
          await around(stream, async () => await handler(stream, connection));
        else stream.abort(new Error(`${protocol} is not for this peer`));
      };
      return registrar.handle(protocol, asked, options);
    },
    register: (protocol, { onConnect, ...topology }) => {
      const asked: Topology["onConnect"] = async (peer, connection) => {
        if (await meets(protocol, peer, connection)) await onConnect?.(peer, connection);
      };
      // Identification waits for these calls; a peer that is never admitted keeps it waiting no longer than it is asked for.
      return registrar.register(protocol, {
        ...topology,
        onConnect: (...call) => void asked(...call)?.catch(() => {}),
      });
    },
  };
  return withParts(components, { registrar: withParts(registrar, asking) });
}

/** An object with some parts replaced; libp2p's components are looked up one by one and cannot be spread. */
export function withParts<Whole extends object>(whole: Whole, parts: object): Whole {
  return new Proxy(whole, {
    get: (target, name) => {
      if (Object.hasOwn(parts, name)) return Reflect.get(parts, name);
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
