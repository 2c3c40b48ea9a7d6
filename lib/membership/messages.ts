/**
 * What control planes say to each other, and its binary form.
 *
 * Every message names its domain in full: the packet header carries a tag of 32 bits only. Who speaks (its incarnation
 * and the number of its state) is in the header.
 */
import { incarnationOf, nameOf, nodeId } from '../ids.js';
import type { DecreeNumber, DomainId, GroupId, Incarnation, NodeId, ViewId } from '../ids.js';
import { Malformed, Writer } from '../wire/bytes.js';
import type { Reader } from '../wire/bytes.js';
import { blob, bool, list, nullable, oneOf, struct, text, uint, union } from '../wire/schema.js';
import type { Codec, Of } from '../wire/schema.js';
import {
  addressBytesMax,
  changesPerDecreeMax,
  decreesPerMessageMax,
  groupNameBytesMax,
  groupsMax,
  helloPaddingBytes,
  lagMax,
  nameBytesMax,
  nodesMax,
  metadataBytesMax,
  processBytesMax,
  publicKeyBytesMax,
  reasonBytesMax,
  weightMax,
} from '../limits.js';
import { versionMax } from './protocol.js';
import type { Change, Decree, DomainState, GroupMember, GroupSettings, GroupState, NodeInfo, Rules } from './state.js';

const name = text(nameBytesMax);
const address = text(addressBytesMax);
const groupName = text(groupNameBytesMax);
const number = uint<DecreeNumber>();

const incarnation: Codec<Incarnation> = atLeastOne(uint<Incarnation>());

const id: Codec<NodeId> = {
  write: (w, value) => {
    name.write(w, nameOf(value));
    incarnation.write(w, incarnationOf(value));
  },
  read: (r) => nodeId(name.read(r), incarnation.read(r)),
};

/** A domain is named by its founder. */
const domain: Codec<DomainId> = {
  write: (w, value) => id.write(w, value as string as NodeId),
  read: (r) => id.read(r) as string as DomainId,
};

const settings: Codec<GroupSettings> = struct({
  kind: oneOf('replicated', 'plain'),
  order: oneOf('fifo', 'causal', 'total'),
  codec: text(groupNameBytesMax),
});

const weight = uint(weightMax);
const process = text(processBytesMax);
const metadata = text(metadataBytesMax);
const publicKey = text(publicKeyBytesMax);
/** Weights are whole, so a minimum between two of them is all the difference that halves can make. */
const halves: Codec<number> = {
  write: (w, value) => uint(2 * weightMax * nodesMax).write(w, 2 * value),
  read: (r) => uint(2 * weightMax * nodesMax).read(r) / 2,
};
const version: Codec<number> = atLeastOne(uint(versionMax));
const rules: Codec<Rules> = struct({
  quorum: oneOf('majority', 'verified-deaths'),
  minimumWeight: halves,
  heartbeat: uint(),
  timeout: uint(),
});

const change: Codec<Change> = union({
  join: struct({ name, incarnation, address, weight, process, metadata, publicKey, version }),
  leave: struct({ node: id }),
  exclude: struct({ node: id, cause: oneOf('failed', 'excluded'), dead: bool }),
  'group-join': struct({ group: groupName, node: id, settings }),
  'group-leave': struct({ group: groupName, node: id }),
  'group-barrier': struct({ group: groupName, node: id, view: uint<ViewId>() }),
});

const decree: Codec<Decree> = struct({ number, changes: list(change, changesPerDecreeMax) });

const node = struct({ name, incarnation, address, weight, process, metadata, publicKey, version, joined: number });
/** A member is spelled as its node's rank by age: groups are many, and names are long. */
const group = struct({
  id: uint<GroupId>(),
  name: groupName,
  settings,
  view: uint<ViewId>(),
  members: list(struct({ rank: uint(nodesMax - 1), joined: number }), nodesMax),
});
const table = struct({
  id: domain,
  number,
  rules,
  version,
  nodes: list(node, nodesMax),
  groups: list(group, groupsMax),
});

const state: Codec<DomainState> = {
  write: (w, value) => {
    const ranks = new Map(value.nodes.map((info, rank) => [info.id, rank]));
    const spell = (member: GroupMember) => ({ rank: ranks.get(member.node) ?? 0, joined: member.joined });
    const groups = [...value.groups.values()].map((one) => ({ ...one, members: one.members.map(spell) }));
    table.write(w, { ...value, groups });
  },
  read: (r) => {
    const { groups, ...rest } = table.read(r);
    const nodes = rest.nodes.map((info): NodeInfo => ({ id: nodeId(info.name, info.incarnation), ...info }));
    if (nodes.length === 0) throw new Malformed('a domain without nodes');
    mustDiffer('a node twice', nodes, ({ incarnation }) => incarnation);
    mustDiffer('a name twice', nodes, ({ name }) => name);
    mustDiffer('a group twice', groups, ({ id }) => id);
    mustDiffer('a group name twice', groups, ({ name }) => name);
    return { ...rest, nodes, groups: new Map(groups.map((one) => [one.name, readGroup(one, nodes)])) };
  },
};

function mustDiffer<T>(otherwise: string, items: readonly T[], keyOf: (item: T) => unknown): void {
  if (new Set(items.map(keyOf)).size < items.length) throw new Malformed(otherwise);
}

function readGroup(spelled: Of<typeof group>, nodes: readonly NodeInfo[]): GroupState {
  const members = spelled.members.map(({ rank, joined }): GroupMember => {
    const info = nodes[rank];
    if (info === undefined) throw new Malformed('a member that is not in the domain');
    return { node: info.id, joined };
  });
  if (members.length === 0) throw new Malformed('a group without members');
  mustDiffer('a member twice', members, ({ node }) => node);
  return { ...spelled, members };
}

const ballot = struct({ round: uint(0x7fffffff), rank: uint(nodesMax - 1) });
const vote = struct({ ballot, decree });

/**
 * What is said whatever versions the nodes speak. The form of these messages and their numbers never change, and those of the others
 * do not get in between.
 */
const lasting = {
  /** To all: I look for a domain. Padded where no answer may be larger than what it answers. */
  hello: struct({ name, address, padding: blob(helloPaddingBytes) }),
  /** To a seeker: here is a domain; `size` as in a heartbeat. Offer yourself to its proposer. */
  invitation: struct({ domain, number, size: uint(nodesMax), proposer: id, address }),
  /** To a joiner: not you, ever, and why. */
  refusal: struct({ domain, why: text(reasonBytesMax) }),
  /** To a joiner: this incarnation may have been in the domain already, come back as another. */
  expired: struct({ domain }),
  /**
   * To all: I live. `size` is 0 while the sender is not in touch with a quorum: such a domain is not going on. `lag`: by how
   * many milliseconds its event loop came late, at worst, lately. `strangers`: those of no domain that it hears.
   */
  heartbeat: struct({
    domain,
    number,
    size: uint(nodesMax),
    suspected: list(incarnation, nodesMax),
    lag: uint(lagMax),
    strangers: list(incarnation, nodesMax),
  }),
  /**
   * To the proposer: let me in. `seen` is the domain's number when this incarnation was first offered to it; `hears` are
   * the nodes of the domain that the joiner hears; it speaks the versions from `least` to `version`; `proof` is the number of a
   * challenge, 0 if there was none.
   */
  offer: struct({
    domain,
    incarnation,
    name,
    address,
    weight,
    process,
    metadata,
    publicKey,
    version,
    least: version,
    rules,
    seen: number,
    hears: list(incarnation, nodesMax),
    proof: uint(),
  }),
  /** To a joiner, at the address that its offer names: offer yourself again, with this number. Smaller than any offer. */
  challenge: struct({ domain, number: uint() }),
} as const;

/** To joiners, who are in from then on: the state, and the decrees that led to it, for those who know less than you now do. */
const entry = { welcome: struct({ state, decrees: list(decree, decreesPerMessageMax) }) } as const;

/** To the nodes of the domain that is named. */
const inward = {
  /** To the proposer: changes that concern me; `at` is the state that I see. */
  request: struct({ domain, at: number, changes: list(change, changesPerDecreeMax) }),
  /** To a node: you are not let into this group, and why. */
  'group-refusal': struct({ domain, group: groupName, why: text(reasonBytesMax) }),
  /** Phase one. Like `accept` it brings the decree before: an acceptor learns it before it votes. */
  prepare: struct({ domain, number, ballot, previous: nullable(decree) }),
  promise: struct({ domain, number, ballot, accepted: nullable(vote) }),
  /** Phase two. */
  accept: struct({ domain, number, ballot, decree, previous: nullable(decree) }),
  accepted: struct({ domain, number, ballot }),
  /** The answer to a ballot below one that was promised, which it names. */
  rejected: struct({ domain, number, ballot }),
  /** To all: this is decided. */
  decided: struct({ domain, decree }),
  /** An operator says that these go on by themselves: to whom founds the domain anew, and from there to the others. */
  force: struct({ domain, number, nodes: list(name, nodesMax), founder: id }),
  /** Which decrees come after this number? */
  ask: struct({ domain, after: number }),
  /** Decided, in order. */
  decrees: struct({ domain, decrees: list(decree, decreesPerMessageMax) }),
  /** To one who is behind: what you lack is forgotten here, and whether you are in my state, whose number this is. */
  forgotten: struct({ domain, number, member: oneOf('in', 'out') }),
} as const;

type Spoken<T extends Readonly<Record<string, Codec<unknown>>>> = {
  [K in keyof T]: { readonly kind: K } & Of<T[K]>;
}[keyof T];

/** What is said between a domain and those who are not in it. */
export type OutwardMessage = Exclude<Spoken<typeof lasting> | Spoken<typeof entry>, { kind: 'offer' }>;
/** What is said to the nodes of one domain. */
export type InwardMessage = Spoken<typeof inward> | ControlMessageOf<'offer'>;
/** What one control plane says to another, or to all. */
export type ControlMessage = Spoken<typeof lasting> | Spoken<typeof entry> | Spoken<typeof inward>;
/** The variant of this kind. */
export type ControlMessageOf<K extends ControlMessage['kind']> = Extract<ControlMessage, { kind: K }>;

/** Whether a message concerns the nodes of its domain alone. */
export function isInward(message: ControlMessage): message is InwardMessage {
  return message.kind in inward || message.kind === 'offer';
}

/** How a control message is written, read and bounded. */
export const controlMessage: Codec<ControlMessage> = union({ ...lasting, ...entry, ...inward });

/** Whether the message that comes next can be read whatever the version of its packet. */
export function isLasting(r: Reader): boolean {
  return (r.bytes[r.at] ?? 0xff) < Object.keys(lasting).length;
}

const scratch = new Writer();

/** The size of a message on the wire. */
export function messageBytes(value: ControlMessage): number {
  scratch.clear();
  controlMessage.write(scratch, value);
  return scratch.length;
}

/** The size of a decree on the wire. */
export function decreeBytes(value: Decree): number {
  scratch.clear();
  decree.write(scratch, value);
  return scratch.length;
}

/** The size of a change on the wire. */
export function changeBytes(value: Change): number {
  scratch.clear();
  change.write(scratch, value);
  return scratch.length;
}

function atLeastOne<T extends number>(integer: Codec<T>): Codec<T> {
  return {
    write: (w, value) => integer.write(w, value),
    read: (r: Reader) => {
      const value = integer.read(r);
      if (value < 1) throw new Malformed('zero where a number from 1 is due');
      return value;
    },
  };
}
