import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNetwork, createPeer } from "weft-peer";

const network = await createNetwork({
  name: "two-peers",
  adapter: { kind: "loreft", rank: 4, layers: [0, 1], positions: "all" },
  rounds: { count: 2, localSteps: 4 },
});
const folder = mkdtempSync(join(tmpdir(), "weft-two-peers-"));
const first = createPeer({ dataDirectory: join(folder, "first"), network, data: { part: { index: 0, count: 2 } } });
const address = new Promise((found) => {
  first.events((event) => event.type === "started" && found(event.addresses[0]));
});
await first.start();
const data = { part: { index: 1, count: 2 } };
const second = createPeer({ dataDirectory: join(folder, "second"), network, data, bootstrap: [await address] });
await second.start();
const [one, two] = await Promise.all([first.done, second.done]);
console.log(`held-out loss: ${one?.base.loss} -> ${one?.swarm.loss}, ${two?.base.loss} -> ${two?.swarm.loss}`);
