/**
 * How long it takes to ask all of four members, 100 bytes there and back, and how often that goes in a second: one at a
 * time and ten at a time; of the member that orders, of another, and from outside the group.
 */
import type { AskAssignment, AskNode } from './ask-node.js';
import { startRemote } from './remote.js';
import { freshDomain } from './stage.js';
import { rounded, type Trial } from './trial.js';

const members = ['a', 'b', 'c', 'd'];
const bytes = 100;
/** Code is compiled. */
const warmUpMillis = 1500;

/** Informs: what it takes depends on the machine. */
export const ask: Trial = {
  name: 'ask',
  shows: 'how long it takes to ask all of four members, and how often that goes in a second',
  async run(stage, report, length) {
    const millis = length === 'long' ? 5000 : 1000;
    const domain = freshDomain();
    const startNode = (name: string, member: boolean) => {
      const assignment: AskAssignment = { domain, name, member };
      return startRemote<AskNode>(stage, name, './ask-node.js', assignment);
    };
    const nodes = [];
    for (const name of members) {
      const node = startNode(name, true);
      nodes.push(node);
      await node.call('together', nodes.length);
    }
    const outside = startNode('x', false);
    const [sequencer, other] = nodes as [typeof outside, typeof outside];
    for (const [who, node] of [
      ['the member that orders', sequencer],
      ['another member', other],
      ['a node outside', outside],
    ] as const) {
      for (const atOnce of [1, 10]) {
        const asking = { atOnce, bytes, members: members.length };
        await node.call('ask', { ...asking, millis: warmUpMillis });
        const { times, incomplete, perSecond, cpu, packets } = await node.call('ask', { ...asking, millis });
        const sorted = [...times].sort((x, y) => x - y);
        const at = (share: number) => rounded(sorted[Math.floor(share * sorted.length)] ?? NaN);
        report.measure(
          `${who}, ${atOnce} at a time`,
          `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, ${rounded(perSecond)}/s; ` +
            `${rounded(cpu)} ms of CPU and ${rounded(packets)} packets of the asker for each`,
        );
        report.atMost(`${who}, ${atOnce} at a time: asks that not all replied to`, incomplete, 0, '');
      }
    }
  },
};
