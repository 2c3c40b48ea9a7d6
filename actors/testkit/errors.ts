/** What the test kit throws: each says what was found, in which run, and how to have that run again. */
import { inspect } from 'node:util';
import type { Violation } from '../../lib/trace/finding.js';

/** The variable that sets the seed of every run. */
export const seedVariable = 'NACT_GROUPS_SEED';

/** How a run is repeated. */
function repetition(seed: number): string {
  return `\n\nSeed ${seed}. The same run again: testDomain({ seed: ${seed} }), or ${seedVariable}=${seed} in the environment.`;
}

/** Something did not come about within its simulated time. */
export class NotInTime extends Error {
  override readonly name = 'NotInTime';
  constructor(
    /** What was waited for. */
    readonly what: string,
    /** In simulated milliseconds. */
    readonly within: number,
    readonly seed: number,
    log: readonly string[] = [],
  ) {
    super(`not within ${within} simulated milliseconds: ${what}${lastLines(log)}${repetition(seed)}`);
  }
}

/** Replicas of a group that have delivered the same messages in the same order differ: their function is not deterministic. */
export class ReplicasDiffer extends Error {
  override readonly name = 'ReplicasDiffer';
  constructor(
    readonly group: string,
    /** States by node. */
    readonly states: Readonly<Record<string, unknown>>,
    readonly seed: number,
  ) {
    const shown = Object.entries(states).map(([node, state]) => `\n  ${node}: ${show(state)}`);
    super(
      `the replicas of '${group}' differ, though they have delivered the same messages: its function must depend on nothing but ` +
        `state, message and context.${shown.join('')}\nexpectDeterministic tells what else it depends on.${repetition(seed)}`,
    );
  }
}

/** The trace of the run violates what is guaranteed: a bug in nact-groups. */
export class GuaranteeViolated extends Error {
  override readonly name = 'GuaranteeViolated';
  constructor(
    readonly violations: readonly Violation[],
    readonly seed: number,
  ) {
    const shown = violations.map(
      ({ property, sentence, events }) =>
        `\n${property}: ${sentence}${events.map((event) => `\n  ${JSON.stringify(event)}`).join('')}`,
    );
    super(
      `a guarantee of nact-groups is violated; please report it with the seed:${shown.join('')}${repetition(seed)}`,
    );
  }
}

/** A test asks for something that cannot be: a node that there is not, two of one name. */
export class Misused extends Error {
  override readonly name = 'Misused';
}

/** A function gave another state where a replica has to have the same. */
export class NotDeterministic extends Error {
  override readonly name = 'NotDeterministic';
  constructor(
    /** What was different between the two runs, and what that points to. */
    readonly because: string,
    /** The index of the message after which they differ. */
    readonly at: number,
    readonly applied: unknown,
    /** Both states after it, as text. */
    readonly states: readonly [string, string],
  ) {
    super(
      `${because}\nAfter message ${at} (${show(applied)}) the states are\n  ${states[0]}\nand\n  ${states[1]}\n` +
        `A replicated actor's function must depend on nothing but state, message and context: take ctx.time for a clock, ` +
        'ctx.random() for chance.',
    );
  }
}

/** A value in a line or two. */
export function show(value: unknown): string {
  const text = inspect(value, { depth: 4, breakLength: Infinity, compact: true, maxArrayLength: 20 });
  return text.length > showMax ? `${text.slice(0, showMax)} ...` : text;
}

const showMax = 400;
/** Lines of the log shown with an error. */
const linesMax = 8;

function lastLines(log: readonly string[]): string {
  if (log.length === 0) return '';
  return `\n\nThe last warnings:${log
    .slice(-linesMax)
    .map((line) => `\n  ${line}`)
    .join('')}`;
}
