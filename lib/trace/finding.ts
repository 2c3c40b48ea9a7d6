/**
 * What checking one property gives: how often its antecedent held, for a property that was never put to the test has
 * not been checked, and what violated it.
 */
import type { Traced } from './format.js';

/** The properties, in the order in which they are reported. Names after Chockler, Keidar, Vitenberg, ACM CSUR 33(4), 2001. */
export const properties = [
  'SELF-INCL',
  'VIEW-MONO',
  'VIEW-AGREE',
  'PRIMARY-UNIQ',
  'PRIMARY-CHAIN',
  'PRIMARY-ONLY',
  'NO-DUP',
  'NO-CREATE',
  'SENDING-VIEW',
  'VSYNC',
  'SELF-DEL',
  'FIFO',
  'CAUSAL',
  'LETTERS',
  'TOTAL',
  'TOTAL-POS',
  'UNIFORM',
  'BARRIER',
  'STATE',
  'ONCE',
  'RPC',
  'LIVE-VIEW',
  'LIVE-DEL',
  'DRAIN',
  'BOUND',
  'AFTER-LEAVE',
] as const;

/** A property's name. */
export type Property = (typeof properties)[number];

/** Something that must not have happened. */
export interface Violation {
  readonly property: Property;
  readonly sentence: string;
  /** The records that show it, at least one where there is one to show. */
  readonly events: readonly Traced[];
}

/** What came of checking one property. */
export interface Finding {
  readonly property: Property;
  /** How often the antecedent held. */
  held: number;
  /** The first ones; one bug can violate a property a million times. */
  readonly violations: Violation[];
  omitted: number;
}

/** Violations of one property that are kept; the rest is counted. */
export const violationsMax = 20;

/** A finding with nothing found yet. */
export function finding(property: Property): Finding {
  return { property, held: 0, violations: [], omitted: 0 };
}

/**
 * Counts a violation that is not to be kept; false if it is. To be asked before anything is searched for a violation's
 * sake: a trace that is wrong everywhere must not take a time that is quadratic in its length.
 */
export function omits(found: Finding): boolean {
  if (found.violations.length < violationsMax) return false;
  found.omitted += 1;
  return true;
}

/** Adds a violation. Missing events are left out, so that a caller need not know which of them the traces have. */
export function violate(found: Finding, sentence: string, ...events: (Traced | null | undefined)[]): void {
  if (omits(found)) return;
  const shown = events.filter((event) => event !== null && event !== undefined);
  found.violations.push({ property: found.property, sentence, events: shown });
}
