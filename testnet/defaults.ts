/**
 * The run of a testnet where nothing else is said. Prompts of the embedded tasks have 8 to 14 tokens, which 4
 * first and 6 last positions cover; 400 local steps are where the held-out loss of every peer has flattened.
 */
export const TESTNET_DEFAULTS = {
  peers: 4,
  adapter: "loreft:r4:f4+l6",
  rounds: { count: 20, localSteps: 20 },
  training: { learningRate: 5e-3 },
} as const;
