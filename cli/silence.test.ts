/** What a training touches, which loads the runtime and a tokenizer; `silence.long.test.ts` has every command. */
import { describeSilence, LINES } from "./silence.suite.ts";

describeSilence(LINES.filter(({ words }) => words.startsWith("train ")));
