/** Three peers, one of which puts its neighbours' adapters together by a rule of its own. The others do not notice. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNetwork, createPeer } from "weft-peer";

/** The adapter of the neighbour that is nearest to this peer's own one, and nobody else's. */
const nearest = {
  name: "nearest",
  aggregate({ updates, own, round }) {
    const distances = updates.map(({ values }) => Math.hypot(...values.map((x, i) => x - own[i])));
    const least = Math.min(...distances);
    console.log(`round ${round}: the nearest of ${updates.length} neighbours is ${least.toFixed(3)} away`);
    return updates[distances.indexOf(least)].values;
  },
};

const network = await createNetwork({
  name: "own-rule",
  adapter: { kind: "loreft", rank: 2, layers: [1], positions: "all" },
  rounds: { count: 3, localSteps: 4 },
});
const folder = mkdtempSync(join(tmpdir(), "weft-own-rule-"));
const bootstrap = [];
// Nobody trains before all are there: three short rounds would be over before the last peer has come.
let begin;
const startWhen = new Promise((resolve) => {
  begin = resolve;
});
const peers = [];
for (const index of [0, 1, 2]) {
  const options = { network, startWhen, data: { part: { index, count: 3 } }, bootstrap: [...bootstrap] };
  const dataDirectory = join(folder, `peer-${index}`);
  const peer = createPeer({ ...options, dataDirectory, ...(index === 0 && { rule: nearest }) });
  peer.events((event) => event.type === "started" && bootstrap.push(event.addresses[0]));
  await peer.start();
  peers.push(peer);
}
begin();
const [own, ...others] = await Promise.all(peers.map(({ done }) => done));
console.log(`held-out loss by its own rule: ${own.base.loss.toFixed(3)} -> ${own.swarm.loss.toFixed(3)}`);
console.log(`of the others: ${others.map(({ swarm }) => swarm.loss.toFixed(3)).join(", ")}`);
