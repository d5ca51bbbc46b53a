/** `weft egress verify`: whether the record of everything that left a peer is whole. */
import { counted, dataDirectoryLayout, type EgressSummary, recordDoor } from "../../../node/index.ts";
import { textTable } from "../../../testnet/words/text-table.ts";
import type { CommandRow } from "../../command-row.ts";
import { existingDataDirectory } from "../../data-directory.ts";
import { jsonText } from "../../json.ts";
import { DATA_DIR, JSON_OUTPUT } from "../../shared-options.ts";
import { EXIT_OK, type Terminal } from "../../terminal.ts";

/** The row of `weft egress verify`, and what it runs. */
export const verifyEgressCommand: CommandRow = {
  name: ["egress", "verify"],
  text: "Check the record of everything that left a peer, line by line, and show its sums.",
  options: [DATA_DIR, JSON_OUTPUT],
  example: "weft egress verify --data-dir alice",
  json: {
    messages: "number of messages that left",
    bytes: "their bytes",
    kinds: "messages and bytes of each kind",
    forgotten: "oldest records that made room",
    recipients: "number of peers that anything went to",
    epsilon: "privacy spent, or null",
    "first?": "time of the first record",
    "last?": "time of the last one",
    head: "hash of the last record",
  },
  run,
};

async function run(
  options: { readonly dataDir?: string; readonly json?: boolean },
  terminal: Terminal,
): Promise<number> {
  const { checkedRecords, summarizeEgress, egressLines } = await recordDoor();
  const { egress } = dataDirectoryLayout(existingDataDirectory(options.dataDir, terminal.environment));
  terminal.err(`egress ledger: ${egress}\n`);
  const summary = await summarizeEgress(checkedRecords(egressLines(egress)));
  terminal.out(options.json ? jsonText(summary) : `${lines(summary).join("\n")}\n`);
  return EXIT_OK;
}

function lines(summary: EgressSummary): string[] {
  const columns = [
    { heading: "what left", numeric: false },
    { heading: "messages", numeric: true },
    { heading: "bytes", numeric: true },
  ];
  const row = (name: string, total: { readonly messages: number; readonly bytes: number }): string[] => [
    name,
    String(total.messages),
    String(total.bytes),
  ];
  const rows = Object.entries(summary.kinds).map(([kind, total]) => row(kind, total));
  const { first, last, recipients, epsilon, head, forgotten } = summary;
  return [
    ...textTable(columns, [...rows, row("all", summary)]),
    `to ${counted(recipients, "peer")}${first === undefined ? "" : `, from ${first} to ${last}`}`,
    ...(forgotten === 0
      ? []
      : [`the oldest ${counted(forgotten, "record")} made room for new ones; the sums hold them, too`]),
    epsilon === null ? "without a privacy budget" : `epsilon ${epsilon.toFixed(3)} spent`,
    `every record follows from the one before; the last one's hash is ${head}`,
  ];
}
