/**
 * What a decree does to the domain. Pure and deterministic: every node that applies the same decrees to the same state
 * holds the same states, and so reads the same views off them.
 *
 * A change that cannot be applied (who is to join is in, who is to leave is out) is ignored: its proposer may have
 * been told of it twice.
 */
import { nodeId } from '../ids.js';
import type { DecreeNumber, NodeId, ViewId } from '../ids.js';
import { assert, assertNever } from '../assert.js';
import { creationsPerDecreeMax, groupIdsPerDecree, groupsMax, joinsPerDecreeMax, nodesMax } from '../limits.js';
import { versionAfter } from './protocol.js';
import { sameSettings } from './state.js';
import type { Change, Decree, DomainState, GroupSettings, GroupState, NodeInfo } from './state.js';

/** A state on its way to the next: changes are applied to it one by one. */
export interface Draft {
  readonly number: DecreeNumber;
  readonly domain: DomainState['id'];
  /** The version that the state before it speaks. */
  readonly version: number;
  nodes: NodeInfo[];
  readonly groups: Map<string, GroupState>;
  joins: number;
  creations: number;
}

/** The state after a decree. */
export function applyDecree(state: DomainState, decree: Decree): DomainState {
  assert(decree.number === state.number + 1, 'decrees are applied in order, none skipped');
  const draft = draftOf(state);
  for (const change of decree.changes) applyChange(draft, change);
  assert(draft.nodes.length > 0, 'a domain is never empty');
  const { nodes, groups } = draft;
  return { ...state, number: decree.number, version: versionAfter(state.nodes, nodes), nodes, groups };
}

/** A draft of the state that follows. */
export function draftOf(state: DomainState): Draft {
  return {
    number: state.number + 1,
    domain: state.id,
    version: state.version,
    nodes: [...state.nodes],
    groups: new Map(state.groups),
    joins: 0,
    creations: 0,
  };
}

/** Applies one change; false if it changes nothing. */
export function applyChange(draft: Draft, change: Change): boolean {
  switch (change.kind) {
    case 'join':
      return admit(draft, change);
    case 'leave':
    case 'exclude':
      return remove(draft, change.node);
    case 'group-join':
      return enter(draft, change.group, change.node, change.settings);
    case 'group-leave':
      return withdraw(draft, change.group, change.node);
    case 'group-barrier':
      return renew(draft, change);
    default:
      return assertNever(change);
  }
}

/**
 * A name, an address and an incarnation belong to one node at a time: its replies could not be told apart otherwise. Who cannot speak
 * the domain's version stays out; it may have risen since the offer.
 */
function admit(draft: Draft, change: Change & { kind: 'join' }): boolean {
  const { name, incarnation, address, weight, process, metadata, publicKey, version } = change;
  if (draft.nodes.length >= nodesMax || draft.joins >= joinsPerDecreeMax || version < draft.version) return false;
  const taken = (node: NodeInfo) => node.name === name || node.address === address || node.incarnation === incarnation;
  if (draft.nodes.some(taken)) return false;
  draft.nodes.push({
    id: nodeId(name, incarnation),
    name,
    incarnation,
    address,
    weight,
    process,
    metadata,
    publicKey,
    version,
    joined: draft.number,
  });
  draft.joins += 1;
  return true;
}

function remove(draft: Draft, id: NodeId): boolean {
  const staying = draft.nodes.filter((node) => node.id !== id);
  if (staying.length === draft.nodes.length) return false;
  draft.nodes = staying;
  for (const name of [...draft.groups.keys()]) withdraw(draft, name, id);
  return true;
}

function enter(draft: Draft, name: string, id: NodeId, settings: GroupSettings): boolean {
  if (!draft.nodes.some((node) => node.id === id)) return false;
  const member = { node: id, joined: draft.number };
  const group = draft.groups.get(name);
  if (group === undefined) {
    if (draft.creations >= creationsPerDecreeMax || draft.groups.size >= groupsMax) return false;
    const groupId = draft.number * groupIdsPerDecree + draft.creations;
    draft.creations += 1;
    draft.groups.set(name, { id: groupId, name, settings, view: viewOf(draft), members: [member] });
    return true;
  }
  if (!sameSettings(group.settings, settings) || group.members.some(({ node }) => node === id)) return false;
  draft.groups.set(name, { ...group, view: viewOf(draft), members: [...group.members, member] });
  return true;
}

/** A group without members is gone; one of the same name that comes later is another, with an id of its own. */
function withdraw(draft: Draft, name: string, id: NodeId): boolean {
  const group = draft.groups.get(name);
  if (group === undefined || !group.members.some(({ node }) => node === id)) return false;
  const members = group.members.filter(({ node }) => node !== id);
  if (members.length === 0) draft.groups.delete(name);
  else draft.groups.set(name, { ...group, view: viewOf(draft), members });
  return true;
}

/** One new view serves all barriers of the view before it, and so does any other change of that view. */
function renew(draft: Draft, { group: name, node: id, view }: Change & { kind: 'group-barrier' }): boolean {
  const group = draft.groups.get(name);
  if (group?.view !== view || !group.members.some(({ node }) => node === id)) return false;
  draft.groups.set(name, { ...group, view: viewOf(draft) });
  return true;
}

/** Views are numbered by the decrees that make them. */
function viewOf(draft: Draft): ViewId {
  return draft.number as number;
}
