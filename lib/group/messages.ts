/**
 * The flush's messages. `target` is the view that is being installed, `base` the view that the members come from.
 */
import type { DecreeNumber, NodeId, Position, Rank, Seqno, ViewId, WallTime } from '../ids.js';
import { membersMax } from '../limits.js';
import { type Of, bool, list, nullable, struct, text, uint, union } from '../wire/schema.js';

const viewId = uint<ViewId>();
const seqnos = list(uint<Seqno>(), membersMax);
const rank = uint<Rank>(membersMax);

/** How a view was, or is to be, installed; the same at every member. */
export const installRecord = struct({
  target: viewId,
  /** 0: nobody had installed a view, rank 0 founds the group. */
  base: viewId,
  /** The last seqno of each sender in the base view. */
  cut: seqnos,
  /** The total order's position when the cut is delivered. */
  position: uint<Position>(),
  /** The time agreed by then. */
  time: uint<WallTime>(),
  /** Rank of the member whose initial state is the group's, or null. */
  founder: nullable(rank),
  /** A state existed and is lost with those who had it. */
  loud: bool,
  /** Who gets the state from whom, as of which view. Ranks in the target. */
  transfers: list(struct({ joiner: rank, donor: rank, view: viewId }), membersMax),
});
/** See {@link installRecord}. */
export type InstallRecord = Of<typeof installRecord>;

/** What one member tells a target's coordinator. */
const report = struct({
  target: viewId,
  /** The view it has installed, 0 for none. */
  installed: viewId,
  /** How it installed that. */
  install: nullable(installRecord),
  /** What it has received of each sender of that view. */
  row: seqnos,
  hasState: bool,
  /** The transfer it waits for. */
  waitsFor: nullable(struct({ donor: text<NodeId>(512), view: viewId })),
});
/** See {@link report}. */
export type Report = Of<typeof report>;

/** Between the members of a target. */
export const flushMessage = union({
  report,
  /** What everybody must hold before the target may be installed, and who holds each stream up to there (ranks in the base). */
  cut: struct({ target: viewId, base: viewId, cut: seqnos, holders: list(rank, membersMax) }),
  'have-all': struct({ target: viewId, base: viewId }),
  install: struct({ record: installRecord }),
  /** An earlier target that somebody has installed is finished first, in the context of `target`. */
  finish: struct({ target: viewId, record: installRecord }),
});
/** See {@link flushMessage}. */
export type FlushMessage = Of<typeof flushMessage>;

/** On the reliable link between two nodes, about one group. */
export const linkMessage = union({
  state: struct({ group: text(512), view: viewId, first: bool, last: bool }),
  /** In which view it was said, and between which members: their decrees. */
  direct: struct({ group: text(512), view: viewId, from: uint<DecreeNumber>(), to: uint<DecreeNumber>() }),
});
/** See {@link linkMessage}; the payload follows it. */
export type LinkMessage = Of<typeof linkMessage>;
