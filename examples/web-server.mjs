/** A web server with a peer in it: GET / is its state, GET /events tells what happens, and Ctrl-C stops both. */
import { mkdtempSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNetwork, createPeer } from "weft-peer";

const network = await createNetwork({ name: "web", rounds: { count: 3, localSteps: 4 } });
const dataDirectory = process.argv[2] ?? mkdtempSync(join(tmpdir(), "weft-web-"));
const peer = createPeer({ dataDirectory, network });

const server = createServer((request, response) => {
  if (request.url === "/events") {
    response.writeHead(200, { "content-type": "text/event-stream" });
    const end = peer.events((event) => response.write(`data: ${JSON.stringify(event)}\n\n`));
    response.on("close", end);
    return;
  }
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify(peer.status()?.view ?? null));
});
server.listen(Number(process.env.PORT ?? 0), "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}/ and /events`);
});

const stop = async () => {
  await peer.stop();
  server.close();
  server.closeAllConnections();
};
process.once("SIGINT", stop);
process.once("SIGTERM", stop);

await peer.start();
const report = await peer.done;
// Without a report it was stopped before its last round, and the server with it.
if (report) console.log(`held-out loss: ${report.base.loss.toFixed(3)} -> ${report.swarm.loss.toFixed(3)}`);
