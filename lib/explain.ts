/**
 * Why nothing moves: whom a decree, a flush, a credit, an order, stability or a state is waiting for, as this node sees it. Changes
 * nothing.
 */
import type { NodeId, Rank } from './ids.js';
import type { Group, ViewState } from './group/state.js';
import { nakTriesOverDatagrams } from './limits.js';
import { missedBy } from './membership/membership.js';
import { weightOf } from './membership/quorum.js';
import type { DomainState } from './membership/state.js';
import type { Node } from './node.js';

/** One thing that is waited for, and for whom. */
export interface Waiting {
  readonly what: string;
  readonly who: readonly NodeId[];
}

/** Why nothing moves in a group: whom a view change, stability, credit or state is waiting for. */
export function explain(node: Node, name: string): readonly Waiting[] {
  const group = node.groups.get(name);
  if (!group) return [];
  const waiting: Waiting[] = [];
  const add = (what: string, who: readonly NodeId[]): void => {
    if (who.length > 0) waiting.push({ what, who });
  };
  explainDomain(node, group, add);
  explainFlush(group, add);
  explainView(group, add);
  explainPaths(node, group, add);
  if (group.current?.barrier === 'asked' && !group.flush)
    add(
      'the decree that ends the view for a barrier of this member',
      (node.domain?.nodes ?? []).slice(0, 1).map(({ id }) => id),
    );
  explainAsks(node, name, add);
  const unread = [...node.links.values()].filter(({ unacknowledged }) => unacknowledged.length > 0);
  add(
    'letters and pieces of state to be acknowledged',
    unread.map(({ peer }) => peer),
  );
  if (group.replica.kind === 'transferring')
    add(`the state as of view ${group.replica.token.view}`, [group.replica.token.donor]);
  return waiting;
}

/** What the control plane waits for: a domain, a quorum, votes, enough nodes. */
function explainDomain(node: Node, group: Group, add: (what: string, who: readonly NodeId[]) => void): void {
  const m = node.membership;
  const { state, phase } = m;
  if (phase.kind === 'seeking') add('a domain to answer, or the time to found one', [node.self]);
  if (phase.kind === 'joining')
    add(`domain ${phase.domain} to let this node in`, contactsOf(m.sightings.get(phase.domain)));
  if (state === null || phase.kind !== 'member') return;
  if (!node.host.quorate) add('a quorum: these cannot be heard', missedBy(m, state));
  if (!m.complete) explainIncomplete(m, state, node.self, add);
  else if (!group.current && group.targets.length === 0) add('the decree that lets this member in', [node.self]);
  const { proposer, number } = m.instance;
  const answered =
    proposer.kind === 'preparing' ? proposer.promises : proposer.kind === 'proposing' ? proposer.votes : null;
  const silent = state.nodes.map(({ id }) => id).filter((id) => answered !== null && !answered.has(id));
  add(`votes on decree ${number}`, silent);
  const [oldest] = state.nodes.filter(({ id }) => !m.suspects.has(id));
  if (m.wishes.length > 0 && oldest !== undefined && oldest.id !== node.self) {
    add(`a decree, which is to be proposed by the oldest that can be heard`, [oldest.id]);
  }
}

function explainIncomplete(
  m: Node['membership'],
  state: DomainState,
  self: NodeId,
  add: (what: string, who: readonly NodeId[]) => void,
): void {
  const { minimumNodes } = m.options;
  const { nodes, rules } = state;
  if (nodes.length < minimumNodes) add(`more nodes: ${nodes.length} are in, ${minimumNodes} are needed`, [self]);
  const weight = weightOf(nodes);
  if (weight <= rules.minimumWeight) {
    add(`more nodes: those that are in weigh ${weight}, more than ${rules.minimumWeight} is needed`, [self]);
  }
}

function contactsOf(sighting: { readonly contact: { readonly id: NodeId } | null } | undefined): readonly NodeId[] {
  return sighting?.contact ? [sighting.contact.id] : [];
}

function explainAsks(node: Node, name: string, add: (what: string, who: readonly NodeId[]) => void): void {
  const asks = [...node.asks.open.values()].filter(({ group }) => group === name);
  const silent = asks.flatMap(({ expected, got }) => (expected ?? []).filter((member) => !got.has(member.node)));
  add('replies', [...new Set(silent.map((member) => member.node))]);
}

function explainFlush(group: Group, add: (what: string, who: readonly NodeId[]) => void): void {
  const { flush } = group;
  if (!flush) return;
  const { coordination, target } = flush;
  if (!coordination) {
    add(
      `the install of view ${target.id}`,
      target.members.slice(0, 1).map(({ node }) => node),
    );
    return;
  }
  const others = target.members.filter(({ joined }) => joined < target.id).map(({ node }) => node);
  add(
    `reports for view ${target.id}`,
    others.filter((node) => !coordination.reports.has(node)),
  );
  if (coordination.cut)
    add(
      `the cut of view ${target.id}`,
      others.filter((node) => !coordination.haveAll.has(node)),
    );
}

function explainView(group: Group, add: (what: string, who: readonly NodeId[]) => void): void {
  const { current } = group;
  if (!current) return;
  const nodes = current.view.members.map(({ node }) => node);
  add(
    'credit: the actors of these are behind',
    nodes.filter((_, rank) => current.paused[rank] === 1),
  );
  const { stability } = current;
  const behind = nodes.filter((_, observer) =>
    nodes.some((__, sender) => stability.received(observer, sender) < stability.received(current.rank, sender)),
  );
  add('acknowledgements', behind);
  explainOrder(current, nodes, add);
}

/** What the next multicast in total order waits for: to be ordered, to arrive, its past, or, uniform, to be with all. */
function explainOrder(
  current: ViewState,
  nodes: readonly NodeId[],
  add: (what: string, who: readonly NodeId[]) => void,
): void {
  const { runs, streams, stability, sequencer } = current;
  const run = runs.first;
  const only = (rank: Rank): readonly NodeId[] => nodes.slice(rank, rank + 1);
  if (!run) {
    const unordered = streams.some(({ pending }) => pending.first?.order === 'total');
    if (unordered) add('the order of what has arrived, which the sequencer gives', only(sequencer));
    return;
  }
  const head = streams[run.rank]?.pending.first;
  if (head?.order !== 'total') {
    add('multicasts that are ordered and did not arrive', only(run.rank));
    return;
  }
  const past = (head.dependencies ?? []).filter(({ rank, count }) => (current.delivered[rank] as number) < count);
  add(
    'multicasts that the next one follows',
    past.flatMap(({ rank }) => only(rank)),
  );
  if (!head.uniform || past.length > 0) return;
  add(
    'a uniform multicast and its place in the order to be with all members',
    nodes.filter((_, observer) => {
      if (stability.received(observer, run.rank) < head.seqno || stability.received(observer, sequencer) < run.by)
        return true;
      return nodes.some((__, sender) => stability.received(observer, sender) < (current.delivered[sender] as number));
    }),
  );
}

/** What has been asked for or sent so often that some path seems to eat it: gaps in streams, and links. */
function explainPaths(node: Node, group: Group, add: (what: string, who: readonly NodeId[]) => void): void {
  const { current } = group;
  current?.streams.forEach((stream, rank) => {
    const { received, known, nakTries } = stream;
    const sender = current.view.members[rank];
    if (sender === undefined || received >= known || nakTries <= nakTriesOverDatagrams) return;
    const gap = `records ${received + 1} to ${known} of its stream`;
    add(`a lossy path: ${gap}, asked for ${nakTries} times, now by other ways and in small pieces`, [sender.node]);
  });
  for (const { peer, unacknowledged, way } of node.links.values()) {
    const oldest = unacknowledged.first;
    if (oldest === undefined || way === 'stream') continue;
    const by = way === 'datagram' ? 'in small datagrams' : 'by multicast';
    add(`a lossy path: message ${oldest.number} on the link, for which no stream can be had, now sent ${by}`, [peer]);
  }
}
