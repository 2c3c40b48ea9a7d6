/**
 * Refs to groups for those who are no members.
 */
import type { Ref } from 'nact';
import { InvalidOption } from './errors.js';
import { hostOf } from './host.js';
import { outside } from './nact-internals.js';
import { refToGroup } from './references.js';
import type { Codec, GroupRef } from './types.js';

/** How {@link groupRef} talks to its group. */
export interface GroupRefOptions {
  /** The group's, if its members were spawned with one. */
  readonly codec?: Codec;
  /** How long `dispatch` and `multicast` go on trying to get a message to the group, in milliseconds; default 30,000. */
  readonly timeout?: number;
}

/**
 * A ref to a group of the domain, for a node that need not be a member of it: for `dispatch`, `multicast` and `ask`.
 *
 * A message goes to one member, which lets it in (see `accept` of its props) and multicasts it in total order, uniform.
 * If that member fails or leaves, the message goes to another. It takes effect once, in the order in which this node has
 * sent its messages through this and other refs to the group. The group need not exist yet: messages wait for it.
 *
 * A receipt's `delivered` and `stable` resolve when the group has the message, with position 0; its id is the request's,
 * as in traces. What needs a member here (`read`, `views`, `leave` and the like) throws {@link NotAMember}.
 *
 * Throws {@link NotInDomain}, {@link InvalidOption}.
 *
 * @example
 * ```ts
 * const stock = groupRef<Change>(system, 'stock'); // from a node that is no member
 * await multicast(stock, { sku: 'tea', n: 1 }).delivered;
 * ```
 */
export function groupRef<Msg = unknown, State = unknown, Answer = unknown>(
  system: Ref<never>,
  name: string,
  options: GroupRefOptions = {},
): GroupRef<Msg, State, Answer> {
  const host = hostOf(system);
  const { codec, timeout } = options;
  if (typeof name !== 'string' || name === '') throw new InvalidOption("groupRef needs the group's name");
  if (timeout !== undefined && !(typeof timeout === 'number' && timeout > 0)) {
    throw new InvalidOption(`timeout must be a number of milliseconds above 0, not ${String(timeout)}`);
  }
  return outside(refToGroup(host, name, codec, timeout));
}
