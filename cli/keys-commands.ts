/** The rows of `weft keys`: what becomes of a peer's private key. */
import type { CommandRow, OptionRow } from "./command-row.ts";
import { PASSPHRASE_OPTION } from "./passphrase.ts";

export function keysCommands({
  dataDir,
  json,
}: Readonly<Record<"dataDir" | "json", OptionRow>>): readonly CommandRow[] {
  return [
    {
      name: ["keys", "rotate"],
      text: "Give this peer's membership to a new key: propose it, and, run again once admins have approved, begin to use it.",
      options: [{ ...dataDir, text: "whose key; the peer runs for the first part and not for the second" }, json],
      example: "weft keys rotate --data-dir alice",
      load: () => import("./commands/keys/rotate.ts"),
    },
    {
      name: ["keys", "backup"],
      text: "Write the peer's key, sealed by a passphrase, to a file that may be kept anywhere. Its other files are not in it.",
      options: [
        { ...dataDir, text: "whose key" },
        { flags: "--out <file>", text: "where to write it; nothing is overwritten", otherwise: "PEER-ID.weft-key" },
        PASSPHRASE_OPTION,
        json,
      ],
      example: "weft keys backup --data-dir alice --out alice.weft-key",
      load: () => import("./commands/keys/backup.ts"),
    },
    {
      name: ["keys", "restore"],
      text: "Put the key of a backup into a data directory that has none. Run a key in one place only.",
      argument: { name: "backup", text: "a file that weft keys backup wrote" },
      options: [{ ...dataDir, text: "where to put it" }, PASSPHRASE_OPTION, json],
      example: "weft keys restore alice.weft-key --data-dir alice-again",
      load: () => import("./commands/keys/restore.ts"),
    },
  ];
}
