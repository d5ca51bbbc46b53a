/**
 * The only place that loads onnxruntime's native library. The library's maker compiled telemetry into it, on by default: it
 * looks up and dials its maker's collector, keeps a device id and a queue of events in the user's cache folder, and writes a
 * log into the temporary folder. The library reads one variable of the process's environment when it is loaded, and with
 * it does none of that.
 */
import { createRequire } from "node:module";
import { isMainThread } from "node:worker_threads";
import { NodeError } from "../../errors.ts";

/** The library's own switch.  Source: onnxruntime 1.30, core/platform/posix/telemetry.cc; docs/decisions/0003-telemetry.md. */
const SWITCH = "ORT_DISABLE_TELEMETRY";

/** What `onnxruntime-node` exports. */
export type OnnxRuntimeLibrary = typeof import("onnxruntime-node");
/** A loaded graph, and a tensor, of that library. */
export type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";

/**
 * Switch the library's telemetry off in this process, and in every process that it starts from now on. A thread beside the
 * main one has a copy of the environment, which the library does not see: whoever starts such a thread calls this first.
 * Throws: NodeError RUNTIME_MODEL in a thread whose starter did not.
 */
export function silenceOnnxRuntime(): void {
  if (isMainThread) process.env[SWITCH] = "1";
  else if (process.env[SWITCH] !== "1") {
    const text = `onnxruntime would send telemetry to its maker: set ${SWITCH}=1 on the main thread before this thread starts`;
    throw new NodeError("RUNTIME_MODEL", text);
  }
}

/** The library, loaded at the first call and silent.  Throws: as `silenceOnnxRuntime`. */
export function loadOnnxRuntime(): OnnxRuntimeLibrary {
  silenceOnnxRuntime();
  return createRequire(import.meta.url)("onnxruntime-node") as OnnxRuntimeLibrary;
}
