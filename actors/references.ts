/**
 * Refs: of one member of a group, and of a group by its name; and how refs travel inside messages.
 *
 * Both kinds are ordinary refs to nact: its `dispatch` asks the system named in the ref to find the actor, and our
 * system's `find` knows them. A group's ref in a message means the group at the far end. A ref to any other actor keeps
 * its system and path; it reaches that actor on its own node only.
 */
import { Nobody, type ActorPath } from 'nact';
import type { MemberInfo } from '../lib/events.js';
import type { NodeId } from '../lib/ids.js';
import { NotAMember, NotDecodable } from './errors.js';
import { hosts, memberOf, tell, type Host } from './host.js';
import { outside, type NactRef, type NactSystem } from './nact-internals.js';
import type { Member as ViewMember } from './types.js';
import type { RefCodec } from './wire-format.js';

/** Hides that nact takes it for one of its own refs. */
class GroupsRef {
  readonly path: ActorPath;
  readonly system: { readonly name: string };

  constructor(
    readonly type: 'groups-member' | 'groups-group',
    host: Host,
    readonly group: string,
    /** The node id of a member, the group's name else. */
    readonly name: string,
  ) {
    this.system = { name: host.system.name };
    this.path = pathOf(host.system, type === 'groups-member' ? [group, name] : [group]);
  }
}

function pathOf(system: NactSystem, parts: readonly string[]): ActorPath {
  const Path = system.reference.path.constructor as new (parts: string[], system: string) => ActorPath;
  return new Path([...parts], system.name);
}

/** A member of a view for users, with a ref that reaches it. */
export function memberMaker(host: Host, group: string): (info: MemberInfo) => ViewMember {
  return (info) =>
    Object.freeze({
      name: info.name,
      id: info.id,
      ref: outside<unknown>(new GroupsRef('groups-member', host, group, info.id)),
    });
}

/** Teaches the system to find members and groups. */
export function patchFind(host: Host): void {
  const { system } = host;
  const find = system.find.bind(system);
  system.find = (ref) => (ref instanceof GroupsRef ? target(ref) : find(ref));
}

/** What nact's functions call on what a ref leads to. */
function target(ref: GroupsRef): object | undefined {
  const host = hosts.get(ref.system.name);
  if (!host) return undefined;
  const member = host.members.get(ref.group);
  if (ref.type === 'groups-group' && member) return member.actor;
  const reject = () => Promise.reject(new NotAMember(ref.group, `query does not reach ${ref.name}; dispatch does`));
  const stop = () => host.log.warn(`stop: ${ref.name} is not an actor of this node`, { group: ref.group });
  const dispatch = (message: unknown) => {
    if (member?.phase === 'member' && ref.type === 'groups-member') {
      const payload = member.codec.encode(message);
      tell(host, { kind: 'direct', group: ref.group, to: ref.name as NodeId, payload });
    } else {
      host.log.warn(`dispatch to ${ref.name} dropped: no member of '${ref.group}' on this node`, { group: ref.group });
    }
  };
  return { dispatch, query: reject, stop };
}

const types = ['actor', 'temp', 'system', 'nobody', 'groups-member', 'groups-group'];

/** How refs travel to and from this host. */
export function refCodec(host: Host): RefCodec {
  return {
    isRef: (value) => {
      const ref = value as Partial<NactRef>;
      return typeof ref.type === 'string' && types.includes(ref.type) && typeof ref.system === 'object';
    },
    pack: (ref) => pack(ref as NactRef),
    unpack: (packed) => unpack(host, packed),
  };
}

function pack(ref: NactRef): unknown {
  if (ref instanceof GroupsRef)
    return ref.type === 'groups-member' ? ['member', ref.group, ref.name] : ['group', ref.group];
  switch (ref.type) {
    case 'actor':
      try {
        return ['group', memberOf(ref).group];
      } catch (error) {
        if (!(error instanceof NotAMember)) throw error;
        return ['actor', ref.system.name, ref.path.parts];
      }
    case 'temp':
      return ['temp', ref.system.name, ref.id];
    case 'system':
      return ['system', ref.system.name];
    default:
      return ['nobody'];
  }
}

function unpack(host: Host, packed: unknown): unknown {
  const [kind, name, rest] = Array.isArray(packed) ? (packed as unknown[]) : [];
  if (kind === 'nobody') return new Nobody();
  if (typeof name !== 'string') throw new NotDecodable('malformed ref');
  switch (kind) {
    case 'group':
      return host.members.get(name)?.ref ?? new GroupsRef('groups-group', host, name, name);
    case 'member':
      if (typeof rest === 'string') return new GroupsRef('groups-member', host, name, rest);
      break;
    case 'actor':
      if (Array.isArray(rest) && rest.length > 0 && rest.every((part) => typeof part === 'string'))
        return actorRef(host, name, rest);
      break;
    case 'temp':
      if (typeof rest === 'number') return Object.assign(classed(host), { type: 'temp', system: { name }, id: rest });
      break;
    case 'system':
      return Object.assign(classed(host), { type: 'system', system: { name }, name, path: pathOf(host.system, []) });
  }
  throw new NotDecodable('malformed ref');
}

/** An object that is told apart from plain data, so that it can travel on. */
function classed(host: Host): object {
  return Object.create(Object.getPrototypeOf(host.actor?.reference ?? host.system.reference) as object) as object;
}

function actorRef(host: Host, system: string, parts: readonly string[]): object {
  const Path = host.system.reference.path.constructor as new (parts: string[], system: string) => ActorPath;
  const path = new Path([...parts], system);
  return Object.assign(classed(host), { type: 'actor', system: { name: system }, name: parts.at(-1), path });
}
