/** What commands touch that load the training runtime, the network or a tokenizer; see `silence.suite.ts`. */
import { describeSilence, LINES } from "./silence.suite.ts";

const BEGINNINGS = ["network create --name open", "run --data-dir open", "train ", "generate "];
describeSilence(LINES.filter(({ words }) => BEGINNINGS.some((beginning) => words.startsWith(beginning))));
