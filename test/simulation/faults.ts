/**
 * What goes wrong, and when: faults of all kinds at drawn times, until the world heals.
 */
import { arm } from './aimed-faults.js';
import { failSnapshots, fillQueue, sendLarge, slowDown, throwOnce } from './application-faults.js';
import { type Faults, coordinator, isChanging, living, mayDie, note, spell, victim } from './fault-state.js';
import { strikeContact } from './contact-faults.js';
import { causeChange, joinNode, joinSomeGroup, leaveSomeGroup, leaveWholly } from './membership-faults.js';
import {
  breakSomeStream,
  cutLink,
  delayKind,
  eatSome,
  isolate,
  noise,
  partition,
  rewire,
  spoilLinks,
} from './network-faults.js';
import { clog, damage, forgery, replay, startRecording } from './packet-faults.js';
import { loseQuorum } from './operator-faults.js';
import type { FaultKind, RareFault } from './plan.js';
import { jumpClock, kill, killAllButOne, killTwo, pauseFor, stall } from './process-faults.js';
import { type Random, between, chance, pick } from '../../transport/simulation/random.js';
import { delayBallot, holdInstall, leaveMidFlush, losePastOfBarrier, tellHalf } from './staged-faults.js';
import { strikeTransfer } from './transfer-faults.js';
import { after, start } from './world.js';

function happen(faults: Faults, kind: FaultKind): boolean {
  switch (kind) {
    case 'loss':
    case 'duplication':
    case 'reordering':
    case 'delay':
      noise(faults, kind);
      return true;
    case 'one-way partition':
      if (chance(faults.random, 0.4)) cutLink(faults);
      else partition(faults, true);
      return true;
    case 'late packets of one kind':
      delayKind(faults);
      return true;
    case 'bad links':
      spoilLinks(faults);
      return true;
    case 'crash of all but one':
      return killAllButOne(faults);
    case 'crash of two':
      return killTwo(faults);
    case 'leave during a flush':
      return leaveMidFlush(faults);
    case 'half-told decree':
      return tellHalf(faults);
    case 'late ballot':
      return delayBallot(faults);
    case 'two-way partition':
      partition(faults, false);
      return true;
    case 'isolation':
      isolate(faults, pick(faults.random, faults.world.processes), spell(faults));
      return true;
    case 'pause':
      pauseFor(faults, pick(faults.random, faults.world.processes), spell(faults));
      return true;
    case 'crash':
    case 'restart': {
      const process = victim(faults);
      if (process !== undefined) kill(faults, process, kind === 'restart' ? 'at once' : 'perhaps');
      return process !== undefined;
    }
    case 'crash of a coordinator': {
      const process = coordinator(faults);
      if (process === undefined || !mayDie(faults, process)) return false;
      kill(faults, process, 'perhaps');
      return true;
    }
    case 'aimed':
      arm(faults, chance(faults.random, 0.4));
      return causeChange(faults);
    case 'join of a node':
      return joinNode(faults);
    case 'join of a group':
      return joinSomeGroup(faults);
    case 'leave of a group':
      return leaveSomeGroup(faults);
    case 'leave of the domain':
      return leaveWholly(faults);
    case 'damaged datagrams':
      damage(faults, 'damaged');
      return true;
    case 'truncated datagrams':
      damage(faults, 'truncated');
      return true;
    case 'replayed datagrams':
      return replay(faults);
    case 'forged datagrams':
      return forgery(faults);
    case 'clogged links':
      clog(faults);
      return true;
    case 'bridge':
    case 'ring':
      rewire(faults, kind);
      return true;
    case 'broken stream':
      return breakSomeStream(faults);
    case 'stall':
      stall(faults, pick(faults.random, faults.world.processes));
      return true;
    case 'clock jump':
      jumpClock(faults, pick(faults.random, faults.world.processes));
      return true;
    case 'slow member':
      return slowDown(faults);
    case 'full queue':
      return fillQueue(faults);
    case 'large messages':
      return sendLarge(faults);
    case 'throwing member':
      return throwOnce(faults);
    case 'failing snapshot':
      return failSnapshots(faults) && (joinSomeGroup(faults) || joinNode(faults));
    case 'donor killed':
      return strikeTransfer(faults, 'donor');
    case 'joiner killed':
      return strikeTransfer(faults, 'joiner');
    case 'stream broken in a transfer':
      return strikeTransfer(faults, 'stream');
    case 'contact struck':
      return strikeContact(faults);
  }
}

/** Lets faults happen until the world heals. */
export function startFaults(faults: Faults): void {
  const { kinds, lostPast, eaten, lateInstall, forced, calm } = faults.plan;
  if (kinds.includes('replayed datagrams') || kinds.includes('forged datagrams')) startRecording(faults);
  const next = (): void => {
    if (faults.healed) return;
    const kind = pick(faults.random, faults.plan.kinds);
    const inside = isChanging(faults.world);
    if (happen(faults, kind)) note(faults, kind, inside);
    after(faults.world, between(faults.random, 0.3, 1.7) * faults.plan.interval, next);
  };
  after(faults.world, calm, next);
  if (lostPast !== null) startRare(faults, 'lost past of a barrier', lostPast, losePastOfBarrier);
  if (eaten !== null) startRare(faults, 'some traffic eaten', eaten, eatSome);
  if (lateInstall !== null) startRare(faults, 'late install', lateInstall, holdInstall);
  if (forced !== null) startRare(faults, 'quorum lost', forced, loseQuorum);
}

function startRare(
  faults: Faults,
  kind: string,
  rare: RareFault,
  strike: (faults: Faults, random: Random) => boolean,
): void {
  after(faults.world, faults.plan.calm + rare.after, () => {
    const inside = isChanging(faults.world);
    if (!faults.healed && strike(faults, rare.random)) note(faults, kind, inside);
  });
}

/** Ends all faults: links mend, noise stops, the paused go on, the dead stay dead or come back. */
export function heal(faults: Faults): void {
  faults.healed = true;
  for (const undo of [...faults.undo]) undo();
  for (const process of faults.world.processes) {
    const isDead = process.node === null && !process.hasLeft;
    if (isDead && (faults.plan.revive || living(faults.world).length === 0)) start(faults.world, process);
  }
}
