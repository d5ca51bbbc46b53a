/** What the choice of an adapter and a rate depends on, read from a model directory and a file of data. */
import type { Example } from "../interface/trainer.ts";
import type { RecipeFacts } from "../manifest/recipe.ts";
import { recipeFacts } from "../manifest/recipe.ts";
import type { DataForm } from "../manifest/recipe-table.ts";
import { chatTemplatesOf } from "../model/chat-template.ts";
import { isReadOnce } from "../system/files/data-bytes.ts";
import { type DataOptions, openRecords } from "./data-source.ts";
import { type OpenedModel, openModel } from "./stored-adapter.ts";

/** Records that are looked at to tell what a file holds. */
const LOOK_RECORDS = 64;

/** Of a model that is open, and of data whose form is known. */
export function factsOfModel({ model, files }: OpenedModel, form: DataForm): RecipeFacts {
  return recipeFacts(model, { chat: chatTemplatesOf(files).size > 0, form });
}

/** Of a model directory, and of data where some are named.  Throws: as `openModel` and `loadRecords`. */
export async function factsOf(modelDirectory: string, data: Omit<DataOptions, "seed">): Promise<RecipeFacts> {
  return factsOfModel(openModel(modelDirectory), await formOf(data));
}

/**
 * Running text where most of the first records have no prompt, else answers; answers for the embedded tasks, and for
 * standard input and pipes, which can be read only once.  Throws: as `loadRecords`.
 */
export async function formOf(data: Omit<DataOptions, "seed">): Promise<DataForm> {
  if (data.file === undefined || (await isReadOnce(data.file))) return "answers";
  let [looked, asked] = [0, 0];
  for await (const { prompt, conversation } of (await openRecords(data.file, data)).records) {
    looked += 1;
    if (prompt !== "" || conversation !== undefined) asked += 1;
    if (looked === LOOK_RECORDS) break;
  }
  return asked * 2 > looked ? "answers" : "text";
}

/** The same of examples that are read already: a prompt of running text is one token, with which it begins. */
export function formOfExamples(examples: readonly Example[]): DataForm {
  const looked = examples.slice(0, LOOK_RECORDS);
  const asked = looked.filter(({ promptLength }) => promptLength > 1);
  return asked.length * 2 > looked.length ? "answers" : "text";
}
