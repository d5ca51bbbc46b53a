/** What an adapter was trained on, read from its folder and written into it: see data/trained-data.ts. */
import { formatTrainedData, parseTrainedData, TRAINED_DATA_JSON, type TrainedData } from "../data/trained-data.ts";
import { type FolderFiles, readAdapterFolder } from "../system/files/adapter-files.ts";

/** What is kept in an adapter's folder; undefined where nothing is.  Throws: ADAPTER_FILE. */
export async function keptTrainedData(folder: string): Promise<TrainedData | undefined> {
  const bytes = (await readAdapterFolder(folder)).get(TRAINED_DATA_JSON);
  return bytes && parseTrainedData(bytes, folder);
}

/** An adapter's files, and the file about its data where there is something to keep. */
export function withTrainedData(files: FolderFiles, data: TrainedData | undefined): FolderFiles {
  return data === undefined ? files : new Map([[TRAINED_DATA_JSON, formatTrainedData(data)], ...files]);
}
