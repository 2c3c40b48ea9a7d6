/** Messages from one member to another: point to point, first in, first out, and after all that their sender has seen. */
import type { NodeId } from '../ids.js';
import { nameOf } from '../ids.js';
import type { Letter } from './messages.js';
import { emit } from './replica.js';
import type { Group, Host } from './state.js';

type DirectLetter = Letter & { readonly kind: 'direct' };

/** Sends a message to one member of the current view. */
export function sendDirect(host: Host, group: Group, to: NodeId, payload: Uint8Array): void {
  const view = group.current?.view;
  const member = view?.members.find(({ node }) => node === to);
  const isSent =
    member && host.letter(to, { kind: 'direct', group: group.name, from: group.joined, to: member.joined }, payload);
  if (!isSent) {
    const why = member ? 'too much waits to be sent to it' : 'not a member';
    host.log('warn', `a direct message is dropped: ${why}`, { group: group.name, to });
  }
}

/** A message to an earlier membership of this node is nobody's. */
export function receiveDirect(host: Host, group: Group, from: NodeId, letter: DirectLetter, payload: Uint8Array): void {
  if (letter.to === group.joined) {
    emit(host, group, { kind: 'direct', from: { id: from, name: nameOf(from), joined: letter.from }, payload });
  } else host.log('info', 'a direct message to a member that has left is dropped', { group: group.name, from });
}
