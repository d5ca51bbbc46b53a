/** The inference runtime: onnxruntime-node behind `node/interface/runtime`. */
import * as ort from "onnxruntime-node";
import { NodeError } from "../errors.ts";
import type { ExternalData, Runtime, Session } from "../interface/runtime.ts";
import type { Dtype, Tensor } from "../tensor.ts";

/** onnxruntime on the CPU. `run` blocks the calling thread: use it in a worker thread beside a network. */
export function createOnnxRuntime(): Runtime {
  return {
    load: async (model, options) => {
      const given = options.externalData ?? [];
      const folder = mappedFolder(given);
      try {
        const session = await ort.InferenceSession.create(model, {
          executionProviders: ["cpu"],
          graphOptimizationLevel: "all",
          // measured: patterns cost 690 MB at SmolLM2-135M's size and gain nothing
          enableMemPattern: false,
          // 3: errors and worse; the runtime's hints about unused initializers are not for a peer's log
          logSeverityLevel: 3,
          ...(options.threads === undefined ? {} : { intraOpNumThreads: options.threads }),
          interOpNumThreads: 1,
          ...(folder === undefined ? { externalData: given.map(({ path, data }) => ({ path, data })) } : {}),
          // packed copies of the weights cost as much memory as the weights for 1 to 9 % of speed
          extra: {
            session: {
              disable_prepacking: "1",
              intra_op: { allow_spinning: "0" },
              ...(folder === undefined ? {} : { model_external_initializers_file_folder_path: folder }),
            },
          },
        });
        return wrap(session);
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message : String(cause);
        throw new NodeError("RUNTIME_MODEL", `onnxruntime refused the model: ${reason}`, {}, { cause });
      }
    },
  };
}

/**
 * The folder from which the runtime maps all files of weights; undefined when one of them is only in memory.
 * Measured with 400 MB of weights and two sessions: 53 MB of memory of its own, against 1,196 MB with the bytes given.
 */
function mappedFolder(files: readonly ExternalData[]): string | undefined {
  const [first] = files;
  return first?.folder !== undefined && files.every(({ folder }) => folder === first.folder) ? first.folder : undefined;
}

function wrap(session: ort.InferenceSession): Session {
  let closed = false;
  return {
    run: async (feeds) => {
      const inputs = Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, toOrt(tensor)]));
      const outputs = await session.run(inputs);
      return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, fromOrt(tensor)]));
    },
    close: async () => {
      if (closed) return;
      closed = true;
      await session.release();
    },
  };
}

function toOrt({ dtype, data, shape }: Tensor): ort.Tensor {
  // The constructor is overloaded by dtype; the pair was checked where the tensor was made.
  return new ort.Tensor(dtype as "float32", data as Float32Array, [...shape]);
}

function fromOrt(tensor: ort.Tensor): Tensor {
  return { dtype: tensor.type as Dtype, shape: tensor.dims, data: tensor.data as Float32Array };
}
