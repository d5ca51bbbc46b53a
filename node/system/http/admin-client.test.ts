/** Asking a port that another program has by now. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, it } from "vitest";
import { askAdmin } from "./admin-client.ts";

let server: Server;
afterEach(() => void server.close());

it.each([
  ["a page", 200, "<!doctype html>"],
  ["a page of an error", 404, "<h1>Not found</h1>"],
  ["nothing", 200, ""],
  ["an error of its own", 500, '{"error":"no"}'],
  ["an error without words", 400, '{"error":{"code":1}}'],
  ["a list", 400, "[]"],
  ["null", 401, "null"],
])("is one line where it answers with %s", async (_, status, text) => {
  server = createServer((_request, answer) => void answer.writeHead(status).end(text));
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const asked = askAdmin("/v1/status", { address: { kind: "port", host: "127.0.0.1", port }, token: "t" });
  await expect(asked).rejects.toMatchObject({
    code: "PEER_FAILED",
    message: expect.stringContaining("no peer's admin interface"),
  });
});
