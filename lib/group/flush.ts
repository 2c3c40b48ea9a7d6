/**
 * The flush: how the members of a group go from one view to the next with the same multicasts delivered.
 *
 * On learning a target view: wedge; report to its coordinator, rank 0 of the target, what is installed and received.
 * The coordinator hears every member of the target that could know of an earlier view, joiners of earlier targets
 * included. When it has heard all:
 *
 * - if one of them has installed a view that others lack, that one is finished first, in the context of this target;
 * - else the cut is the most that any of them has received of each sender. If all rows are equal it installs at once;
 *   otherwise it sends the cut, everybody fetches what it lacks and says so, then it sends install.
 *
 * A failure during the flush is a new decree and so a new target, and the flush starts again for that one.
 *
 * Invariants, each found necessary by model checking:
 * - To report for a target is a promise: no cut and no install of an earlier target counts any more.
 * - Having reported, nothing is taken from the stream of a member that a target lacks, from anybody, except what is
 *   fetched up to the cut of that very target.
 * - `have-all` is said only with every multicast of the cut in hand.
 * - An install counts only at members whose view is the one that the flush started from.
 */
import type { NodeId, Rank, Seqno, ViewId } from '../ids.js';
import { assert, assertNever, must } from '../assert.js';
import {
  flushRepeat,
  flushRepeatEveryWay,
  flushRepeatMax,
  flushRepeatOverStream,
  groupIdsPerDecree,
} from '../limits.js';
import { addEveryWay, addSection, overStream, toNode } from '../outbox.js';
import { incarnationOf } from '../ids.js';
import { Malformed, Writer } from '../wire/bytes.js';
import { Section } from '../wire/packet.js';
import { install } from './install.js';
import { type FlushMessage, type InstallRecord, type Report, flushMessage } from './messages.js';
import { requestFrom } from './repair.js';
import { type Coordination, type Flush, type Group, type Host, selfIn } from './state.js';
import { freeze } from './stream.js';
import { assignTransfers } from './transfer.js';
import { type View, rankIn } from './view.js';

/** A decree has made a new view of the group: it is the target from now on. */
export function addTarget(host: Host, group: Group, view: View): void {
  group.targets.push(view);
  startFlush(host, group);
}

/** Wedges and reports for the latest target, if there is one that is not installed. */
export function startFlush(host: Host, group: Group): void {
  const target = group.targets[group.targets.length - 1];
  if (!target) {
    group.flush = null;
    group.wedged = false;
    return;
  }
  if (group.current && !group.wedged) {
    if (group.replica.kind === 'present') host.trace({ e: 'blocked', g: group.name, v: String(group.current.view.id) });
    for (const next of group.queue) next.offset = 0;
  }
  group.wedged = true;
  group.flush = {
    target,
    cut: null,
    repeatAt: 0,
    repeatDelay: flushRepeat,
    coordination:
      rankIn(target, selfIn(host, group)) === 0 ? { reports: new Map(), cut: null, haveAll: new Set() } : null,
  };
  freezeDeparted(group, target);
  host.touch(group);
  continueFlush(host, group);
}

/**
 * Anew for every target: what was fetched for an older one and still lies behind a gap goes too, it may be above this
 * one's cut.
 */
function freezeDeparted(group: Group, target: View): void {
  const { current } = group;
  if (!current) return;
  current.view.members.forEach((member, rank) => {
    if (rankIn(target, member) === undefined) freeze(must(current.streams[rank], 'stream'));
  });
}

/** Repeats what this member has to say for the current target, when its time has come. */
export function continueFlush(host: Host, group: Group): void {
  const { flush } = group;
  if (!flush || host.now < flush.repeatAt) return;
  flush.repeatAt = host.now + flush.repeatDelay;
  flush.repeatDelay = Math.min(flush.repeatDelay * 2, flushRepeatMax);
  if (flush.cut && !holdsCut(group)) fetch(host, group);
  else if (flush.cut) sayHaveAll(host, group);
  if (flush.coordination) {
    onReport(host, group, host.self, report(group, flush));
    repeatCut(host, group, flush.coordination);
  } else sendToCoordinator(host, group, { kind: 'report', ...report(group, flush) });
}

function report(group: Group, { target, repeatDelay }: Flush): Report {
  const { current, replica } = group;
  return {
    target: target.id,
    installed: current ? current.view.id : 0,
    install: group.lastInstall,
    row: current ? current.streams.map((stream) => stream.received) : [],
    hasState: replica.kind === 'present',
    waitsFor: replica.kind === 'transferring' ? { donor: replica.token.donor, view: replica.token.view } : null,
    inVain: repeatDelay >= flushRepeatEveryWay,
  };
}

/** Takes in a flush message from a node that is, or was, a member. */
export function receiveFlush(host: Host, group: Group, source: NodeId, message: FlushMessage): void {
  switch (message.kind) {
    case 'report':
      return onReport(host, group, source, message);
    case 'cut':
      return onCut(host, group, source, message);
    case 'have-all':
      return onHaveAll(host, group, source, message);
    case 'install':
      return onInstall(host, group, source, message.record);
    case 'finish':
      return onFinish(host, group, source, message);
    default:
      return assertNever(message);
  }
}

function onReport(host: Host, group: Group, source: NodeId, message: Report): void {
  const coordination = group.flush?.coordination;
  if (coordination && message.target === group.flush?.target.id) {
    checkReport(group, group.flush.target, source, message);
    if (!isNewer(coordination.reports.get(source), message)) return;
    coordination.reports.set(source, { ...message, inVain: false });
    coordinate(host, group);
  } else if (group.lastInstall?.target === message.target && group.current?.rank === 0) {
    sendTo(host, group, source, { kind: 'install', record: group.lastInstall }, message.inVain);
  }
}

/** A report is from a member of the target, who says how it installed what it has, and speaks of all of that view's senders. */
function checkReport(group: Group, target: View, source: NodeId, { installed, install, row }: Report): void {
  const views = [...(group.current ? [group.current.view] : []), ...group.targets];
  const size = views.find(({ id }) => id === installed)?.members.length ?? (installed === 0 ? 0 : undefined);
  const isKnown = size === undefined ? installed < (group.current?.view.id ?? 0) : row.length === size;
  if (!isKnown || (install?.target ?? 0) !== installed || !target.ranks.has(source)) {
    throw new Malformed(`report of ${source}: installed ${installed}, row of ${row.length}`);
  }
}

/** Reports may overtake each other: what a member has installed and received only grows. */
function isNewer(known: Report | undefined, report: Report): boolean {
  if (!known || report.installed > known.installed) return true;
  if (known.hasState && !report.hasState) return false;
  return report.installed === known.installed && report.row.every((seqno, rank) => seqno >= (known.row[rank] ?? 0));
}

/** The members that take part: all but those whose first target this is, since anybody else could know of an earlier view. */
function participants(target: View): NodeId[] {
  return target.members.filter((member) => member.joined < target.id).map((member) => member.node);
}

/** At the coordinator: the next step that what it has heard allows. */
function coordinate(host: Host, group: Group): void {
  const flush = must(group.flush, 'flush');
  const coordination = must(flush.coordination, 'coordination');
  const heard: [NodeId, Report][] = [];
  for (const node of participants(flush.target)) {
    const report = coordination.reports.get(node);
    if (!report) return;
    heard.push([node, report]);
  }
  const newest = heard.reduce((max, [, { installed }]) => Math.max(max, installed), 0);
  if (newest === 0) {
    foundGroup(host, group, flush.target);
    return;
  }
  const record = must(heard.find(([, { installed }]) => installed === newest)?.[1].install, 'install record');
  const behind = heard.filter(([node, { installed }]) => installed < newest && wasIn(flush.target, node, newest));
  if (behind.length > 0) {
    // oneself last: it begins the flush anew
    const others = behind.filter(([node]) => node !== host.self);
    for (const [node] of [...others, ...behind.filter(([node]) => node === host.self)]) {
      finishAt(host, group, node, flush.target, record);
    }
    return;
  }
  settleCut(
    host,
    group,
    flush.target,
    coordination,
    newest,
    heard.filter(([, { installed }]) => installed === newest),
  );
}

/** Whether a node of the target was a member of an earlier view already: nobody who is still here left in between. */
function wasIn(target: View, node: NodeId, view: ViewId): boolean {
  return target.members.some((member) => member.node === node && member.joined <= view);
}

/** Somebody has installed an earlier target: `node`, which has not, does so before anything else. */
function finishAt(host: Host, group: Group, node: NodeId, target: View, record: InstallRecord): void {
  const message = { kind: 'finish', target: target.id, record } as const;
  if (node === host.self) onFinish(host, group, host.self, message);
  else sendTo(host, group, node, message);
}

/** Nobody in the target has ever installed a view: its oldest member founds the group with its initial state. */
function foundGroup(host: Host, group: Group, target: View): void {
  const first = Math.floor(group.id / groupIdsPerDecree) === target.id;
  sendInstall(host, group, target, {
    target: target.id,
    base: 0,
    cut: [],
    position: 0,
    time: 0,
    founder: 0,
    loud: !first,
    transfers: target.members.slice(1).map((_, i) => ({ joiner: i + 1, donor: 0, view: target.id })),
  });
}

function settleCut(
  host: Host,
  group: Group,
  target: View,
  coordination: Coordination,
  base: ViewId,
  survivors: readonly [NodeId, Report][],
): void {
  const current = must(group.current, 'the coordinator is in the base');
  assert(current.view.id === base, 'the coordinator is in the base');
  const cut = current.streams.map((_, rank) =>
    survivors.reduce((max, [, { row }]) => Math.max(max, row[rank] ?? 0), 0),
  );
  const holders = cut.map((seqno, rank) => holderOf(group, survivors, rank, seqno));
  const allEqual = survivors.every(([, { row }]) => cut.every((seqno, rank) => row[rank] === seqno));
  if (allEqual) {
    installFrom(host, group, target, base, cut, survivors);
    return;
  }
  if (coordination.cut) {
    if (survivors.every(([node]) => coordination.haveAll.has(node))) {
      installFrom(host, group, target, base, coordination.cut.cut, survivors);
    }
    return;
  }
  coordination.cut = { base, cut };
  const message = { kind: 'cut', target: target.id, base, cut, holders } as const;
  sendToAll(host, group, message);
  onCut(host, group, host.self, message);
}

/** A survivor that holds a stream up to the cut. The sender itself if it is one. */
function holderOf(group: Group, survivors: readonly [NodeId, Report][], rank: Rank, seqno: Seqno): Rank {
  const { view } = must(group.current, 'current view');
  const sender = must(view.members[rank], 'member').node;
  const holder =
    survivors.find(([node]) => node === sender) ?? survivors.find(([, { row }]) => (row[rank] ?? 0) >= seqno);
  return must(view.ranks.get(must(holder, 'holder')[0]), 'rank of holder');
}

function repeatCut(host: Host, group: Group, coordination: Coordination): void {
  const cut = group.flush?.cut;
  if (coordination.cut && cut) {
    const flush = must(group.flush, 'flush');
    const message = { kind: 'cut', target: flush.target.id, ...cut } as const;
    sendToAll(host, group, message);
    if (flush.repeatDelay < flushRepeatEveryWay) return;
    const lacking = participants(flush.target).filter((node) => !coordination.haveAll.has(node));
    for (const node of lacking) if (node !== host.self) sendTo(host, group, node, message);
  }
}

function onCut(host: Host, group: Group, source: NodeId, message: FlushMessage & { kind: 'cut' }): void {
  const { flush, current } = group;
  if (!flush || !current || flush.cut || message.target !== flush.target.id || message.base !== current.view.id) return;
  if (source !== flush.target.members[0]?.node || message.cut.length !== current.size) return;
  if (message.holders.length !== current.size || message.holders.some((rank) => rank >= current.size)) return;
  flush.cut = message;
  flush.repeatDelay = flushRepeat;
  flush.repeatAt = host.now + flushRepeat;
  current.streams.forEach((stream, rank) => {
    stream.known = Math.max(stream.known, must(message.cut[rank], 'cut'));
  });
  if (!holdsCut(group)) fetch(host, group);
  checkCut(host, group);
}

function holdsCut(group: Group): boolean {
  const cut = must(group.flush?.cut, 'cut').cut;
  return must(group.current, 'current').streams.every((stream, rank) => stream.received >= must(cut[rank], 'cut'));
}

/** Asks the holders for what is missing of the cut. */
function fetch(host: Host, group: Group): void {
  const current = must(group.current, 'current');
  const flush = must(group.flush, 'flush');
  const { cut, holders } = must(flush.cut, 'cut');
  current.streams.forEach((stream, rank) => {
    const to = must(cut[rank], 'cut');
    if (stream.received >= to) return;
    requestFrom(host, group, current, must(holders[rank], 'holder'), rank, to, flush.target.id);
    stream.nakTries++;
  });
}

/** Says so once the whole cut is held; called whenever something was received. */
export function checkCut(host: Host, group: Group): void {
  if (group.flush?.cut && holdsCut(group)) sayHaveAll(host, group);
}

function sayHaveAll(host: Host, group: Group): void {
  const flush = must(group.flush, 'flush');
  const message = { kind: 'have-all', target: flush.target.id, base: must(flush.cut, 'cut').base } as const;
  if (flush.coordination) onHaveAll(host, group, host.self, message);
  else sendToCoordinator(host, group, message);
}

function onHaveAll(host: Host, group: Group, source: NodeId, message: FlushMessage & { kind: 'have-all' }): void {
  const coordination = group.flush?.coordination;
  if (!coordination?.cut || message.target !== group.flush?.target.id || message.base !== coordination.cut.base) return;
  if (coordination.haveAll.has(source)) return;
  coordination.haveAll.add(source);
  coordinate(host, group);
}

function installFrom(
  host: Host,
  group: Group,
  target: View,
  base: ViewId,
  cut: readonly Seqno[],
  survivors: readonly [NodeId, Report][],
): void {
  const { founder, transfers } = assignTransfers(group, target, new Map(survivors));
  sendInstall(host, group, target, {
    target: target.id,
    base,
    cut,
    position: 0,
    time: 0,
    founder,
    loud: founder !== null,
    transfers,
  });
}

/** Installs here first, which tells the position that the cut ends at, then everywhere. */
function sendInstall(host: Host, group: Group, target: View, record: InstallRecord): void {
  const isFounding = record.base === 0;
  install(host, group, target, record, isFounding ? 0 : null);
  sendToAll(host, group, { kind: 'install', record: must(group.lastInstall, 'install record') });
  startFlush(host, group);
}

function onInstall(host: Host, group: Group, source: NodeId, record: InstallRecord): void {
  const { flush } = group;
  if (!flush || record.target !== flush.target.id || source !== flush.target.members[0]?.node) return;
  if (!fits(group, flush.target, record)) return;
  install(host, group, flush.target, record, record.position);
  startFlush(host, group);
}

function onFinish(host: Host, group: Group, source: NodeId, message: FlushMessage & { kind: 'finish' }): void {
  const { flush } = group;
  if (!flush || message.target !== flush.target.id || source !== flush.target.members[0]?.node) return;
  const view = group.targets.find((target) => target.id === message.record.target);
  if (!view || !fits(group, view, message.record)) return;
  install(host, group, view, message.record, message.record.position);
  startFlush(host, group);
}

/** Whether an install starts from where this member is: in its base, or, for a joiner, nowhere. */
function fits(group: Group, view: View, record: InstallRecord): boolean {
  const size = view.members.length;
  const ranks = [record.founder ?? 0, ...record.transfers.flatMap(({ joiner, donor }) => [joiner, donor])];
  if (ranks.some((rank) => rank >= size)) throw new Malformed(`install of ${view.id}: rank above ${size}`);
  if (group.current === null) return true;
  return group.current.view.id === record.base && group.current.size === record.cut.length;
}

function sendToCoordinator(host: Host, group: Group, message: FlushMessage): void {
  sendTo(host, group, must(must(group.flush, 'flush').target.members[0], 'coordinator').node, message);
}

/**
 * By datagram; by other ways as well if that has been in vain, or answers what was sent for want of an answer. `inVain`: the
 * node has said that it does not hear.
 */
function sendTo(host: Host, group: Group, node: NodeId, message: FlushMessage, inVain = false): void {
  const address = host.address(node);
  if (address === undefined) return;
  const body = encode(group, message);
  const incarnation = incarnationOf(node);
  const delay = group.flush?.repeatDelay ?? flushRepeatOverStream;
  if (inVain || delay >= flushRepeatEveryWay) {
    addEveryWay(host.out, incarnation, address, Section.flush, body);
    return;
  }
  addSection(host.out, toNode(host.out, incarnation, address), Section.flush, body);
  if (delay >= flushRepeatOverStream) {
    addSection(host.out, overStream(host.out, incarnation, address), Section.flush, body);
  }
}

function sendToAll(host: Host, group: Group, message: FlushMessage): void {
  addSection(host.out, host.out.all, Section.flush, encode(group, message));
}

function encode(group: Group, message: FlushMessage): Uint8Array {
  const w = new Writer();
  w.varint(group.id);
  flushMessage.write(w, message);
  return w.take();
}
