/** The admin interface over HTTP, on this machine alone: who shows the token is answered, and nobody else. */
import { createHash, timingSafeEqual } from "node:crypto";
import { chmod, rm } from "node:fs/promises";
import type { Socket } from "node:net";
import swagger from "@fastify/swagger";
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { ownHosts } from "../../admin/admin-address.ts";
import { ERROR_ANSWER, jsonSchema } from "../../admin/admin-answers.ts";
import { NodeError, type Problem } from "../../errors.ts";
import type { AdminAddress, AdminRoute, EventSource, PageAsset } from "../../interface/admin.ts";
import type { Logger } from "../../interface/logger.ts";
import { systemCode } from "../files/atomic-file.ts";
import { streamEvents } from "./event-stream.ts";
import { refuseLiveSocket } from "./live-socket.ts";

/** What is served, and to whom. */
export interface AdminServerOptions {
  readonly version: string;
  readonly routes: readonly AdminRoute[];
  /** What there is to tell as it happens; absent where nothing is told so. */
  readonly feed?: EventSource;
  /** Of the page; none where there is no page. They hold nothing of the peer, and are served without a token. */
  readonly assets?: readonly PageAsset[];
}

/** A server. */
export interface AdminServer {
  /**
   * Answer from now on, at this address, who shows this token; resolves with the address, with the port that the system has chosen.
   * Throws: NodeError PORT_IN_USE, LISTEN_FAILED; it is closed then.
   */
  listen(address: AdminAddress, token: string): Promise<AdminAddress>;
  /** Closes every connection. Idempotent. */
  close(): Promise<void>;
}

/** Readers of the feed at a time: a page, a terminal and a few programs. */
export const FEED_READERS_MAX = 16;
/** Connections at a time, whoever is at the other end: twice the readers, and as many requests. */
export const CONNECTIONS_MAX = 64;
/** For the whole of a request, from the connection on, and until the next one, on this same machine. */
const REQUEST_MS_MAX = 5_000;
/** No order has a body worth mentioning. */
const BODY_BYTES_MAX = 16 * 1024;

/** A server that does not listen yet: what takes long is done by then, so that it holds up no running peer. */
export async function createAdminServer(logger: Logger, options: AdminServerOptions): Promise<AdminServer> {
  const app = Fastify({
    ...{ bodyLimit: BODY_BYTES_MAX, forceCloseConnections: true, exposeHeadRoutes: false },
    ...{ requestTimeout: REQUEST_MS_MAX, keepAliveTimeout: REQUEST_MS_MAX },
    http: { headersTimeout: REQUEST_MS_MAX, connectionsCheckingInterval: 1_000 },
    // Before there is a request, and before it is known which route it is for.
    clientErrorHandler: refuseClient,
    frameworkErrors: (error, _, reply) => sayError(error, reply.headers(SECURE_HEADERS), logger),
  });
  // Whoever knows no token may connect as well: the files and sockets that the peer may have open are not theirs to use up.
  app.server.maxConnections = CONNECTIONS_MAX;
  // Answers are plain data already; the schemas describe them, and take nothing away.
  app.setSerializerCompiler(() => (answer) => JSON.stringify(answer));
  app.setErrorHandler((error, _, reply) => sayError(error, reply, logger));
  app.setNotFoundHandler(({ url, method }, reply) => sayNothingThere({ url, method, routes: options.routes }, reply));
  let address: AdminAddress | undefined;
  let isToken = (_: string | undefined): boolean => false;
  const openRoutes = [...options.routes.filter((route) => route.isOpen), ...(options.assets ?? [])];
  const open = new Set(openRoutes.map(({ path }) => path));
  const isOpen = ({ routeOptions: { url } }: FastifyRequest): boolean => url !== undefined && open.has(url);
  app.addHook("onRequest", async (request, reply) => {
    reply.headers(SECURE_HEADERS);
    if (address === undefined || !isOwnHost(request, address))
      return reply.code(403).send(errorBody("HOST", "this interface has another name"));
    if (!isOpen(request) && !isToken(request.headers.authorization)) {
      return reply
        .code(401)
        .header("www-authenticate", "Bearer")
        .send(errorBody("TOKEN", "show the token of this peer's files"));
    }
  });
  await describe(app, options.version);
  addRoutes(app, options);
  for (const { path, contentType, bytes } of options.assets ?? []) {
    app.get(path, { schema: { hide: true } }, (_, reply) => {
      reply.header("content-security-policy", PAGE_POLICY).type(contentType).send(bytes);
    });
  }
  await app.ready();
  return {
    listen: async (wanted, token) => {
      isToken = tokenCheck(token);
      // A port of the system's choice is known once it listens, and nobody knows it before.
      address = wanted;
      address = await listen(app, wanted);
      return address;
    },
    close: () => app.close(),
  };
}

/** Nothing of it is kept, framed, or taken for another kind of content. */
const SECURE_HEADERS = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
} as const;

/** The page has its own files, asks where it came from, and nothing else. */
const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

async function describe(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      info: { title: "weft", description: "The admin interface of a running peer.", version },
      components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
      security: [{ token: [] }],
    },
  });
}

function addRoutes(app: FastifyInstance, { routes, feed }: AdminServerOptions): void {
  let readers = 0;
  // Inside of a plugin, so that the description, which is one too, sees them.
  app.register(async (scope) => {
    const error = jsonSchema(ERROR_ANSWER);
    for (const { method, path, name, text, parameters, query, body, answer, contentType, isOpen, handle } of routes) {
      scope.route({
        method,
        url: path,
        // What is sent along is looked at by who handles it, in words.
        ...(body && { bodyLimit: body.bytesMax, validatorCompiler: () => () => true }),
        schema: {
          operationId: name,
          summary: text,
          ...(parameters && { params: parameters }),
          ...(query && { querystring: query }),
          ...(body && { body: body.schema }),
          ...(isOpen && { security: [] }),
          response: {
            200: contentType === undefined ? answer : textAnswer(contentType),
            ...{ "4xx": error, "5xx": error },
          },
        },
        handler: async (request, reply) => {
          if (contentType !== undefined) reply.type(contentType);
          return handle({
            parameters: (request.params ?? {}) as Record<string, string>,
            query: (request.query ?? {}) as Record<string, unknown>,
            ...(body && { body: request.body }),
          });
        },
      });
    }
    scope.get("/openapi.json", { schema: { hide: true } }, async () => app.swagger());
    if (feed === undefined) return;
    const summary = "Everything that the peer tells, as server-sent events; Last-Event-ID goes on behind an event.";
    const schema = {
      ...{ operationId: "events", summary },
      querystring: { type: "object", properties: { after: { type: "string", description: "as Last-Event-ID" } } },
      response: { 200: textAnswer("text/event-stream"), "4xx": error, "5xx": error },
    };
    scope.get("/v1/events", { schema }, (request, reply) => {
      if (readers >= FEED_READERS_MAX) {
        return reply.code(503).send(errorBody("BUSY", `${FEED_READERS_MAX} readers have their places already`));
      }
      readers++;
      reply.hijack();
      const headers = { ...SECURE_HEADERS, "content-type": "text/event-stream; charset=utf-8" };
      reply.raw.writeHead(200, headers);
      streamEvents(feed, reply.raw, { from: placeOf(request, feed), onEnd: () => readers-- });
    });
  });
}

/** The description of an answer that is text. */
const textAnswer = (contentType: string): object => ({
  description: "text",
  content: { [contentType.split(";")[0] ?? contentType]: { schema: { type: "string" } } },
});

/** Behind the event that the reader has seen last; one that says nothing begins now. */
function placeOf({ headers, query }: FastifyRequest, feed: EventSource): number {
  const said = headers["last-event-id"] ?? (query as { readonly after?: string }).after;
  const place = Number(said);
  return said !== undefined && Number.isSafeInteger(place) && place >= 0 ? place : feed.newest;
}

/** Whether what is shown is the token; how long the answer takes says nothing of it. */
function tokenCheck(token: string): (authorization: string | undefined) => boolean {
  const digest = (text: string): Uint8Array => createHash("sha256").update(text).digest();
  const expected = digest(`Bearer ${token}`);
  return (authorization = "") => timingSafeEqual(digest(authorization), expected);
}

/** A page of another name that a browser here has open reaches a port of this machine too; it does not know this name. */
function isOwnHost({ headers: { host, origin } }: FastifyRequest, address: AdminAddress): boolean {
  const hosts = ownHosts(address);
  if (hosts === undefined) return origin === undefined;
  return hosts.includes(host ?? "") && (origin === undefined || origin === `http://${host}`);
}

async function listen(app: FastifyInstance, address: AdminAddress): Promise<AdminAddress> {
  try {
    if (address.kind === "port") {
      const url = new URL(await app.listen({ host: address.host, port: address.port }));
      return { ...address, port: Number(url.port) };
    }
    await refuseLiveSocket(address.path);
    await rm(address.path, { force: true });
    await app.listen({ path: address.path });
    await chmod(address.path, 0o600);
    return address;
  } catch (cause) {
    await app.close();
    if (cause instanceof NodeError) throw cause;
    const where = address.kind === "port" ? `port ${address.port}` : address.path;
    const code = systemCode(cause) ?? "unknown error";
    const text = `the admin interface cannot listen at ${where} (${code})`;
    if (code !== "EADDRINUSE")
      throw new NodeError("LISTEN_FAILED", text, { where, problem: "admin-place-shut" }, { cause });
    throw new NodeError("PORT_IN_USE", text, { where, problem: "admin-port-taken" }, { cause });
  }
}

const errorBody = (code: string, message: string, problem?: Problem): unknown => ({
  error: { code, message, ...(problem !== undefined && { problem }) },
});

/** Status codes of what a peer refuses; anything else is its own fault. */
function statusOfError(error: NodeError): number {
  if (error.facts.problem === "motion-unknown") return 404;
  // A file of a key is named by who asks.
  if (error.code === "CONFIG_INVALID" || error.code === "KEY_FILE") return 400;
  return error.code === "NOT_ALLOWED" ? 403 : 503;
}

/** What is served nowhere, or here for other requests alone. */
function sayNothingThere(
  { url, method, routes }: { readonly url: string; readonly method: string; readonly routes: readonly AdminRoute[] },
  reply: FastifyReply,
): void {
  const path = url.split("?")[0] ?? url;
  const isHere = (route: AdminRoute): boolean => new RegExp(`^${route.path.replace(/:\w+/g, "[^/]+")}$`).test(path);
  const allowed = [...new Set(routes.filter(isHere).map((route) => route.method))];
  if (allowed.length === 0) void reply.code(404).send(errorBody("NOT_FOUND", "nothing is served here"));
  else {
    const text = `${method} is nothing to ask of this path; ask ${allowed.join(" or ")}`;
    void reply.code(405).header("allow", allowed.join(", ")).send(errorBody("METHOD", text));
  }
}

/** Bytes that are no request of HTTP are answered as every refusal is, where anybody still listens. */
function refuseClient(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === "ECONNRESET" || socket.destroyed) return;
  const [status, message] = CLIENT_ERRORS[error.code ?? ""] ?? ["400 Bad Request", "this is no request of HTTP"];
  const body = JSON.stringify(errorBody("REQUEST", message));
  const head = [
    `HTTP/1.1 ${status}`,
    ...Object.entries(SECURE_HEADERS).map(([name, value]) => `${name}: ${value}`),
    "content-type: application/json; charset=utf-8",
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
  ];
  if (socket.writable) socket.write(`${head.join("\r\n")}\r\n\r\n${body}`);
  socket.destroy(error);
}

const CLIENT_ERRORS: Readonly<Record<string, readonly [status: string, message: string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: ["408 Request Timeout", "the request did not come to its end in time"],
  HPE_HEADER_OVERFLOW: ["431 Request Header Fields Too Large", "the headers are too long"],
};

function sayError(error: unknown, reply: FastifyReply, logger: Logger): void {
  if (error instanceof NodeError) {
    const { problem } = error.facts;
    void reply.code(statusOfError(error)).send(errorBody(error.code, error.message, problem));
    return;
  }
  const { statusCode = 500, message = "" } = error as { statusCode?: number; message?: string };
  if (statusCode < 500) {
    void reply.code(statusCode).send(errorBody("REQUEST", message));
    return;
  }
  logger.error("the admin interface failed to answer", { error });
  void reply.code(500).send(errorBody("UNEXPECTED", "this is a fault of weft; its log has more"));
}
