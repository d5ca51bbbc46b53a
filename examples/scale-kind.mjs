/**
 * An adapter kind that is no part of weft: each output of chosen linear layers is multiplied by a trained number, y' = l * y.
 * Source: (IA)^3, Liu et al. 2022, arXiv:2205.05638. own-adapter.mjs trains one.
 */
import { mul } from "weft-peer/adapter-kind";

const adapted = ({ targets }, { linears }) =>
  linears.filter(({ path }) => targets.split(",").some((target) => path.endsWith(`.${target}`)));

export default {
  name: "scale",
  /** The tensors, and where they start: at 1, where the adapter does nothing. */
  parts: (options, model) =>
    adapted(options, model).map(({ path, outputs }) => ({
      name: `${path}.l`,
      shape: [outputs],
      role: "sent",
      start: () => new Float32Array(outputs).fill(1),
    })),
  /** The edit of the forward pass; its gradient follows by itself. */
  hooks: (options, model, { tensor }) => {
    const paths = new Set(adapted(options, model).map(({ path }) => path));
    return {
      adapts: ({ path }) => paths.has(path),
      linear: ({ path }, _x, y) => (paths.has(path) ? mul(y, tensor(`${path}.l`)) : y),
    };
  },
};
