/** The core and the checker of this library, as the simulator takes them. */
import { describePacket, gauge } from '../../lib/inspect.js';
import { createNode, nextTick, ready, step } from '../../lib/node.js';
import { check } from '../../lib/trace/check.js';
import type { Core } from './core.js';
import type { Checker } from './run.js';

export const libraryCore: Core = { createNode, step, ready, nextTick, gauge, describePacket };

export const libraryChecker: Checker = (records) => {
  const { violations, antecedents } = check(records);
  return {
    violations: violations.map(({ property, sentence, events }) => ({
      property,
      detail: [sentence, ...events.map((event) => `    ${JSON.stringify(event)}`)].join('\n'),
    })),
    antecedents,
  };
};
