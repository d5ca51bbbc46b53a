/** The run that `weft testnet` makes when it is told nothing: small enough for a laptop's coffee break. */
export const TESTNET_DEFAULTS = {
  peers: 4,
  adapter: "loreft:r4:f7+l7",
  rounds: { count: 10, localSteps: 10 },
  training: { learningRate: 4e-3 },
} as const;
