/** The door to a peer's files: its egress ledger, its key and the key's backup, and the bounds of all of them. */
export { boundOf, FILE_BOUNDS } from "../data-directory/file-bounds.ts";
export { readSigner, requireKey } from "../data-directory/key.ts";
export { storedRecord } from "../local/stored-record.ts";
export { reportHtml } from "../page/report-html.ts";
export { checkedRecords, egressCsv, egressJson, summarizeEgress } from "../privacy/egress-summary.ts";
export { egressLines } from "../system/files/egress-file.ts";
export { openKey, peerOfBackup, sealKey } from "../system/files/key-backup.ts";
export { readKey, readOrCreateKey, writeKey } from "../system/files/key-file.ts";
export { createLogger } from "../system/platform/log.ts";
