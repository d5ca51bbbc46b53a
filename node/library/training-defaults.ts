/** What a training goes by where a program says nothing: the same as on the command line. */
import { MANIFEST_DEFAULTS, type TrainingSpec } from "../../protocol/network-manifest.ts";

/** Passes over the data: enough to see an effect on a small file. */
export const EPOCHS = 3;

/** Of every kind of adapter; rate and schedule follow from the kind. */
export const trainingDefaults = (): TrainingSpec => MANIFEST_DEFAULTS.training;
