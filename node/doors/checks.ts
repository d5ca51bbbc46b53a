/** The door to checks: what is wrong with a machine or a peer, and what an update lets an attacker read. */
export { auditInversion } from "../audit/inversion.ts";
export { collectBugReport } from "../doctor/bug-report.ts";
export { examine } from "../doctor/doctor.ts";
export { readModelFiles } from "../system/files/model-files.ts";
export { createSecureRandom } from "../system/platform/secure-random.ts";
