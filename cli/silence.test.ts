/** What a peer touches, which loads the training runtime, the network and a tokenizer; see `silence.suite.ts`. */
import { describeSilence, LINES } from "./silence.suite.ts";

const BEGINNINGS = ["network create --name open", "run --data-dir open"];
describeSilence(LINES.filter(({ words }) => BEGINNINGS.some((beginning) => words.startsWith(beginning))));
