/**
 * Decoders of remote bytes and of files that people get from elsewhere. To be loaded after coverage counts: code that was
 * compiled before is not watched block by block.
 */

import { bech32m } from "@scure/base";
import { createSigner } from "../../../protocol/envelope.ts";
import { ProtocolError } from "../../../protocol/errors.ts";
import {
  createInvite,
  INVITE_PREFIX,
  INVITE_SECRET_BYTES,
  inviteText,
  parseInvite,
} from "../../../protocol/membership/invite.ts";
import { parseNetworkId } from "../../../protocol/network-id.ts";
import { fuzzTargets } from "../../../protocol/vectors/fuzz.ts";
import { formatTrainedData, parseTrainedData } from "../../data/trained-data.ts";
import { NodeError } from "../../errors.ts";
import {
  ADAPTER_JSON,
  ADAPTER_TENSORS,
  jsonBytes,
  parseJson,
  readAdapterDirectory,
  writeAdapterDirectory,
} from "../../interchange/adapter-directory.ts";
import { readPeftConfig, writePeftConfig } from "../../interchange/peft-config.ts";
import { readPickle } from "../../interchange/pickle-reader.ts";
import { readStoredZip } from "../../interchange/stored-zip.ts";
import { readTorchFile, writeTorchFile } from "../../interchange/torch-file.ts";
import { readSafetensors, toFloat32, writeSafetensors } from "../../model/safetensors.ts";
import { decodeModel, decodeTensor, encodeModel } from "../../onnx/codec.ts";
import { constantValue, inputValue } from "../../onnx/graph.ts";
import { add, gemm, mul, scalar, softmax, split } from "../../onnx/operators.ts";
import { decodeCheckpoint, encodeCheckpoint } from "../../system/files/checkpoint-file.ts";
import { createNativeVerifier } from "../../system/platform/ed25519.ts";
import { float32 } from "../../tensor.ts";
import { doorTargets } from "./door-targets.ts";
import type { GuidedTarget } from "./guided-fuzz.ts";
import { KnownSignatures } from "./known-signatures.ts";
import { modelTargets } from "./model-targets.ts";

/** Longest time for one input: longer is a way to keep a peer busy. */
const READ_MS_MAX = 2_000;

/** Every target, those of the wire first. */
export function guidedTargets(): readonly GuidedTarget[] {
  const all = [...wireTargets(), ...fileTargets(), ...modelTargets()];
  return all.map(({ read, ...target }) => ({ ...target, read: (bytes) => expectedOnly(read, bytes) }));
}

/** Those that are read by and by: a library reads them, or the disk. */
export function patientTargets(): readonly GuidedTarget[] {
  return doorTargets().map(({ read, ...target }) => ({ ...target, read: (bytes) => expectedOfDoor(read, bytes) }));
}

/**
 * What came of it: of a refusal its code and its words, without what they quote.
 * Throws: what is neither an error of the protocol nor one for a person, and RangeError where it took too long.
 */
function expectedOnly(read: GuidedTarget["read"], bytes: Uint8Array): string {
  const began = performance.now();
  let outcome: string;
  try {
    const result = read(bytes);
    outcome = typeof result === "string" ? result : "";
  } catch (error) {
    if (!(error instanceof ProtocolError || error instanceof NodeError)) throw error;
    outcome = `${error.code} ${error.message.replace(QUOTED, "")}`;
  }
  const tookMs = performance.now() - began;
  if (tookMs > READ_MS_MAX) throw new RangeError(`it took ${tookMs.toFixed(0)} ms`);
  return outcome;
}

/** The same of a door. */
async function expectedOfDoor(read: GuidedTarget["read"], bytes: Uint8Array): Promise<string> {
  const began = performance.now();
  let result: unknown;
  let error: unknown;
  try {
    result = await read(bytes);
  } catch (cause) {
    error = cause;
  }
  const tookMs = performance.now() - began;
  if (tookMs > READ_MS_MAX) throw new RangeError(`it took ${tookMs.toFixed(0)} ms`);
  return expectedOnly(() => {
    if (error !== undefined) throw error;
    return result;
  }, bytes);
}

/** Of an error's words what the input says. */
const QUOTED = /"[^"]*"|\d+/g;

/** The messages of `npm run fuzz`, each kind by itself; what is accepted and was not signed is a fault. */
function wireTargets(): readonly GuidedTarget[] {
  const signatures = new KnownSignatures(createNativeVerifier());
  const { verify } = signatures;
  for (const { originals, judge } of fuzzTargets()) for (const one of originals) judge(one, one.bytes, verify);
  signatures.freeze();
  return fuzzTargets().flatMap((target) => {
    const kinds = [...new Set(target.originals.map(({ message }) => message))];
    return kinds.map((message) => {
      const originals = target.originals.filter((original) => original.message === message);
      return {
        name: `${target.name}-${message}`.replaceAll(" ", "-"),
        seeds: originals.map(({ bytes }) => bytes),
        read: (bytes: Uint8Array) => {
          // Originals of one kind may be judged under rules of their own: the bytes choose.
          const original = originals[bytes.length % originals.length];
          if (original === undefined) return;
          const { outcome, isForged } = target.judge(original, bytes, verify);
          if (isForged && !isAnOriginal(originals, bytes)) throw new Error("it was accepted, and nobody made it");
          return outcome;
        },
      };
    });
  });
}

const isAnOriginal = (originals: readonly { readonly bytes: Uint8Array }[], bytes: Uint8Array): boolean =>
  originals.some((original) => Buffer.compare(original.bytes, bytes) === 0);

/** Files that come from elsewhere. */
function fileTargets(): readonly GuidedTarget[] {
  const values = [{ name: "a", shape: [2, 1], data: Float32Array.of(1, 2) }];
  const safetensors = writeSafetensors(values, { format: "pt" });
  const torch = writeTorchFile(values);
  const pickle = [...readStoredZip(torch, "seed")].find(([name]) => name.endsWith("data.pkl"))?.[1] ?? new Uint8Array();
  const checkpoint = encodeCheckpoint({
    vectors: new Map([["theta", Float32Array.of(1)]]),
    state: { round: 1 },
  } as never);
  return [
    {
      name: "file-safetensors",
      seeds: [safetensors],
      read: (bytes) => {
        for (const tensor of readSafetensors(bytes, { name: "file" }).tensors.values()) toFloat32(tensor);
      },
    },
    {
      name: "text-join-link",
      seeds: joinLinks(),
      // With the checksum made anew, which no change would pass.
      read: (bytes) => void parseInvite(bech32m.encode(INVITE_PREFIX, bech32m.toWords(bytes), false), () => true),
    },
    { name: "file-torch", seeds: [torch], read: (bytes) => void readTorchFile(bytes, "file") },
    { name: "file-pickle", seeds: [pickle], read: (bytes) => void readPickle(bytes, "file") },
    { name: "file-checkpoint", seeds: [checkpoint], read: (bytes) => void decodeCheckpoint(bytes, "file") },
    { name: "file-onnx", seeds: [onnxSeed()], read: (bytes) => void decodeModel(bytes) },
    { name: "file-onnx-tensor", seeds: TENSOR_SEEDS, read: (bytes) => void decodeTensor(bytes) },
    ...jsonTargets(),
  ];
}

function jsonTargets(): readonly GuidedTarget[] {
  const adapter = writeAdapterDirectory({
    settings: { kind: "lora", rank: 1, alpha: 1, targets: ["q_proj"], layers: "all" },
    seed: 1,
    model: { family: "llama", digest: { weights: "a".repeat(64), config: "b".repeat(64), tokenizer: "c".repeat(64) } },
    tensors: [{ name: "layers.0.q_proj.A", shape: [1, 2] }],
    values: Float32Array.of(1, 2),
  });
  const tensors = adapter.get(ADAPTER_TENSORS) ?? new Uint8Array();
  const peft = writePeftConfig({
    ...{ r: 4, lora_alpha: 8, lora_dropout: 0, use_rslora: false, use_dora: false },
    ...{ fan_in_fan_out: false, target_modules: ["q_proj"] },
    ...{ layers_to_transform: null, modules_to_save: null, task_type: "CAUSAL_LM", base_model_name_or_path: null },
  });
  const trained = { frame: "plain", maxTokens: 64, batchSize: 8, digests: new Set(["ab".repeat(16)]) } as const;
  return [
    {
      name: "file-peft-config",
      seeds: [jsonBytes(peft)],
      read: (bytes) => void readPeftConfig(parseJson(bytes, "file"), "file"),
    },
    {
      name: "file-adapter",
      seeds: [adapter.get(ADAPTER_JSON) ?? new Uint8Array()],
      read: (bytes) => {
        const files = new Map([
          [ADAPTER_JSON, bytes],
          [ADAPTER_TENSORS, tensors],
        ]);
        readAdapterDirectory(files, "folder");
      },
    },
    {
      name: "file-trained-data",
      seeds: [formatTrainedData(trained)],
      read: (bytes) => void parseTrainedData(bytes, "folder"),
    },
  ];
}

/** The bytes of an invite with one address and one with two. */
function joinLinks(): readonly Uint8Array[] {
  const issuer = createSigner(new Uint8Array(32).fill(1));
  const addresses = [`/ip4/192.0.2.1/tcp/9000/p2p/${issuer.peer}`, `/dns4/a.example/tcp/1/p2p/${issuer.peer}`];
  const terms = {
    networkId: parseNetworkId("ab".repeat(32)),
    role: "trainer",
    uses: 1,
    notAfter: 2_000_000_000,
  } as const;
  return [1, 2].map((count) => {
    const secret = new Uint8Array(INVITE_SECRET_BYTES).fill(count);
    const text = inviteText(createInvite({ ...terms, secret, addresses: addresses.slice(0, count) }, issuer));
    return bech32m.fromWords(bech32m.decode(text as `weft1${string}`, false).words);
  });
}

/** A model with several operators, a weight and outputs. */
function onnxSeed(): Uint8Array {
  const x = inputValue("x", "float32", [2, 6]);
  const w = constantValue(float32([4, 6], new Float32Array(24)), "w");
  const [a, b] = split(softmax(gemm(x, w, { transB: true })), [1, 3], 1);
  if (a === undefined || b === undefined) throw new Error("split gives two");
  const y = add(mul(a, b), scalar(0.5));
  return encodeModel({ inputs: [x], outputs: { y, copy: x } });
}

/** Tensors of two f32 as raw bytes and as a list, and of one i64. */
const TENSOR_SEEDS = ["080210014a080000803f00000040", "0802100122080000803f00000040", "0801100738053a0105"].map((hex) =>
  Buffer.from(hex, "hex"),
);
