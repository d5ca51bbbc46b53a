/** Whether this machine, a peer's files and its model are fit for training: what is looked at, and what came of it. */
import { counted } from "../../protocol/counted.ts";
import type { NetworkManifest } from "../../protocol/network-manifest.ts";
import { dataDirectoryLayout } from "../data-directory/layout.ts";
import { withDirectory } from "../data-directory/open.ts";
import { NodeError } from "../errors.ts";
import { PROVIDERS, type Provider } from "../interface/runtime.ts";
import { verifyModel } from "../manifest/verify-model.ts";
import {
  type Float16Trial,
  TRIAL_TIMEOUT_MS,
  type TrialResult,
  type TrialSteps,
  tryDevice,
} from "../system/compute/device-trial.ts";
import { whyMissing } from "../system/compute/onnxruntime.ts";
import { fileExists } from "../system/files/atomic-file.ts";
import { embeddedModelDirectory } from "../system/files/embedded-model.ts";
import { isHeldHere } from "../system/files/lock-file.ts";
import { readModelFiles } from "../system/files/model-files.ts";
import {
  type Finding,
  folderFinding,
  keyFinding,
  machineFinding,
  problemOf,
  spaceFinding,
} from "../system/platform/health.ts";
import {
  DIFFERENCE_IN_HALVES_MAX,
  DIFFERENCE_MAX,
  TRIAL_KINDS,
  type TrialKind,
  trialDifference,
} from "../training/trial-step.ts";
import { checkNetwork, type NetworkCheckOptions } from "./network-check.ts";

export type { Finding } from "../system/platform/health.ts";

/** What came of the steps on one device. */
export interface DeviceFinding {
  readonly device: Provider;
  /** `unavailable`: it cannot be used here; `failed`: it is there, but a step fails or differs from the processor's. */
  readonly state: "ok" | "unavailable" | "failed";
  /** Why it is not ok, in words. */
  readonly reason?: string;
  readonly steps?: Readonly<Record<TrialKind, DeviceStep>>;
  /** Whether products in 16 bits can be computed on it: the same steps so, or why not. */
  readonly float16?: Float16Finding;
}

/** What came of the steps in numbers of 16 bits. */
export type Float16Finding =
  | { readonly ok: true; readonly steps: Readonly<Record<TrialKind, DeviceStep>> }
  | { readonly ok: false; readonly reason: string };

/** One training step on a device, against the same on the processor. */
export interface DeviceStep {
  readonly seconds: number;
  readonly startSeconds: number;
  /** Largest difference from the processor's loss and gradient, of the largest value. */
  readonly difference: number;
}

/** All that was found. */
export interface DoctorReport {
  readonly findings: readonly Finding[];
  readonly devices: readonly DeviceFinding[];
  /** The device that `auto` stands for here. */
  readonly auto: Provider;
  /** No finding is a problem and no device that is there fails. */
  readonly healthy: boolean;
}

/** What to examine. */
export interface DoctorOptions {
  readonly dataDirectory: string;
  readonly modelDirectory: string;
  /** Checked against the model; nothing is checked without one. */
  readonly manifest?: NetworkManifest;
  /** How the peer takes part in the network of the manifest; looked at together with it. */
  readonly network?: Pick<NetworkCheckOptions, "genesis" | "listen" | "reach" | "bootstrap">;
  /** The devices to try; all that there are when absent. */
  readonly devices?: readonly Provider[];
  readonly timeoutMs?: number;
  readonly signal: AbortSignal;
  /** Told what is looked at next. */
  readonly onProgress?: (text: string) => void;
}

/** Never throws for what it finds; rejects with the signal's reason when aborted. */
export async function examine(options: DoctorOptions): Promise<DoctorReport> {
  const { dataDirectory, devices = PROVIDERS } = options;
  const layout = dataDirectoryLayout(dataDirectory);
  const findings = [
    machineFinding(),
    await folderFinding(layout.folder),
    await keyFinding(layout.key),
    await spaceFinding(layout.folder),
    ...(await storeFindings(layout.folder)),
    modelFinding(options),
    ...(await networkFindings(options)),
  ];
  const found = await tryDevices(devices, options);
  const isOk = (wanted: Provider): boolean => found.some(({ device, state }) => device === wanted && state === "ok");
  const healthy = findings.every(({ state }) => state !== "problem") && found.every(({ state }) => state !== "failed");
  return { findings, devices: found, auto: isOk("cuda") ? "cuda" : "cpu", healthy };
}

/** Whether the store opens; nothing is made where there is none, and a running peer has it open itself. */
async function storeFindings(folder: string): Promise<readonly Finding[]> {
  const name = "store";
  const { store: path } = dataDirectoryLayout(folder);
  if (!(await fileExists(path).catch(() => false))) return [];
  try {
    let count = 0;
    await withDirectory(folder, {}, async (directory) => {
      for await (const _ of (await directory.store()).entries("")) count++;
    });
    return [{ name, state: "ok", text: `${path} opens, ${counted(count, "record")}` }];
  } catch (error) {
    if (!(error instanceof NodeError)) throw error;
    if (isHeldHere(error)) return [{ name, state: "ok", text: "open in the peer that runs" }];
    return [problemOf(name, error)];
  }
}

async function networkFindings(options: DoctorOptions): Promise<readonly Finding[]> {
  const { dataDirectory, manifest, network, signal, onProgress } = options;
  if (manifest === undefined || network === undefined) return [];
  onProgress?.("membership, ports, neighbours, reachability and clock");
  return await checkNetwork({ dataDirectory, manifest, signal, ...network });
}

async function tryDevices(devices: readonly Provider[], options: DoctorOptions): Promise<readonly DeviceFinding[]> {
  const { timeoutMs = TRIAL_TIMEOUT_MS, signal, onProgress } = options;
  const modelDirectory = embeddedModelDirectory();
  onProgress?.("one training step on cpu");
  const expected = await tryDevice("cpu", { modelDirectory, timeoutMs, signal });
  const found: DeviceFinding[] = [];
  for (const device of devices) {
    const missing = whyMissing(device);
    if (missing !== undefined) {
      found.push({ device, state: "unavailable", reason: missing });
    } else if (device === "cpu") {
      found.push(judge(device, expected, expected));
    } else {
      onProgress?.(`one training step on ${device}`);
      found.push(judge(device, await tryDevice(device, { modelDirectory, timeoutMs, signal }), expected));
    }
  }
  return found;
}

/** What the result of a trial says of a device. */
export function judge(device: Provider, result: TrialResult, expected: TrialResult): DeviceFinding {
  if (!result.ok) {
    const state = result.code === "DEVICE_UNAVAILABLE" ? "unavailable" : "failed";
    return { device, state, reason: result.reason };
  }
  if (!expected.ok) return { device, state: "failed", reason: "there is no result of the processor to compare with" };
  const steps = compare(result.steps, expected.steps);
  const reason = whyWrong(steps, DIFFERENCE_MAX);
  if (reason !== undefined) return { device, state: "failed", reason, steps };
  return { device, state: "ok", steps, float16: judgeFloat16(result.float16, expected.steps) };
}

/** expected: the processor's steps in f32. */
function judgeFloat16(trial: Float16Trial, expected: TrialSteps): Float16Finding {
  if (!trial.ok) return trial;
  const steps = compare(trial.steps, expected);
  const reason = whyWrong(steps, DIFFERENCE_IN_HALVES_MAX);
  return reason === undefined ? { ok: true, steps } : { ok: false, reason };
}

function compare(found: TrialSteps, expected: TrialSteps): Readonly<Record<TrialKind, DeviceStep>> {
  const stepOf = (kind: TrialKind): DeviceStep => {
    const { seconds, startSeconds } = found[kind];
    return { seconds, startSeconds, difference: trialDifference(found[kind], expected[kind]) };
  };
  return { loreft: stepOf("loreft"), lora: stepOf("lora") };
}

function whyWrong(steps: Readonly<Record<TrialKind, DeviceStep>>, differenceMax: number): string | undefined {
  const wrong = TRIAL_KINDS.find((kind) => !(steps[kind].difference <= differenceMax));
  if (wrong === undefined) return undefined;
  return `its ${wrong} step differs from the processor's by ${steps[wrong].difference.toPrecision(2)}, more than ${differenceMax}`;
}

function modelFinding({ manifest, modelDirectory }: DoctorOptions): Finding {
  const name = "model";
  try {
    const files = readModelFiles(modelDirectory);
    if (manifest === undefined) {
      return { name, state: "ok", text: modelDirectory, problem: "network-not-named" };
    }
    verifyModel(manifest, files);
    return { name, state: "ok", text: `${modelDirectory} is that of network ${manifest.name}` };
  } catch (error) {
    if (!(error instanceof NodeError)) throw error;
    return problemOf(name, error);
  }
}
