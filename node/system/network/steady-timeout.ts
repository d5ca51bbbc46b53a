/** Timeouts of libp2p that survive steps of the machine's clock. */

/**
 * libp2p fits timeouts to a moving average over wall time. A clock that is set back by an hour makes that average infinite for
 * good, and each ping then fails and ends its connection. Over an infinite time the first value stays, within the bounds that
 * libp2p gives a timeout. Unit: milliseconds.
 */
export const STEADY_TIMEOUT = { interval: Number.POSITIVE_INFINITY } as const;

/** No ping takes longer: what is beyond it, or below zero, is a step of the clock. */
const ROUND_TRIP_MS_MAX = 60_000;

/** A round trip that libp2p measured by the wall clock; undefined where that was set meanwhile. */
export function plausibleRoundTripMs(ms: number | undefined): number | undefined {
  return ms !== undefined && ms >= 0 && ms <= ROUND_TRIP_MS_MAX ? ms : undefined;
}
