/** Where a member's state comes from: along which memberships what has been applied once is never applied again. */
import type { History, Life, Serving } from './history.js';

/** A state holds what another member had applied before a view. */
export interface Origin {
  readonly life: Life;
  /** The number of the view. */
  readonly before: number;
}

/** The origins of members' states. */
export interface Origins {
  readonly history: History;
  readonly byLife: Map<Life, Origin[]>;
}

/** Nothing looked up yet. */
export function createOrigins(history: History): Origins {
  return { history, byLife: new Map() };
}

/** From whom a member has its state, from whom these have theirs, and so on: the nearest first. */
export function originsOf(origins: Origins, life: Life): readonly Origin[] {
  const known = origins.byLife.get(life);
  if (known !== undefined) return known;
  const all: Origin[] = [];
  origins.byLife.set(life, all);
  for (const { record } of life.statesIn) {
    const track = origins.history.processes.get(record.from)?.tracks.get(record.g);
    const donor = track?.lives.find(({ byView }) => byView.has(record.v));
    if (donor === undefined || donor === life) continue;
    const before = donor.byView.get(record.v)!.view.k;
    all.push({ life: donor, before });
    for (const origin of originsOf(origins, donor)) if (origin.before <= before) all.push(origin);
  }
  return all;
}

/** Whether a member's state holds what was delivered there. */
export function isInState(origins: Origins, life: Life, { stay }: Serving): boolean {
  return originsOf(origins, life).some((origin) => origin.life === stay.life && stay.view.k < origin.before);
}
