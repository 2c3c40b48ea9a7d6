/**
 * What the members of a group say to each other: the flush's messages, in which `target` is the view that is being
 * installed and `base` the view that the members come from; and what goes over the link between two nodes.
 */
import type { DecreeNumber, GroupId, NodeId, Position, Rank, Seqno, ViewId, WallTime } from '../ids.js';
import { groupsMax, membersMax, replyBytesMax, servedPerMessageMax } from '../limits.js';
import { type Of, blob, bool, list, nullable, struct, text, uint, union } from '../wire/schema.js';

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
  /** It has been said often: the answer is wanted by every way. */
  inVain: bool,
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

const groupName = text(512);
const nodeName = text<NodeId>(512);
const decree = uint<DecreeNumber>();

/** Requests of one client that were served, from the lowest that it still waits for; with the donor's replies. */
const servedPiece = struct({
  client: nodeName,
  floor: uint(),
  requests: list(struct({ number: uint(), reply: nullable(blob(replyBytesMax)) }), servedPerMessageMax),
});
/** See {@link servedPiece}. */
export type ServedPiece = Of<typeof servedPiece>;

/** On the reliable link between two nodes. The payload follows it. */
export const linkMessage = union({
  /** A chunk of a group's state as of a view. */
  state: struct({ group: groupName, view: viewId, first: bool, last: bool }),
  /** Ahead of the state: which requests it contains. */
  served: struct({ group: groupName, view: viewId, pieces: list(servedPiece, servedPerMessageMax) }),
  /** From one member to another, named by their decrees. */
  direct: struct({ group: groupName, from: decree, to: decree }),
  /** The next bytes of a message that follows. */
  piece: struct({}),
  /** A client's request, to a member, the one sent to it before, and the lowest that the client waits for. */
  request: struct({ group: groupName, number: uint(), previous: uint(), lowest: uint(), wantsReply: bool }),
  /** The contact's answer: not let in. */
  refused: struct({ number: uint(), why: text(4096), again: bool }),
  /** The contact's answer: delivered, in a view of these members. */
  shown: struct({ number: uint(), members: list(struct({ node: nodeName, joined: decree }), membersMax) }),
  /** A member's reply, or why there is none. */
  reply: struct({ number: uint(), silent: nullable(text(4096)) }),
  /** For whoever runs the other node. */
  remote: struct({}),
  /** From the joiner to its donor: its actor is done with so many chunks. */
  taken: struct({ group: groupName, view: viewId, chunks: uint() }),
});
/** See {@link linkMessage}. */
export type LinkMessage = Of<typeof linkMessage>;
/** What is sent as a letter: whatever is no piece of something else. */
export type Letter = Exclude<LinkMessage, { kind: 'state' | 'served' | 'taken' | 'piece' }>;

/** What a letter's writer had sent and delivered before, as far as it is news to the reader. */
export const linkContext = struct({
  /** The state of the domain. */
  state: decree,
  groups: list(
    struct({
      group: uint<GroupId>(),
      view: viewId,
      /** Of each sender, by rank in that view. */
      entries: list(struct({ rank, seqno: uint<Seqno>() }), membersMax),
    }),
    groupsMax,
  ),
});
/** See {@link linkContext}. */
export type Context = Of<typeof linkContext>;
