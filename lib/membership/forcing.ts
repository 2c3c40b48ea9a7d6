/**
 * Going on without a quorum, because an operator says so.
 *
 * A domain whose majority is lost at once waits: what the missing know and have decided nobody here can tell. An operator
 * who knows that they are gone may name those who are to go on. The oldest of these then founds the domain anew, with the
 * states that it has; the others start anew and join it. Nothing of the old domain goes on: the new one has an id of its
 * own, so that whatever the missing still say is not taken for a part of it, and if they do live after all, there are two
 * domains of one name, of which the weaker gives way when they meet.
 *
 * Whoever forces spells out exactly those who can be heard: so nobody who lives is left behind unnoticed, and nobody who is
 * gone is counted on.
 */
import type { Millis, NodeId } from '../ids.js';
import { nameOf } from '../ids.js';
import { must } from '../assert.js';
import { end, log, unicast, wake } from './control.js';
import type { Membership, Outputs, Sender } from './control.js';
import { isQuorate } from './judging.js';
import type { ControlMessageOf } from './messages.js';
import type { DomainState, NodeInfo } from './state.js';

/** An operator says that these nodes, by name, go on by themselves. */
export function force(m: Membership, nodes: readonly string[], now: Millis, out: Outputs): void {
  const why = whyNot(m, nodes);
  if (why !== null || m.state === null) {
    out.push({ kind: 'force-refused', why: why ?? '' });
    return;
  }
  const founder = oldestOf(m.state, nodes);
  log(out, 'error', 'an operator forces the domain on', { number: m.state.number, nodes: nodes.join(' ') });
  m.forcing = { nodes, founder, at: now, until: now + 5 * m.options.timeout };
  if (founder.id === m.id) begin(m, m.state, nodes, out);
  else wake(m, now);
}

/** Why the domain cannot be forced on with these, or null. */
function whyNot(m: Membership, nodes: readonly string[]): string | null {
  if (m.phase.kind !== 'member' || m.state === null) return 'this node is in no domain';
  if (isQuorate(m)) return 'the domain goes on by itself: there is nothing to force';
  const heard = m.state.nodes.filter(({ id }) => !m.suspects.has(id)).map(({ name }) => name);
  const strangers = nodes.filter((name) => !heard.includes(name));
  const spoken = `those who can be heard are ${heard.join(', ')}: name these, and no others`;
  if (strangers.length > 0) return `${strangers.join(', ')} cannot be heard here; ${spoken}`;
  const unnamed = heard.filter((name) => !nodes.includes(name));
  if (unnamed.length > 0) return `${unnamed.join(', ')} can be heard as well; ${spoken}`;
  return null;
}

function oldestOf(state: DomainState, nodes: readonly string[]): NodeInfo {
  return must(
    state.nodes.find(({ name }) => nodes.includes(name)),
    'a node that is named',
  );
}

/** Tells the others, once, and founds the domain anew. Whoever misses it gives way to the new domain, which is stronger. */
function begin(m: Membership, state: DomainState, nodes: readonly string[], out: Outputs): void {
  for (const node of state.nodes) if (node.id !== m.id && nodes.includes(node.name)) tell(m, state, nodes, node, out);
  const why = `an operator has forced ${nodes.join(', ')} on, without ${missingOf(state, nodes).join(', ')}`;
  log(out, 'error', why, { founding: state.id, number: state.number });
  out.push({ kind: 'excluded', why, state });
  end(m, { kind: 'restart', why, forced: 'found' }, out);
}

function missingOf(state: DomainState, nodes: readonly string[]): NodeId[] {
  return state.nodes.filter(({ name }) => !nodes.includes(name)).map(({ id }) => id);
}

function tell(m: Membership, state: DomainState, nodes: readonly string[], to: NodeInfo, out: Outputs): void {
  const founder = oldestOf(state, nodes).id;
  unicast(to, { kind: 'force', domain: state.id, number: state.number, nodes, founder }, out);
}

/** Tells whoever is to found the domain anew, again and again: it may not yet miss all who are missed here. */
export function keepForcing(m: Membership, now: Millis, out: Outputs): void {
  const { forcing, state } = m;
  if (forcing === null || state === null || m.phase.kind !== 'member') return;
  if (now >= forcing.until || isQuorate(m)) {
    m.forcing = null;
    const why = isQuorate(m)
      ? 'a quorum can be heard again'
      : `${nameOf(forcing.founder.id)}, the oldest of them, does not do it: force it on there, its log says why`;
    out.push({ kind: 'force-refused', why });
    return;
  }
  if (now >= forcing.at) {
    tell(m, state, forcing.nodes, forcing.founder, out);
    forcing.at = now + m.options.heartbeat;
  }
  wake(m, Math.min(forcing.at, forcing.until));
}

/** An operator has spoken elsewhere. */
export function onForce(m: Membership, from: Sender, message: ControlMessageOf<'force'>, out: Outputs): void {
  const { nodes, founder } = message;
  if (m.phase.kind !== 'member' || m.state === null || isQuorate(m)) return;
  if (founder === m.id) {
    const why = whyNot(m, nodes);
    if (why === null) begin(m, m.state, nodes, out);
    else log(out, 'warn', 'not forced on, as another node is told to by an operator', { why });
    return;
  }
  const isFounder = m.state.nodes.some(({ id, incarnation }) => id === founder && incarnation === from.incarnation);
  if (!isFounder || !nodes.includes(m.options.name)) return;
  const why = `an operator has forced ${nodes.join(', ')} on, without ${missingOf(m.state, nodes).join(', ')}`;
  log(out, 'error', why, { founding: m.state.id, number: m.state.number });
  out.push({ kind: 'excluded', why, state: m.state });
  end(m, { kind: 'restart', why, forced: 'join' }, out);
}
