/**
 * The run of a testnet where nothing else is said; adapter, rate and schedule are those of every new network. 128 local steps on
 * the embedded tasks leave alone, swarm and all data in one place clearly apart, and take some 40 seconds of two free cores.
 */
export const TESTNET_DEFAULTS = {
  peers: 4,
  rounds: { count: 8, localSteps: 16 },
} as const;

/** Rounds of a swarm that stays: some ten minutes of two free cores, long enough to play with it. */
export const SWARM_ROUNDS = 200;
