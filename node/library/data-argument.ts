/** The data of a program: a path, or a path and how it is read. */
import type { LoadExamplesOptions } from "../local/data-source.ts";
import type { Data } from "./types.ts";

/** What `loadExamples` is told of the data; the embedded tasks where nothing is named. */
export function sourceOf(
  data: Data | undefined,
): Pick<
  LoadExamplesOptions,
  "file" | "columns" | "charset" | "chatTemplate" | "split" | "part" | "validation" | "test"
> {
  return typeof data === "string" ? { file: data } : (data ?? {});
}
