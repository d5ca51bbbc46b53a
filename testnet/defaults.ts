/**
 * The run of a testnet where nothing else is said; adapter, rate and schedule are those of every new network. 400 local steps
 * are where the held-out loss of every peer has flattened.
 */
export const TESTNET_DEFAULTS = {
  peers: 4,
  rounds: { count: 20, localSteps: 20 },
} as const;
