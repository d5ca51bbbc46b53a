/** The door to a peer's files: its egress ledger, its key and the key's backup, and the bounds of all of them. */
export { boundOf, FILE_BOUNDS } from "../data-directory/file-bounds.ts";
export { keyIfThere, putKey, readOrMakeKey, readSigner, requireKey } from "../data-directory/key.ts";
export { storedRecord } from "../local/stored-record.ts";
export { checkedRecords, egressCsv, egressJson, summarizeEgress } from "../privacy/egress-summary.ts";
export { egressLines } from "../system/files/egress-file.ts";
export { openKey, peerOfBackup, readBackup, sealKey } from "../system/files/key-backup.ts";
export { reportHtml } from "../system/files/report-html.ts";
export { createLogger } from "../system/platform/log.ts";
