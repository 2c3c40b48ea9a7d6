/** The monotonic clock that all processes of a machine share; `performance.now` begins anew in each. */

/** In microseconds. */
export function micros(): number {
  return Number(process.hrtime.bigint()) / 1000;
}

/** In milliseconds. */
export function millis(): number {
  return micros() / 1000;
}
