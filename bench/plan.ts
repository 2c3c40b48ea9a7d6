/**
 * What is measured: points, the contenders at each point, and how long.
 *
 * A point fixes everything that a baseline and the library have in common: bytes per message, who sends, how many
 * members. A contender is one way to get those messages across. Within a round all contenders of a point run one after
 * the other, so that each is compared with a baseline of the same minute on the same machine.
 */
import type { PeerName } from './peers/catalogue.js';

/** Delivery orders that can be asked for; `uniform` is total order, delivered only once everybody has it. */
export const orders = ['fifo', 'causal', 'total', 'uniform'] as const;
export type OrderChoice = (typeof orders)[number];

/** What the library runs over, between processes of one machine. */
export const transports = ['udp', 'tcp'] as const;
export type TransportChoice = (typeof transports)[number];

/** Who sends: the oldest member (it sequences the total order), one that is not the oldest, or all members. */
export const senderChoices = ['one', 'other', 'all'] as const;
export type SenderChoice = (typeof senderChoices)[number];

/** What is sent: bytes, or small objects, as changes of a table. */
export const valueChoices = ['bytes', 'objects'] as const;
export type ValueChoice = (typeof valueChoices)[number];

/** Bytes of the datagrams that small objects are compared with. */
export const objectBytes = 64;

/** How the library's user sends: `multicast`, which returns a receipt, or nact's own `dispatch`. */
export const throughChoices = ['multicast', 'dispatch'] as const;
export type ThroughChoice = (typeof throughChoices)[number];

/** What contenders are compared at. */
export interface Point {
  /** Of one message; where objects are sent, of the datagrams that they are compared with. */
  readonly bytes: number;
  readonly values: ValueChoice;
  readonly senders: SenderChoice;
  readonly members: number;
}

/** One way to get a message to all. */
export type Contender =
  /** One datagram per message, no protocol: the baseline that ratios refer to. */
  | { readonly kind: 'raw' }
  /** As many messages as fit into one datagram, packed by hand, no protocol: what cannot be beaten. */
  | { readonly kind: 'packed' }
  /** The same, but each process copies each message once, as whoever takes messages and hands them over has to do at least. */
  | { readonly kind: 'copied' }
  /** Another system; its client for Node.js is among the packages in the folder `modules`. */
  | { readonly kind: 'peer'; readonly peer: PeerName; readonly modules: string }
  | GroupsContender;

/** Whether everything is encrypted, or messages a second time besides, under a group key. */
export type Keyed = boolean | 'rekey';

/** This library. */
export interface GroupsContender {
  readonly kind: 'groups';
  readonly order: OrderChoice;
  readonly transport: TransportChoice;
  readonly through: ThroughChoice;
  readonly keyed: Keyed;
}

/** How long and how often. */
export interface Effort {
  readonly rounds: number;
  /** Before anything counts: code is compiled, windows are full. */
  readonly warmUpMillis: number;
  readonly measuredMillis: number;
  /** Instead of that time, the messages of one trial; null if it goes by time. */
  readonly multicasts: number | null;
  /** One trial while a baseline's window is chosen, and how often each window is tried. */
  readonly sweepMillis: number;
  readonly sweepPasses: number;
  /** The windows of the baselines that are tried, in datagrams. */
  readonly windows: readonly number[];
}

/** A contender at a point: what one trial measures. */
export interface Measurement {
  readonly point: Point;
  readonly contender: Contender;
}

/** All that one run of the benchmark does. */
export interface Plan {
  /** Of one round, in their order. */
  readonly measurements: readonly Measurement[];
  readonly effort: Effort;
  /** Where the processes write CPU profiles. */
  readonly profiles: string | undefined;
}

/** Points and contenders of a plan, as asked for. */
export interface Choices {
  readonly sizes: readonly number[];
  readonly values: readonly ValueChoice[];
  readonly senders: readonly SenderChoice[];
  readonly members: readonly number[];
  readonly orders: readonly OrderChoice[];
  readonly transports: readonly TransportChoice[];
  readonly throughs: readonly ThroughChoice[];
  /** Without a key, with one, with a group key besides, or several of these. */
  readonly keyed: readonly Keyed[];
  /** Whether the packed baselines are wanted too. */
  readonly limit: boolean;
}

/** Every contender at every point that the choices span; the raw baseline is the first at each. */
export function measurementsOf(choices: Choices): Measurement[] {
  const contenders = contendersOf(choices);
  return pointsOf(choices).flatMap((point) => contenders.map((contender) => ({ point, contender })));
}

function pointsOf(choices: Choices): Point[] {
  return choices.members.flatMap((members) =>
    choices.senders.flatMap((senders) =>
      choices.values.flatMap((values) => {
        const sizes = values === 'objects' ? [objectBytes] : choices.sizes;
        return sizes.map((bytes) => ({ bytes, values, senders, members }));
      }),
    ),
  );
}

function contendersOf({ limit, orders, transports, throughs, keyed: keys }: Choices): Contender[] {
  const baselines: Contender[] = limit ? [{ kind: 'raw' }, { kind: 'packed' }, { kind: 'copied' }] : [{ kind: 'raw' }];
  const ours = orders.flatMap((order) =>
    transports.flatMap((transport) =>
      throughs.flatMap((through) =>
        keys.map((keyed) => ({ kind: 'groups' as const, order, transport, through, keyed })),
      ),
    ),
  );
  return [...baselines, ...ours];
}

/** Which processes send, by index; process 0 is the oldest member. */
export function sendersOf(point: Point): number[] {
  switch (point.senders) {
    case 'one':
      return [0];
    case 'other':
      return [1];
    case 'all':
      return Array.from({ length: point.members }, (_, index) => index);
  }
}

/** A contender's name in tables. */
export function nameOf(contender: Contender): string {
  if (contender.kind === 'peer') return contender.peer;
  if (contender.kind !== 'groups') return contender.kind;
  const { order, transport, through, keyed } = contender;
  const under = keyed === 'rekey' ? keyed : keyed ? 'key' : '';
  const besides = [transport === 'udp' ? '' : transport, through === 'multicast' ? '' : through, under];
  return [order, ...besides].filter(Boolean).join('-');
}

/** A point in words. */
export function describePoint({ bytes, values, senders, members }: Point): string {
  return `${values === 'objects' ? 'objects' : `${bytes} B`}, ${senders} of ${members} sending`;
}
