/** `weft run` and `weft join` in the command table. */
import type { CommandRow } from "../../command-row.ts";
import { duration } from "../../option-value.ts";
import { DATA_DIR, PEER_OPTIONS, RUN_OPTIONS } from "../../shared-options.ts";

/** The row of `weft run`, and what it runs. */
export const runCommand: CommandRow = {
  name: ["run"],
  text: "Run one peer until the last round or Ctrl-C. In each round it trains, exchanges updates with its neighbours and aggregates them.",
  options: [DATA_DIR, ...PEER_OPTIONS, ...RUN_OPTIONS],
  configurable: true,
  example: "weft run --data-dir alice --network network.json --data alice.jsonl --port 9000",
  run: async (options, terminal) => (await import("./run.ts")).run(options, terminal),
};

/** The row of `weft join`, and what it runs. */
export const joinCommand: CommandRow = {
  name: ["join"],
  text: "Join a network by an invite. The peer checks the manifest and the model, asks for admission, waits for the admins, and runs.",
  argument: { name: "invite", text: "the text weft1… that weft network invite printed" },
  options: [
    DATA_DIR,
    { flags: "--label <text>", text: "name of this peer in its request, for the admins", otherwise: "nothing" },
    {
      flags: "--wait <time>",
      text: "longest wait for the admins, such as 30m",
      parse: duration(1, 30 * 86_400),
      otherwise: "until Ctrl-C",
    },
    { flags: "--join-only", text: "join only, and do not run afterwards" },
    ...PEER_OPTIONS.filter(({ flags }) => !flags.startsWith("--network")),
    ...RUN_OPTIONS,
  ],
  configurable: "partly",
  example: "weft join weft1qqqsyqcyq5rqwzqfpg9scrgwpugpzysnzs23v9ccrydpk8qarc0jq --label hospital-4 --data-dir dave",
  run: async (...all) => (await import("./join.ts")).run(...all),
};
