/** Every command of `weft`: the parser, `--help` and docs/CLI.md are all made from this table. */
import type { CommandRow } from "./command-row.ts";
import { exportAdapterCommand } from "./commands/adapter/export.ts";
import { importAdapterCommand } from "./commands/adapter/import.ts";
import { inspectAdapterCommand } from "./commands/adapter/inspect.ts";
import { auditInversionCommand } from "./commands/audit/inversion.ts";
import { showConfigCommand } from "./commands/config/show.ts";
import { checkDataCommand } from "./commands/data/check.ts";
import { exportEgressCommand } from "./commands/egress/export.ts";
import { verifyEgressCommand } from "./commands/egress/verify.ts";
import { completionCommand } from "./commands/help/completion.ts";
import { backupKeysCommand } from "./commands/keys/backup.ts";
import { restoreKeysCommand } from "./commands/keys/restore.ts";
import { rotateKeysCommand } from "./commands/keys/rotate.ts";
import { evalCommand } from "./commands/local/eval.ts";
import { fitCommand } from "./commands/local/fit.ts";
import { generateCommand } from "./commands/local/generate.ts";
import { trainCommand } from "./commands/local/train.ts";
import { approveMembersCommand } from "./commands/members/approve.ts";
import { denyMembersCommand } from "./commands/members/deny.ts";
import { expireMembersCommand } from "./commands/members/expire.ts";
import { listMembersCommand } from "./commands/members/list.ts";
import { logMembersCommand } from "./commands/members/log.ts";
import { pendingMembersCommand } from "./commands/members/pending.ts";
import { policyMembersCommand } from "./commands/members/policy.ts";
import { promoteMembersCommand } from "./commands/members/promote.ts";
import { revokeMembersCommand } from "./commands/members/revoke.ts";
import { baseModelCommand } from "./commands/model/base.ts";
import { mergeModelCommand } from "./commands/model/merge.ts";
import { trainModelCommand } from "./commands/model/train.ts";
import { createNetworkCommand } from "./commands/network/create.ts";
import { inviteNetworkCommand } from "./commands/network/invite.ts";
import { proposeNetworkCommand } from "./commands/network/propose.ts";
import { showNetworkCommand } from "./commands/network/show.ts";
import { signNetworkCommand } from "./commands/network/sign.ts";
import { verifyNetworkCommand } from "./commands/network/verify.ts";
import { bugreportCommand } from "./commands/peer/bugreport.ts";
import { doctorCommand } from "./commands/peer/doctor.ts";
import { initCommand } from "./commands/peer/init.ts";
import { joinCommand } from "./commands/peer/join.ts";
import { reportCommand } from "./commands/peer/report.ts";
import { runCommand } from "./commands/peer/run.ts";
import { statusCommand } from "./commands/peer/status.ts";
import { downTestnetCommand } from "./commands/testnet/down.ts";
import { healTestnetCommand } from "./commands/testnet/heal.ts";
import { killTestnetCommand } from "./commands/testnet/kill.ts";
import { logsTestnetCommand } from "./commands/testnet/logs.ts";
import { pageTestnetCommand } from "./commands/testnet/page.ts";
import { partitionTestnetCommand } from "./commands/testnet/partition.ts";
import { pauseTestnetCommand } from "./commands/testnet/pause.ts";
import { restartTestnetCommand } from "./commands/testnet/restart.ts";
import { resumeTestnetCommand } from "./commands/testnet/resume.ts";
import { statusTestnetCommand } from "./commands/testnet/status.ts";
import { testnetCommand } from "./commands/testnet/testnet.ts";
import { upTestnetCommand } from "./commands/testnet/up.ts";
import { QUIET } from "./shared-options.ts";

const ROWS: readonly CommandRow[] = [
  testnetCommand,
  upTestnetCommand,
  pageTestnetCommand,
  statusTestnetCommand,
  logsTestnetCommand,
  killTestnetCommand,
  restartTestnetCommand,
  pauseTestnetCommand,
  resumeTestnetCommand,
  partitionTestnetCommand,
  healTestnetCommand,
  downTestnetCommand,
  initCommand,
  createNetworkCommand,
  signNetworkCommand,
  inviteNetworkCommand,
  proposeNetworkCommand,
  showNetworkCommand,
  verifyNetworkCommand,
  runCommand,
  joinCommand,
  statusCommand,
  reportCommand,
  showConfigCommand,
  verifyEgressCommand,
  exportEgressCommand,
  auditInversionCommand,
  doctorCommand,
  bugreportCommand,
  listMembersCommand,
  pendingMembersCommand,
  approveMembersCommand,
  denyMembersCommand,
  revokeMembersCommand,
  promoteMembersCommand,
  expireMembersCommand,
  policyMembersCommand,
  logMembersCommand,
  rotateKeysCommand,
  backupKeysCommand,
  restoreKeysCommand,
  checkDataCommand,
  fitCommand,
  trainCommand,
  evalCommand,
  generateCommand,
  exportAdapterCommand,
  importAdapterCommand,
  inspectAdapterCommand,
  trainModelCommand,
  mergeModelCommand,
  baseModelCommand,
  completionCommand(() => COMMANDS),
];

/** In the order in which help and docs show them; each takes the flag that all have. */
export const COMMANDS: readonly CommandRow[] = ROWS.map((row) => ({ ...row, options: [...row.options, QUIET] }));
