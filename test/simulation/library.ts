/** The core and the checker of this library, as the simulator takes them. */
import { describePacket, gauge } from '../../lib/inspect.js';
import { type Node, createNode, nextTick, ready, step } from '../../lib/node.js';
import { check } from '../../lib/trace/check.js';
import type { DomainRecord } from './chains.js';
import type { Core } from './core.js';
import type { Checker } from './run.js';

function lastState({ membership: { state } }: Node): DomainRecord | null {
  return state && { dom: state.id, k: state.number, m: state.nodes.map(({ id }) => id) };
}

export const libraryCore: Core = { createNode, step, ready, nextTick, gauge, describePacket, lastState };

/** Records shown with a violation; one multicast has as many as there are members. */
const eventsMax = 12;

export const libraryChecker: Checker = (records, ending) => {
  const { violations, antecedents } = check(records, ending);
  return {
    antecedents,
    violations: violations.map(({ property, sentence, events }) => ({
      property,
      detail: [sentence, ...events.slice(0, eventsMax).map((event) => `    ${JSON.stringify(event)}`)].join('\n'),
    })),
  };
};
