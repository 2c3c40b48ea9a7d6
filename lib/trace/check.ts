/**
 * Checks traces against every property. All of them are predicates over what was traced, the traces of the dead
 * included; the names are those of Chockler, Keidar, Vitenberg, "Group communication specifications: a comprehensive
 * study", ACM CSUR 33(4), 2001, where it has them.
 */
import type { Finding, Property, Violation } from './finding.js';
import { properties, violate } from './finding.js';
import type { Traced } from './format.js';
import { gather } from './gather.js';
import type { History } from './history.js';
import type { GaugeLimits } from './properties/bounds.js';
import { bound, drain } from './properties/bounds.js';
import { causal } from './properties/causality.js';
import { noCreation, noDuplication, selfDelivery, sendingView, virtualSynchrony } from './properties/delivery.js';
import { afterLeave } from './properties/leaving.js';
import { letters } from './properties/letters.js';
import { liveDelivery, liveView } from './properties/liveness.js';
import { barrier, fifo } from './properties/order.js';
import { once } from './properties/once.js';
import { rpc } from './properties/rpc.js';
import { state } from './properties/state.js';
import type { Contamination, Positions } from './properties/total.js';
import { total, totalPositions } from './properties/total.js';
import { uniform } from './properties/uniform.js';
import * as views from './properties/views.js';
import { followPasts } from './past.js';
import { settle } from './settle.js';

/** What the caller knows about the run. */
export interface CheckOptions {
  /** The run ended healed and idle: LIVE-VIEW, LIVE-DEL and DRAIN are checked. */
  readonly quiesced?: boolean | undefined;
  /** The process ids that live at that end. Default: every process with a trace that has neither left nor been excluded. */
  readonly alive?: readonly string[] | undefined;
  /** By when the last views must be installed, in nanoseconds on a clock that all traces share (a simulator's). */
  readonly liveBy?: number | undefined;
  /** Properties whose antecedent must have held at least once; a run that never tries them violates them. */
  readonly expect?: readonly string[] | undefined;
  /** What the gauges may not exceed, for BOUND. */
  readonly limits?: GaugeLimits | undefined;
}

/** What came of a check. */
export interface Report {
  /** No violation. */
  readonly ok: boolean;
  readonly violations: readonly Violation[];
  /** Violations beyond the first twenty of a property, which are not kept. */
  readonly omitted: Readonly<Record<Property, number>>;
  /** How often each property's antecedent held: 0 means that nothing was checked. */
  readonly antecedents: Readonly<Record<Property, number>>;
  /** Plain total multicasts that stand elsewhere at a process that then died or was excluded. No violation. */
  readonly contaminated: readonly Contamination[];
  /** Members of views without a trace: what they sent, answered or gave cannot be checked. */
  readonly untraced: readonly string[];
  readonly records: number;
  readonly processes: number;
}

/**
 * Checks the records of any number of traces. Those of one process must be in the order in which it wrote them; beyond
 * that their order does not matter. Time and memory are linear in the records (and members, for causality; and groups, for letters).
 */
export function check(records: readonly Traced[], options: CheckOptions = {}): Report {
  const history = gather({ records, quiesced: options.quiesced === true, alive: options.alive });
  settle(history);
  const positions = totalPositions(history);
  const findings = checkAll(history, options, positions);
  for (const found of findings) expectHeld(found, options.expect ?? []);
  return {
    ok: findings.every((found) => found.violations.length === 0),
    violations: findings.flatMap((found) => found.violations),
    omitted: byProperty(findings, (found) => found.omitted),
    antecedents: byProperty(findings, (found) => found.held),
    contaminated: positions.contaminated,
    untraced: untracedIn(history),
    records: history.records,
    processes: history.processes.size,
  };
}

function checkAll(history: History, options: CheckOptions, positions: Positions): Finding[] {
  const pasts = followPasts(history);
  return [
    views.selfInclusion(history),
    views.viewMonotonicity(history),
    views.viewAgreement(history),
    views.primaryUniqueness(history),
    views.primaryChain(history),
    views.primaryOnly(history),
    noDuplication(history),
    noCreation(history),
    sendingView(history),
    virtualSynchrony(history),
    selfDelivery(history),
    fifo(history),
    causal(history, pasts),
    letters(history, pasts),
    total(history),
    positions.found,
    uniform(history),
    barrier(history),
    state(history),
    once(history),
    rpc(history),
    liveView(history, options.liveBy),
    liveDelivery(history),
    drain(history),
    bound(history, options.limits ?? {}),
    afterLeave(history),
  ];
}

function expectHeld(found: Finding, expected: readonly string[]): void {
  if (found.held === 0 && expected.includes(found.property)) {
    violate(found, 'was to be put to the test and never was');
  }
}

function byProperty(findings: readonly Finding[], value: (found: Finding) => number): Record<Property, number> {
  const zeros = properties.map((property) => [property, 0] as const);
  const values = findings.map((found) => [found.property, value(found)] as const);
  return Object.fromEntries([...zeros, ...values]) as Record<Property, number>;
}

function untracedIn(history: History): string[] {
  const untraced = new Set<string>();
  for (const lineage of history.lineages) {
    for (const view of lineage.views.values()) {
      for (const member of view.members) if (!history.processes.has(member)) untraced.add(member);
    }
  }
  return [...untraced];
}
