/** A command that does one thing to some peers of a swarm, while no other command does. */
import { exclusively, peersOf, readSwarm, type SwarmFile, writeSwarm } from "../../../testnet/swarm/swarm-file.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";
import { printSwarm, type SwarmFlags, swarmFolder } from "./swarm-options.ts";

/** Does it to one peer.  Returns the swarm as it is then, and what to say. */
export type ActOnPeer = (
  swarm: SwarmFile,
  one: { readonly folder: string; readonly number: number },
) => Promise<{ readonly swarm: SwarmFile; readonly said: string }>;

/** Do it to every peer that the argument names, one after the other.  Returns the exit code.  Throws: NodeError. */
export async function actOnPeers(
  flags: SwarmFlags,
  terminal: Terminal,
  { argument = "", act }: { readonly argument: string | undefined; readonly act: ActOnPeer },
): Promise<number> {
  const { peerNumber } = await import("../../../testnet/swarm/partition.ts");
  const folder = swarmFolder(flags, terminal);
  // Before the lock, which would make a folder that is not there.
  await readSwarm(folder);
  return await exclusively(folder, async () => {
    let swarm = await readSwarm(folder);
    const numbers = [...new Set(argument.split(",").map(peerNumber))];
    peersOf(swarm, numbers);
    for (const number of numbers) {
      const done = await act(swarm, { folder, number });
      if (done.swarm !== swarm) await writeSwarm(folder, done.swarm);
      swarm = done.swarm;
      terminal.err(`peer ${number} ${done.said}\n`);
    }
    await printSwarm(folder, flags, terminal);
    return EXIT_OK;
  });
}
