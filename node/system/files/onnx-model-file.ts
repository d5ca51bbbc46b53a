/** An ONNX file on disk with the files of weights that it refers to, and the rows of tensors that it is trained on. */
import { realpathSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { TensorRow } from "../../data/tensor-rows.ts";
import { readTensorRows } from "../../data/tensor-rows.ts";
import { NodeError } from "../../errors.ts";
import type { WeightFile } from "../../model/weight-file.ts";
import { systemCode, writeFileAtomic } from "./atomic-file.ts";
import { fileSize, linesOf } from "./data-files.ts";
import { openWeightFiles } from "./weight-files.ts";

/** An ONNX file that is read, and the files that it refers to. */
export interface OnnxModelFile {
  /** For error lines. */
  readonly path: string;
  readonly bytes: Uint8Array;
  /** Files beside the model, under the names that it has for them.  Throws: MODEL_MISSING. */
  open(locations: readonly string[]): readonly WeightFile[];
}

/** A protobuf message has 2 GiB at most; larger models keep their weights beside it. */
const FILE_BYTES_MAX = 2 ** 31 - 1;

/** Throws: MODEL_MISSING. */
export async function readOnnxModelFile(path: string): Promise<OnnxModelFile> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw new NodeError(
      "MODEL_MISSING",
      `${path} cannot be read (${systemCode(cause) ?? String(cause)})`,
      {},
      { cause },
    );
  }
  if (bytes.length > FILE_BYTES_MAX) throw new NodeError("MODEL_MISSING", `${path} is larger than 2 GiB`);
  const folder = dirname(path);
  return {
    path,
    bytes,
    open: (locations) =>
      locations.map((location) => {
        const [file] = openWeightFiles([join(folder, location)]);
        const { name, fileBytes, stamp, read } = file!;
        // Where a link leads out of the folder, as in a model cache, the runtime would not follow it.
        const isThere = realpathSync(join(folder, location)) === join(realpathSync(folder), location);
        return {
          ...{ name, fileBytes, stamp, read, path: location },
          ...(isThere && { folder: resolve(folder) }),
          get data() {
            return file!.data;
          },
        };
      }),
  };
}

/**
 * Write the model as it was trained, complete or not at all.
 * Throws: CONFIG_INVALID where it would lie in another folder than the weights it refers to; DISK_FULL, DATA_DIRECTORY.
 */
export async function writeOnnxModelFile(
  path: string,
  bytes: Uint8Array,
  { original, locations }: { readonly original: string; readonly locations: readonly string[] },
): Promise<void> {
  if (locations.length > 0 && resolve(dirname(path)) !== resolve(dirname(original))) {
    const text = `${original} keeps weights in ${locations.join(", ")} beside it, and ${path} is in another folder`;
    throw new NodeError("CONFIG_INVALID", text, { path, problem: "weights-beside" });
  }
  await writeFileAtomic(path, bytes);
}

/** Throws: DATA_FORMAT. */
export async function readTensorFile(path: string): Promise<readonly TensorRow[]> {
  await fileSize(path);
  return readTensorRows(linesOf(path), { file: path });
}
