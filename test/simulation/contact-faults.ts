/**
 * Faults around requests from outside: the contact, or another member, goes when it has delivered a request, before or after
 * the client can know, so that the request comes again; often while somebody waits for the state that has it.
 */
import type { Traced } from '../../lib/trace/format.js';
import { type Faults, isChanging, living, mayDie, note, ruleFor } from './fault-state.js';
import { joinNode, joinSomeGroup } from './membership-faults.js';
import { isolate } from './network-faults.js';
import { kill } from './process-faults.js';
import { type Random, between, chance, integer, pick, shuffled } from '../../transport/simulation/random.js';
import { type Process, after, ask, crash, leaveGroup, write } from './world.js';

/** So many clients ask at once, each so often. */
const clientsMax = 2;
const requestsMax = 4;

/** Has somebody ask from outside, and strikes whoever delivers the request. */
export function strikeContact(faults: Faults): boolean {
  const { world, plan, random } = faults;
  const clients = shuffled(random, living(world)).slice(0, integer(random, 1, clientsMax));
  const { name } = pick(random, plan.groups);
  if (clients.length === 0) return false;
  const ids = new Set(clients.map(({ id }) => id));
  let left = pick(random, [1, 1, 2, 5]);
  const moment = pick<Moment>(random, ['sent', 'delivered by its contact', 'delivered by its contact', 'delivered']);
  const listener = (process: Process, record: Traced): void => {
    if (faults.healed || left === 0) world.onTrace.delete(listener);
    else if (isMoment(moment, ids, process, record)) {
      left -= 1;
      if (moment === 'sent') loseContact(faults, process);
      else strike(faults, process, record.g, clients);
    }
  };
  world.onTrace.add(listener);
  if (chance(random, 0.5)) clients.forEach((client) => deafen(faults, client));
  if (chance(random, 0.4) && !joinSomeGroup(faults)) joinNode(faults);
  for (const client of clients) {
    for (let i = integer(random, 1, requestsMax); i > 0; i -= 1) {
      after(world, between(random, 0, 20), () => askFromOutside(faults, random, client, name));
    }
  }
  return true;
}

type Moment = 'sent' | 'delivered by its contact' | 'delivered';

/** Whether a request of one of these clients, and not of the process's own, is sent or delivered by it. */
function isMoment(
  moment: Moment,
  clients: ReadonlySet<string>,
  process: Process,
  record: Traced,
): record is Traced & { readonly e: 'send' | 'deliver' } {
  if (record.e !== (moment === 'sent' ? 'send' : 'deliver')) return false;
  if (record.e !== 'send' && record.e !== 'deliver') return false;
  const client = record.r?.slice(0, record.r.lastIndexOf(':')) ?? '';
  if (!clients.has(client) || client === process.id) return false;
  return moment === 'delivered' || record.id.startsWith(`${process.id}:`);
}

/** Whatever the contact multicasts from now on is lost with it, but its streams go on for a while: only its client hears of it. */
function loseContact(faults: Faults, process: Process): void {
  const { world, random } = faults;
  if (!mayDie(faults, process)) return;
  note(faults, 'lost with its contact', isChanging(world));
  const { life } = process;
  const delay = between(random, 1, 30);
  ruleFor(
    faults,
    ({ kind, from }) => (kind !== 'stream' && from === process.address ? { kind: 'drop' } : undefined),
    delay,
  );
  after(world, delay, () => {
    if (process.life === life && !faults.healed && mayDie(faults, process)) crash(world, process, chance(random, 0.4));
  });
}

function askFromOutside({ world }: Faults, random: Random, client: Process, group: string): void {
  ask(world, client, group, {
    asMember: false,
    replies: pick(random, [0, 1, 1, 'majority', 'all']),
    timeout: pick(random, [800, 3000]),
    bytes: integer(random, 8, 200),
    order: 'total',
    uniform: true,
  });
}

/** For a while the client is told nothing over links: neither that its request is delivered nor the replies. */
function deafen(faults: Faults, client: Process): void {
  const { world, random, plan } = faults;
  ruleFor(
    faults,
    ({ kind, to, bytes }) =>
      kind === 'stream' && to === client.address && world.core.describePacket(bytes).includes('link')
        ? { kind: 'drop' }
        : undefined,
    between(random, 0.5, 3) * plan.world.node.timeout,
  );
}

function strike(faults: Faults, process: Process, group: string, clients: readonly Process[]): void {
  const { world, random } = faults;
  const { timeout } = faults.plan.world.node;
  note(faults, 'struck at a request', isChanging(world));
  const draw = integer(random, 0, 9);
  if (draw < 4 && mayDie(faults, process)) crash(world, process, chance(random, 0.4));
  else if (draw < 6) kill(faults, process, pick(random, ['at once', 'perhaps']));
  else if (draw < 7) isolate(faults, process, between(random, 1, 4) * timeout);
  else if (draw < 8) leaveGroup(world, process, group);
  else if (draw < 9) {
    const client = pick(random, clients);
    after(world, between(random, 0, 30), () => {
      if (!faults.healed && mayDie(faults, client)) crash(world, client, chance(random, 0.4));
    });
  } else write(world, process, 2, 8);
}
