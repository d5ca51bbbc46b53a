/** What an adapter was trained on, read from its folder and written into it: see data/trained-data.ts. */
import { formatTrainedData, parseTrainedData, TRAINED_DATA_JSON, type TrainedData } from "../data/trained-data.ts";
import { type FolderFiles, readAdapterFolder } from "../system/files/adapter-files.ts";
import { writeFileAtomic } from "../system/files/atomic-file.ts";

/** What is kept in an adapter's folder; undefined where nothing is.  Throws: ADAPTER_FILE. */
export async function keptTrainedData(folder: string): Promise<TrainedData | undefined> {
  const bytes = (await readAdapterFolder(folder)).get(TRAINED_DATA_JSON);
  return bytes && parseTrainedData(bytes, folder);
}

/**
 * Keep in a peer's data directory what it trains on, for whoever takes its adapter out; examples of earlier runs stay in.
 * Throws: ADAPTER_FILE for a file there that is damaged, DISK_FULL, DATA_DIRECTORY.
 */
export async function keepTrainedData(dataDirectory: string, data: TrainedData | undefined): Promise<void> {
  if (data === undefined) return;
  const before = await keptTrainedData(dataDirectory);
  const digests = new Set([...(before?.digests ?? []), ...data.digests]);
  await writeFileAtomic(`${dataDirectory}/${TRAINED_DATA_JSON}`, formatTrainedData({ ...data, digests }));
}

/** Where transformers and others look for the template of an adapter. */
const CHAT_TEMPLATE = "chat_template.jinja";

/** An adapter's files, and those about its data where there is something to keep: what was trained on, the chat template. */
export function withTrainedData(files: FolderFiles, data: TrainedData | undefined): FolderFiles {
  if (data === undefined) return files;
  return new Map([[TRAINED_DATA_JSON, formatTrainedData(data)], ...templateFiles(data), ...files]);
}

/** The file of the chat template that an adapter was trained with; none where it has one for tools too, as its model has. */
export function templateFiles(data: TrainedData | undefined): FolderFiles {
  const { text, toolUse } = data?.chatTemplate ?? {};
  return text === undefined || toolUse !== undefined
    ? new Map()
    : new Map([[CHAT_TEMPLATE, new TextEncoder().encode(text)]]);
}
