/** `weft doctor`: whether this machine, a peer's files and its model are fit for training. */

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import {
  checkDoor,
  type DeviceFinding,
  type DoctorOptions,
  type DoctorReport,
  dataDirectoryLayout,
  type Finding,
  NodeError,
  PROVIDERS,
  type Provider,
  readNetwork,
  rosterGenesis,
} from "../../../node/index.ts";
import type { Genesis } from "../../../protocol/membership/genesis.ts";
import { networkId } from "../../../protocol/network-manifest.ts";
import { formatSeconds, textTable } from "../../../testnet/words/text-table.ts";
import type { CommandRow } from "../../command-row.ts";
import { dataDirectory } from "../../data-directory.ts";
import { jsonText } from "../../json.ts";
import { modelDirectory } from "../../model-directory.ts";
import { choice } from "../../option-value.ts";
import { REACH_OPTIONS, type ReachFlags, reachOf } from "../../reach-options.ts";
import { withRemedy } from "../../remedies.ts";
import { BOOTSTRAP, CONFIG, DATA_DIR, JSON_OUTPUT, MODEL } from "../../shared-options.ts";
import { EXIT_INTERRUPTED, EXIT_OK, EXIT_REFUSED, type Terminal } from "../../terminal.ts";

/** The row of `weft doctor`, and what it runs. */
export const doctorCommand: CommandRow = {
  name: ["doctor"],
  text: "Check this machine, the peer's files, its model and its network, and try a training step on every device.",
  options: [
    DATA_DIR,
    {
      flags: "--network <file>",
      text: "manifest of the network; the model is checked against it, and its peers say whether they reach this one and what time it is",
      otherwise: "network.json in the data directory, where there is one",
    },
    CONFIG,
    MODEL,
    BOOTSTRAP,
    ...REACH_OPTIONS,
    {
      flags: "--device <name>",
      text: `try this device only: ${PROVIDERS.join(", ")}; may be repeated`,
      parse: choice(PROVIDERS),
      repeatable: true,
      otherwise: "all of them",
    },
    JSON_OUTPUT,
  ],
  configurable: "partly",
  takesLong: true,
  example: "weft doctor --network network.json --model models/smollm2-135m",
  json: {
    findings: "name, state and text of each",
    devices: "each device with its state and its steps",
    auto: "the device that auto stands for",
    healthy: "whether nothing is wrong",
  },
  run,
};

type DoctorCommandOptions = ReachFlags & {
  readonly bootstrap?: readonly string[];
  readonly dataDir?: string;
  readonly network?: string;
  readonly model?: string;
  readonly device?: readonly Provider[];
  readonly json?: boolean;
};

async function run(options: DoctorCommandOptions, terminal: Terminal): Promise<number> {
  const { examine } = await checkDoor();
  const folder = dataDirectory(options.dataDir, terminal.environment);
  terminal.err(`files of this peer: ${folder}\n`);
  let report: DoctorReport;
  try {
    report = spoken(await examine(await examination(options, folder, terminal)));
  } catch (error) {
    if (terminal.signal.aborted) return EXIT_INTERRUPTED;
    throw error;
  }
  terminal.out(options.json ? jsonText(report) : `${lines(report).join("\n")}\n`);
  return report.healthy ? EXIT_OK : EXIT_REFUSED;
}

/** The findings with what to do about them. */
function spoken(report: DoctorReport): DoctorReport {
  const findings = report.findings.map(({ problem, text, ...finding }) => ({
    ...finding,
    text: withRemedy(text, problem === undefined ? {} : { problem }),
  }));
  return { ...report, findings };
}

async function examination(options: DoctorCommandOptions, folder: string, terminal: Terminal): Promise<DoctorOptions> {
  const network = networkFile(options.network, folder);
  const read = network === undefined ? undefined : await readNetwork(network);
  const manifest = read?.manifest;
  const genesis = read && (await rosterGenesisIfThere(read, folder));
  return {
    dataDirectory: folder,
    modelDirectory: modelDirectory(options.model),
    ...(manifest !== undefined && {
      manifest,
      network: {
        ...reachOf(options, networkId(manifest)),
        ...(genesis && { genesis }),
        bootstrap: [...(options.bootstrap ?? []), ...manifest.bootstrap],
      },
    }),
    ...(options.device !== undefined && { devices: options.device }),
    signal: terminal.signal,
    onProgress: (text) => terminal.err(`${text}\n`),
  };
}

/** That it is not there is a finding, and the examination goes on. */
async function rosterGenesisIfThere(network: Genesis, folder: string): Promise<Genesis | undefined> {
  try {
    return await rosterGenesis(network, folder);
  } catch (error) {
    if (error instanceof NodeError) return undefined;
    throw error;
  }
}

/** The file that is named, else the copy in the data directory where there is one. */
function networkFile(flag: string | undefined, folder: string): string | undefined {
  if (flag !== undefined) return resolve(flag);
  const { network } = dataDirectoryLayout(folder);
  return existsSync(network) ? network : undefined;
}

function lines({ findings, devices, auto, healthy }: DoctorReport): string[] {
  const reasons = devices.flatMap(({ device, reason }) => (reason === undefined ? [] : [`${device}: ${reason}`]));
  const float16 = devices.flatMap(float16Lines);
  return [
    ...findings.map(findingLine),
    "",
    ...textTable(COLUMNS, devices.map(deviceRow)),
    ...(reasons.length > 0 ? ["", ...reasons] : []),
    ...(float16.length > 0 ? ["", ...float16] : []),
    "",
    `--device auto is ${auto} here. ${healthy ? "All is well." : "Something is wrong, see above."}`,
  ];
}

const STATES: Readonly<Record<Finding["state"], string>> = {
  ok: "ok",
  warning: "WARNING",
  problem: "PROBLEM",
  absent: "–",
};

const findingLine = ({ name, state, text }: Finding): string => `${name.padEnd(12)} ${STATES[state].padEnd(8)} ${text}`;

const COLUMNS = [
  { heading: "device", numeric: false },
  { heading: "state", numeric: false },
  { heading: "start", numeric: true },
  { heading: "LoReFT step", numeric: true },
  { heading: "LoRA step", numeric: true },
  { heading: "difference from cpu", numeric: true },
];

function deviceRow({ device, state, steps }: DeviceFinding): string[] {
  const name = state === "failed" ? "FAILED" : state;
  if (!steps) return [device, name];
  const { loreft, lora } = steps;
  return [
    device,
    name,
    formatSeconds(loreft.startSeconds + lora.startSeconds),
    formatMilliseconds(loreft.seconds),
    formatMilliseconds(lora.seconds),
    device === "cpu" ? "" : Math.max(loreft.difference, lora.difference).toExponential(1),
  ];
}

function float16Lines({ device, float16 }: DeviceFinding): string[] {
  if (!float16) return [];
  if (!float16.ok) return [`--precision fp16 on ${device}: no; ${float16.reason}`];
  const { loreft, lora } = float16.steps;
  const [difference, times] = [
    Math.max(loreft.difference, lora.difference).toExponential(1),
    [loreft, lora].map(({ seconds }) => formatMilliseconds(seconds)),
  ];
  return [`--precision fp16 on ${device}: yes; steps of ${times.join(" and ")}, ${difference} from the cpu's in fp32`];
}

const formatMilliseconds = (seconds: number): string => `${(1000 * seconds).toFixed(1)} ms`;
