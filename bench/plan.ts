/**
 * What is measured: points, the contenders at each point, and how long.
 *
 * A point fixes everything that a baseline and the library have in common: bytes per message, who sends, how many
 * members. A contender is one way to get those messages across. Within a round all contenders of a point run one after
 * the other, so that each is compared with a baseline of the same minute on the same machine.
 */

/** Delivery orders that can be asked for; `uniform` is total order, delivered only once everybody has it. */
export const orders = ['fifo', 'causal', 'total', 'uniform'] as const;
export type OrderChoice = (typeof orders)[number];

/** What the library runs over, between processes of one machine. */
export const transports = ['udp', 'tcp'] as const;
export type TransportChoice = (typeof transports)[number];

/** Who sends: the oldest member (it sequences the total order), one that is not the oldest, or all members. */
export const senderChoices = ['one', 'other', 'all'] as const;
export type SenderChoice = (typeof senderChoices)[number];

/** What contenders are compared at. */
export interface Point {
  /** Of one message. */
  readonly bytes: number;
  readonly senders: SenderChoice;
  readonly members: number;
}

/** One way to get a message to all. */
export type Contender =
  /** One datagram per message, no protocol: the baseline that ratios refer to. */
  | { readonly kind: 'raw' }
  /** As many messages as fit into one datagram, packed by hand, no protocol: what cannot be beaten. */
  | { readonly kind: 'packed' }
  /** This library. */
  | { readonly kind: 'groups'; readonly order: OrderChoice; readonly transport: TransportChoice };

/** How long and how often. */
export interface Effort {
  readonly rounds: number;
  /** Before anything counts: code is compiled, windows are full. */
  readonly warmUpMillis: number;
  readonly measuredMillis: number;
  /** One trial while a baseline's window is chosen, and how often each window is tried. */
  readonly sweepMillis: number;
  readonly sweepPasses: number;
  /** The windows of the baselines that are tried, in datagrams. */
  readonly windows: readonly number[];
}

/** All that one run of the benchmark does. */
export interface Plan {
  readonly points: readonly Point[];
  readonly contenders: readonly Contender[];
  readonly effort: Effort;
  /** Where the processes write CPU profiles. */
  readonly profiles: string | undefined;
}

/** Sizes, senders and orders of a plan, as asked for. */
export interface Choices {
  readonly sizes: readonly number[];
  readonly senders: readonly SenderChoice[];
  readonly members: number;
  readonly orders: readonly OrderChoice[];
  readonly transports: readonly TransportChoice[];
  /** Whether the packed baseline is wanted too. */
  readonly limit: boolean;
}

/** Every point that the choices span, smallest messages first. */
export function pointsOf(choices: Choices): Point[] {
  const { members } = choices;
  return choices.senders.flatMap((senders) => choices.sizes.map((bytes) => ({ bytes, senders, members })));
}

/** The contenders at every point; the baseline is first. */
export function contendersOf(choices: Choices): Contender[] {
  const baselines: Contender[] = choices.limit ? [{ kind: 'raw' }, { kind: 'packed' }] : [{ kind: 'raw' }];
  const ours = choices.orders.flatMap((order) =>
    choices.transports.map((transport) => ({ kind: 'groups' as const, order, transport })),
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
  if (contender.kind !== 'groups') return contender.kind;
  return contender.transport === 'udp' ? contender.order : `${contender.order}-${contender.transport}`;
}
