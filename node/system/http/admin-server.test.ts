/** Other users of the machine connect to the port of an admin interface as well, without the token. */
import { connect, type Socket } from "node:net";
import { afterEach, expect, it } from "vitest";
import { silentLogger, until } from "../network/transport.suite.ts";
import { type AdminServer, CONNECTIONS_MAX, createAdminServer } from "./admin-server.ts";

const sockets: Socket[] = [];
let server: AdminServer | undefined;
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await server?.close();
});

const TOKEN = "T".repeat(43);

async function listening(): Promise<number> {
  server = await createAdminServer(silentLogger, {
    ...{ version: "1.2.3", routes: [] },
    feed: { newest: 0, read: () => ({ events: [], lost: 0 }), onAdd: () => () => {} } as never,
  });
  const address = await server.listen({ kind: "port", host: "127.0.0.1", port: 0 }, TOKEN);
  return address.kind === "port" ? address.port : 0;
}

/** A socket with what came of it. */
function knock(port: number, text = "") {
  const socket = connect({ host: "127.0.0.1", port });
  const said = { text: "" };
  socket.on("error", () => {}).on("data", (bytes) => void (said.text += bytes));
  if (text !== "") socket.write(text);
  sockets.push(socket);
  return { socket, said };
}

it("has so many connections at a time, and ends those that do not finish their request", {
  timeout: 60_000,
}, async () => {
  const port = await listening();
  const silent = Array.from({ length: CONNECTIONS_MAX + 20 }, (_, n) =>
    knock(port, ["", "GET /v1/status HTTP/1.1\r\nHost: x\r\n", "POST /v1/x HTTP/1.1\r\nContent-Length: 9\r\n"][n % 3]),
  );
  await until(() => silent.filter(({ socket }) => socket.closed).length >= 20);
  await until(() => silent.every(({ socket }) => socket.closed));
  const { said } = knock(
    port,
    `GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`,
  );
  await until(() => said.text.includes("openapi"));
});

it.each([
  ["a path that is no text", "GET /%E0%A4%A HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n", 400],
  ["a path out of the page's folder", "GET /../../package.json HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n", 401],
  [
    "another name in the line than in the header",
    "GET http://127.0.0.1:PORT/v1/x HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    403,
  ],
  ["two names", "GET /v1/x HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nHost: evil.example\r\n\r\n", 401],
  ["no name", "GET /v1/x HTTP/1.0\r\n\r\n", 403],
  ["two lengths", "POST /v1/x HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400],
  ["bytes that are no request", "\u0016\u0003\u0001\u0002\r\n\r\n", 400],
  ["headers without an end", `GET /v1/x HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nX: ${"x".repeat(70_000)}\r\n\r\n`, 431],
])("refuses %s, and says nothing of the peer", async (_, text, status) => {
  const port = await listening();
  const { said } = knock(port, text.replaceAll("PORT", `${port}`));
  await until(() => said.text.includes("\r\n\r\n"));
  expect(said.text).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(said.text).not.toContain("1.2.3");
  await until(() => said.text.includes("}}"));
  expect(JSON.parse(said.text.split("\r\n\r\n")[1] ?? "")).toHaveProperty("error.code");
});
