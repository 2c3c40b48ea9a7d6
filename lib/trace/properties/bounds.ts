/** Buffers: never above their limits, and empty when all is quiet. */
import type { Finding } from '../finding.js';
import { finding, violate } from '../finding.js';
import type { History, Of } from '../history.js';

/** What a `gauge` record measures. */
export type GaugeField = Exclude<keyof Of<'gauge'>, 'e' | 't' | 'p'>;
/** The largest value each gauge may show; those left out are not bounded. */
export type GaugeLimits = { readonly [F in GaugeField]?: number | undefined };

const drained = ['unstable', 'unstableBytes', 'queued', 'reorder', 'reassembly'] as const;

/** DRAIN: at a quiet end the last gauge of each correct process shows nothing unstable, queued or half-assembled. */
export function drain(history: History): Finding {
  const found = finding('DRAIN');
  for (const process of history.processes.values()) {
    const last = process.gauges.at(-1);
    if (!process.correct || last === undefined) continue;
    found.held += 1;
    const left = drained.filter((field) => last[field] !== 0).map((field) => `${field} ${last[field]}`);
    if (left.length > 0) violate(found, `${process.id} is idle with ${left.join(', ')}`, last);
  }
  return found;
}

/** BOUND: no gauge is ever above its limit. */
export function bound(history: History, limits: GaugeLimits): Finding {
  const found = finding('BOUND');
  const fields = (Object.keys(limits) as GaugeField[]).filter((field) => limits[field] !== undefined);
  for (const process of history.processes.values()) {
    for (const record of process.gauges) {
      for (const field of fields) {
        found.held += 1;
        const limit = limits[field] ?? 0;
        if (record[field] <= limit) continue;
        violate(found, `${process.id} has ${field} ${record[field]}, more than ${limit}`, record);
      }
    }
  }
  return found;
}
