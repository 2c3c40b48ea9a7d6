/** Faults in the middle of a state transfer: the donor dies, the joiner dies, or the stream between them breaks. */
import { type Faults, isChanging, mayDie, note, ruleFor } from './fault-state.js';
import { joinNode, joinSomeGroup } from './membership-faults.js';
import { kill } from './process-faults.js';
import { chance, integer } from '../../transport/simulation/random.js';
import { severStream } from '../../transport/simulation/medium.js';
import { after, crash } from './world.js';

/** What a fault in a transfer strikes. */
export type Struck = 'donor' | 'joiner' | 'stream';

/** Strikes when one of the next chunks is sent to somebody who waits for a state, and has somebody join. */
export function strikeTransfer(faults: Faults, struck: Struck): boolean {
  const { world, random } = faults;
  let left = integer(random, 1, 3);
  ruleFor(
    faults,
    (packet) => {
      if (packet.kind !== 'stream' || left === 0) return undefined;
      const donor = world.processes.find(({ address }) => address === packet.from);
      const joiner = world.processes.find(({ address }) => address === packet.to);
      const waits = joiner && [...joiner.replicas.values()].some(({ status }) => status === 'transferring');
      if (!donor || !waits || !world.core.describePacket(packet.bytes).includes('link')) return undefined;
      left -= 1;
      if (left > 0) return undefined;
      note(faults, `${struck} in a transfer`, isChanging(world));
      after(world, 0, () => {
        if (faults.healed) return;
        if (struck === 'stream') return severStream(world, packet.from, packet.to);
        const process = struck === 'donor' ? donor : joiner;
        if (!mayDie(faults, process)) return;
        // before the chunk arrives, or after a while in which some hear what it says
        if (chance(random, 0.7)) crash(world, process, chance(random, 0.5));
        else kill(faults, process, 'perhaps');
      });
      return undefined;
    },
    6 * faults.plan.world.node.timeout,
  );
  return chance(random, 0.6) ? joinNode(faults) || joinSomeGroup(faults) : joinSomeGroup(faults) || joinNode(faults);
}
