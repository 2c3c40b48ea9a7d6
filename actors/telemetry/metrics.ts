/**
 * The metrics of a node: names, units and meanings, the same for every way out. Named after OpenTelemetry's conventions: no unit in a
 * name, units by UCUM, what is counted in braces. docs/metrics.md says what to do about each.
 *
 * Series are few: by domain, and by those groups of which the node has a member. None is by peer, which come and go.
 */

/** What tells the series of a metric apart. */
export interface Attributes {
  readonly 'nact_groups.domain': string;
  readonly 'nact_groups.group'?: string;
  readonly 'nact_groups.reason'?: 'malformed' | 'foreign' | 'unknown';
  readonly 'network.io.direction'?: 'transmit' | 'receive';
  readonly [extra: string]: string | undefined;
}

/** A metric. */
export interface Metric {
  readonly name: string;
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly unit: string;
  readonly description: string;
  /** What its series have beside the domain. */
  readonly by?: 'nact_groups.group' | 'nact_groups.reason' | 'network.io.direction';
  /** Upper bounds of a histogram's buckets. */
  readonly bounds?: readonly number[];
}

/** Seconds: a group on one machine delivers within a millisecond, one whose member has died within some seconds. */
const durations = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** Multicasts of one frame. */
const sizes = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

function of(
  kind: Metric['kind'],
  name: string,
  unit: string,
  description: string,
  rest: Pick<Metric, 'by' | 'bounds'> = {},
): Metric {
  return { name: `nact_groups.${name}`, kind, unit, description, ...rest };
}

const byGroup = { by: 'nact_groups.group' } as const;

/** All metrics there are. */
export const metrics = {
  viewChanges: of('counter', 'view.changes', '{view}', 'Views that were installed', byGroup),
  members: of('gauge', 'members', '{member}', 'Members in the current view', byGroup),
  behind: of('gauge', 'members.behind', '{member}', 'Members so far behind that the senders wait for them', byGroup),
  multicasts: of('counter', 'multicasts', '{multicast}', 'Multicasts sent by the member here', byGroup),
  deliveries: of('counter', 'deliveries', '{multicast}', 'Multicasts delivered to the member here', byGroup),
  delivery: of('histogram', 'delivery.duration', 's', 'From the call that sends a multicast to its delivery here', {
    ...byGroup,
    bounds: durations,
  }),
  stability: of('histogram', 'stability.duration', 's', 'From the call that sends a multicast until all have it', {
    ...byGroup,
    bounds: durations,
  }),
  batch: of('histogram', 'delivery.batch.size', '{multicast}', 'Multicasts of one sender delivered at once', {
    ...byGroup,
    bounds: sizes,
  }),
  queueLength: of('gauge', 'queue.length', '{multicast}', 'Own multicasts that flow control holds back', byGroup),
  queueSize: of('gauge', 'queue.size', 'By', 'Bytes of own multicasts that flow control holds back', byGroup),
  mailbox: of('gauge', 'mailbox.length', '{item}', "Items that wait for the member's function", byGroup),
  unstable: of('gauge', 'unstable.size', 'By', 'Bytes kept because not all are known to have them', byGroup),
  droppedMessages: of('counter', 'messages.dropped', '{message}', 'Messages not sent, or not readable', byGroup),
  nodes: of('gauge', 'nodes', '{node}', 'Nodes in the domain'),
  suspected: of('gauge', 'nodes.suspected', '{node}', 'Nodes that this one does not hear'),
  suspicions: of('counter', 'suspicions', '{suspicion}', 'Times that this node has begun to suspect another'),
  wedged: of('gauge', 'wedged', '1', '1 while this node hears no quorum of its domain, else 0'),
  credit: of('gauge', 'credit', 'By', 'Bytes that may be sent before something sent is stable'),
  retransmissions: of('counter', 'retransmissions', '{frame}', 'Frames that this node sent again'),
  packets: of('counter', 'network.packets', '{packet}', 'Packets sent and received', { by: 'network.io.direction' }),
  io: of('counter', 'network.io', 'By', 'Bytes of packets sent', { by: 'network.io.direction' }),
  droppedPackets: of('counter', 'packets.dropped', '{packet}', 'Packets that came and were not taken', {
    by: 'nact_groups.reason',
  }),
  deadLetters: of('counter', 'dead_letters', '{message}', 'Messages between actors that reached nobody'),
  requests: of('gauge', 'requests.open', '{request}', 'Asks and requests of this node without an answer yet'),
  lag: of('gauge', 'event_loop.lag', 's', 'How late the last timer of the protocol came'),
} as const;
