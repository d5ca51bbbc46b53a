/**
 * Stands in for global-agent in a checkout. Nothing but the install script of onnxruntime-node uses that package: it calls
 * `bootstrap` first, before it fetches CUDA libraries from outside the npm registry. Here it ends instead, unless
 * ONNXRUNTIME_NODE_INSTALL asks for the libraries.
 */
exports.bootstrap = () => {
  if (process.env.ONNXRUNTIME_NODE_INSTALL === undefined) process.exit(0);
};
