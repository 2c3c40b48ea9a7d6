/**
 * Refs: of one member of a group, of a group by its name, of an actor of another node; and how refs travel inside messages.
 *
 * All are ordinary refs to nact: its `dispatch` asks the system named in the ref to find the actor, and our system's `find`
 * knows them. A group's ref in a message means the group at the far end. A ref to any other actor names the life of its
 * node and its path there: it is a remote ref everywhere else, and the actor's own ref again when it comes home.
 */
import { Nobody, type ActorPath } from 'nact';
import type { MemberInfo } from '../lib/events.js';
import { assertNever } from '../lib/assert.js';
import type { NodeId } from '../lib/ids.js';
import { defaultCodec } from './codec.js';
import { NotAMember, NotDecodable, NotInDomain } from './errors.js';
import { hosts, memberBehind, remoteType, tell, type Host } from './host.js';
import { outside, pathOf, refWith, type NactActor, type NactRef } from './nact-internals.js';
import { reach, RemoteRef, temporaryRef, type Place } from './remote.js';
import { dispatchFromOutside, type Outside } from './requesting.js';
import type { Codec, Member as ViewMember } from './types.js';
import { noRefs, type RefCodec } from './wire-format.js';

/** How long a message is tried to be got to a group, in milliseconds: longer than the exclusion of members takes. */
const timeoutDefault = 30_000;

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
    /** How a group is talked to from outside. */
    readonly codec?: Codec,
    readonly timeout = timeoutDefault,
  ) {
    this.system = { name: host.system.name };
    this.path = pathOf(host.system, host.system.name, type === 'groups-member' ? [group, name] : [group]);
  }
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

/** A ref to a group, for nodes that need not have a member of it. */
export function refToGroup(host: Host, group: string, codec?: Codec, timeout?: number): NactRef {
  return new GroupsRef('groups-group', host, group, group, codec, timeout);
}

/** The group that a ref leads to from outside; undefined for a member's own ref and all others. Throws {@link NotInDomain}. */
export function outsideOf(ref: object): Outside | undefined {
  if (!(ref instanceof GroupsRef) || ref.type !== 'groups-group') return undefined;
  const { system, group, codec, timeout } = ref;
  const host = hosts.get(system.name);
  if (!host) throw new NotInDomain(`system '${system.name}' has left its domain: '${group}' cannot be reached`);
  return { host, group, codec: codec ?? defaultCodec(host.refs), timeout };
}

/** Teaches the system to find members, groups, and actors of other nodes. */
export function patchFind(host: Host): void {
  const { system } = host;
  const find = system.find.bind(system);
  system.find = (ref) => {
    if (ref instanceof GroupsRef) return target(ref);
    return ref instanceof RemoteRef ? reach(host, ref) : find(ref);
  };
}

/** What nact's functions call on what a ref leads to. */
function target(ref: GroupsRef): object | undefined {
  const host = hosts.get(ref.system.name);
  if (!host) return undefined;
  const reject = () => Promise.reject(new NotAMember(ref.group, `query does not reach ${ref.name}; dispatch does`));
  const stop = () => host.log.warn(`stop: ${ref.name} is not an actor of this node`, { group: ref.group });
  const outside = outsideOf(ref);
  if (outside) return { dispatch: (message: unknown) => dispatchFromOutside(outside, message), query: reject, stop };
  const member = host.members.get(ref.group);
  const dispatch = (message: unknown) => {
    if (member?.phase === 'member') {
      const payload = member.codec.encode(message);
      tell(host, { kind: 'direct', group: ref.group, to: ref.name as NodeId, payload });
    } else {
      host.log.warn(`dispatch to ${ref.name} dropped: no member of '${ref.group}' on this node`, { group: ref.group });
    }
  };
  return { dispatch, query: reject, stop };
}

const types = ['actor', 'temp', 'system', 'nobody', 'groups-member', 'groups-group', remoteType];

function isRef(value: object): boolean {
  const ref = value as Partial<NactRef>;
  return typeof ref.type === 'string' && types.includes(ref.type) && typeof ref.system === 'object';
}

/** How refs travel to and from this host. */
export function refCodec(host: Host): RefCodec {
  return {
    isRef,
    refusal: (ref) => refusal(host, ref as NactRef),
    pack: (ref) => pack(host, ref as NactRef),
    unpack: (packed) => unpack(host, packed),
  };
}

/** What stands for refs of any system of this process that is in a domain. */
export const anyRefs: RefCodec = {
  ...noRefs,
  isRef,
  refusal: (ref) => {
    const { type, system } = ref as NactRef;
    return type === 'nobody' || hosts.has(system.name) ? undefined : 'its system is in no domain';
  },
  pack: (ref) => pack(undefined, ref as NactRef),
};

/** The host of the system that a ref names. The own one also after its system has stopped: its members may go on. */
function ownerOf(host: Host | undefined, ref: NactRef): Host | undefined {
  return ref.system.name === host?.system.name ? host : hosts.get(ref.system.name);
}

/** Why nobody else could do anything with this ref. */
function refusal(host: Host, ref: NactRef): string | undefined {
  if (ref.type === 'nobody') return undefined;
  const owner = ownerOf(host, ref);
  if (owner?.options.domain === host.options.domain) return undefined;
  const where = owner ? `domain '${owner.options.domain}'` : 'no domain';
  return `it is a ref of system '${ref.system.name}', which is in ${where}: nodes of '${host.options.domain}' cannot reach it`;
}

function pack(host: Host | undefined, ref: NactRef): unknown {
  if (ref instanceof GroupsRef)
    return ref.type === 'groups-member' ? ['member', ref.group, ref.name] : ['group', ref.group];
  if (ref instanceof RemoteRef) return packed(ref.node, ref.place);
  const owner = ownerOf(host, ref);
  if (!owner || ref.type === 'nobody') return ['nobody'];
  const node = owner.life.id;
  switch (ref.type) {
    case 'temp':
      return packed(node, { kind: 'temp', id: ref.id as number });
    case 'system':
      return packed(node, { kind: 'system' });
    default: {
      const member = memberBehind(ref);
      return member ? ['group', member.group] : packed(node, { kind: 'actor', parts: ref.path.parts });
    }
  }
}

/** What stands for an actor of a node: the same at every node, so that states that hold it are equal. */
function packed(node: NodeId, place: Place): unknown {
  switch (place.kind) {
    case 'actor':
      return ['actor', node, place.parts];
    case 'temp':
      return ['temp', node, place.id];
    case 'system':
      return ['system', node];
    default:
      return assertNever(place);
  }
}

function unpack(host: Host, packed: unknown): unknown {
  const [kind, name, rest] = Array.isArray(packed) ? (packed as unknown[]) : [];
  if (kind === 'nobody') return new Nobody();
  if (typeof name !== 'string') throw new NotDecodable('malformed ref');
  if (kind === 'group') return host.members.get(name)?.ref ?? new GroupsRef('groups-group', host, name, name);
  if (kind === 'member' && typeof rest === 'string') return new GroupsRef('groups-member', host, name, rest);
  const place = placeOf(kind, rest);
  if (!place || !/^[^#]+#\d+$/.test(name)) throw new NotDecodable('malformed ref');
  return name === host.life.id ? own(host, place) : new RemoteRef(host, name as NodeId, place);
}

function placeOf(kind: unknown, rest: unknown): Place | undefined {
  if (kind === 'system') return { kind };
  if (kind === 'temp') return typeof rest === 'number' ? { kind, id: rest } : undefined;
  if (kind !== 'actor' || !Array.isArray(rest) || rest.length === 0) return undefined;
  return rest.every((part) => typeof part === 'string') ? { kind, parts: rest } : undefined;
}

/** A ref that came home: the actor's own, if it lives. */
function own(host: Host, place: Place): NactRef {
  const { system } = host;
  if (place.kind === 'system') return system.reference;
  if (place.kind === 'temp') return temporaryRef(host, place.id);
  const { parts } = place;
  const path = pathOf(system, system.name, parts);
  const ref = refWith(system, { type: 'actor', name: parts.at(-1) as string, path });
  return (system.find(ref) as NactActor | undefined)?.reference ?? ref;
}
