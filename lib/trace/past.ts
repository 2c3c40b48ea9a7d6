/**
 * What multicasts and letters follow, computed from the traces and not taken from the protocol.
 *
 * The past of a multicast, and of a letter in each group, is a view and a number for each of its members: how many of that
 * member's causal and total multicasts of the view its writer had sent or delivered. Of earlier views nothing need be
 * said: whoever installs a view has delivered what there was to deliver before. So the cost is the deliveries, and for
 * each letter the members of the groups in which something happened since the one before.
 *
 * Processes are gone through one letter at a time, each as far as the letters that it was handed have been written: what
 * is passed on from one to the next, through processes that are in none of the groups, is so passed on here.
 */
import type { History, Letter, Lineage, Mark, Multicast, Process, Stay, Track, View } from './history.js';
import { domainGroup, isCausal } from './history.js';
import { pairLetters } from './letters.js';

/** How much of one view was sent or delivered before: of each member, by rank, its causal and total multicasts. */
export interface Past {
  readonly view: View;
  readonly causes: Int32Array;
}

/** A letter that was handed out too early: where its reader was, and what it lacked. */
export interface Early {
  readonly tell: Letter;
  readonly told: Letter;
  readonly stay: Stay;
  /** It follows multicasts of this view. */
  readonly view: View;
  /** The rank of a sender of one that the reader lacked, and its number; -1 if the reader had not installed the view. */
  readonly rank: number;
  readonly cause: number;
}

/** What follows what. */
export interface Pasts {
  /** By the numbers of multicasts: the past in the view of transmission; none for FIFO ones and untraced ones. */
  readonly multicasts: readonly (Int32Array | undefined)[];
  /** How many letters met a reader that is in a group of whose multicasts they speak. */
  readonly met: number;
  readonly early: readonly Early[];
  /** Letters that were handed out before they were written, so that each waits for the other. */
  readonly circular: readonly Letter[];
}

/** How far a process has been followed in one group. */
interface Place {
  readonly track: Track;
  stay: Stay | null;
  delivered: number;
  sent: number;
  /** Of each member of the view, what was delivered here; and that with what letters have told. */
  got: Int32Array;
  clock: Int32Array;
  /** A copy of the clock for multicasts, until it changes. */
  copy: Int32Array | null;
  /** Its own latest causal or total multicast. */
  own: Multicast | null;
}

/** A process that is being followed. */
interface Walker {
  readonly process: Process;
  /** The next of its letters. */
  next: number;
  readonly places: Map<Track, Place>;
  /** Where it has come further since it wrote a letter. */
  readonly dirty: Set<Place>;
  /** What its letters say by now, and all that they said, in order. */
  readonly known: Map<Lineage, Past>;
  readonly said: Past[];
  /** How much it was told of what others said. */
  readonly heard: Map<Walker, number>;
}

interface Walk {
  readonly walkers: Map<string, Walker>;
  readonly pasts: (Int32Array | undefined)[];
  readonly tellOf: ReadonlyMap<Letter, Letter>;
  /** How much the writers of letters had said. */
  readonly saidBy: Map<Letter, number>;
  /** Who waits for a letter to be written. */
  readonly waiting: Map<Letter, Walker>;
  met: number;
  readonly early: Early[];
}

/** Follows all processes through their traces. */
export function followPasts(history: History): Pasts {
  const walk: Walk = {
    walkers: new Map(),
    pasts: new Array<Int32Array | undefined>(history.multicasts.length),
    tellOf: pairLetters(history).tellOf,
    saidBy: new Map(),
    waiting: new Map(),
    met: 0,
    early: [],
  };
  for (const process of history.processes.values()) {
    const start = { next: 0, places: new Map(), dirty: new Set<Place>(), known: new Map(), said: [], heard: new Map() };
    walk.walkers.set(process.id, { process, ...start });
  }
  const circular: Letter[] = [];
  for (const walker of walk.walkers.values()) goOn(walk, walker);
  for (let [stuck] = walk.waiting; stuck !== undefined; [stuck] = walk.waiting) {
    const [tell, walker] = stuck;
    walk.waiting.delete(tell);
    const letter = walker.process.letters[walker.next]!;
    circular.push(letter);
    for (const mark of letter.marks) follow(walk, walker, mark);
    walker.next += 1;
    goOn(walk, walker);
  }
  for (const walker of walk.walkers.values()) finish(walk, walker);
  return { multicasts: walk.pasts, met: walk.met, early: walk.early, circular };
}

/** Follows a process up to a letter that is not written yet, and then those who wait for letters that now are. */
function goOn(walk: Walk, first: Walker): void {
  const ready = [first];
  for (let walker = ready.pop(); walker !== undefined; walker = ready.pop()) {
    const { letters } = walker.process;
    for (; walker.next < letters.length; walker.next++) {
      const letter = letters[walker.next]!;
      const tell = walk.tellOf.get(letter);
      if (tell !== undefined && !walk.saidBy.has(tell)) {
        walk.waiting.set(tell, walker);
        break;
      }
      for (const mark of letter.marks) follow(walk, walker, mark);
      if (tell !== undefined) hear(walk, walker, letter, tell);
      if (letter.record.e === 'told') continue;
      say(walker);
      walk.saidBy.set(letter, walker.said.length);
      const reader = walk.waiting.get(letter);
      if (reader === undefined) continue;
      walk.waiting.delete(letter);
      ready.push(reader);
    }
  }
}

/** Follows a process from its last letter to its end. */
function finish(walk: Walk, walker: Walker): void {
  for (const track of walker.process.tracks.values()) {
    if (track.group.name === domainGroup) continue;
    const { stay, delivered } = walker.places.get(track) ?? { stay: null, delivered: 0 };
    follow(walk, walker, { track, stay, delivered, sent: track.sends.length });
  }
}

/** Follows a process in one group up to a mark. */
function follow(walk: Walk, walker: Walker, mark: Mark): void {
  const place = placeIn(walker, mark.track);
  for (; place.sent < mark.sent; place.sent++) {
    const multicast = mark.track.sends[place.sent]!;
    if (multicast.sentIn !== null) move(walker, place, multicast.sentIn, multicast.seen);
    if (multicast.stay === null || !isCausal(multicast.order)) continue;
    walk.pasts[multicast.index] = pastOf(walker, place, multicast.stay);
    place.own = multicast;
  }
  move(walker, place, mark.stay, mark.delivered);
  walker.dirty.add(place);
}

function placeIn(walker: Walker, track: Track): Place {
  let place = walker.places.get(track);
  if (place === undefined) {
    const nothing = new Int32Array(0);
    place = { track, stay: null, delivered: 0, sent: 0, got: nothing, clock: nothing, copy: null, own: null };
    walker.places.set(track, place);
  }
  return place;
}

/** What a multicast follows that is transmitted in this stay. */
function pastOf(walker: Walker, place: Place, stay: Stay): Int32Array | undefined {
  if (stay === place.stay) return (place.copy ??= place.clock.slice());
  const known = walker.known.get(stay.view.lineage);
  return known?.view === stay.view ? known.causes : undefined;
}

function move(walker: Walker, place: Place, stay: Stay | null, delivered: number): void {
  if (place.stay !== stay) {
    place.stay = stay;
    place.delivered = 0;
    place.copy = null;
    if (stay !== null) beginView(walker, place, stay.view);
  }
  if (stay === null) return;
  const { got, clock } = place;
  for (; place.delivered < delivered; place.delivered++) {
    const multicast = stay.delivered[place.delivered]!;
    const cause = causeIn(stay.view, multicast);
    const rank = multicast.stay?.rank ?? 0;
    if (cause > got[rank]!) got[rank] = cause;
    if (cause <= clock[rank]!) continue;
    clock[rank] = cause;
    place.copy = null;
  }
}

/** A joiner may have been told of multicasts of the view before its trace shows that it is there. */
function beginView(walker: Walker, place: Place, view: View): void {
  const known = walker.known.get(view.lineage);
  place.got = new Int32Array(view.members.length);
  place.clock = known?.view === view ? known.causes.slice() : new Int32Array(view.members.length);
}

/** The multicast's place in its sender's causal stream of this view, 0 if it has none. */
export function causeIn(view: View, multicast: Multicast): number {
  return multicast.cause > 0 && multicast.stay?.view === view ? multicast.cause : 0;
}

/** A process writes a letter: what it sent and delivered since the one before is in the letter's past. */
function say(walker: Walker): void {
  for (const { stay, clock, own } of walker.dirty) {
    if (stay !== null) learn(walker, { view: stay.view, causes: clock });
    if (own === null || own.stay === null) continue;
    const causes = new Int32Array(own.stay.view.members.length);
    causes[own.stay.rank] = own.cause;
    learn(walker, { view: own.stay.view, causes });
  }
  walker.dirty.clear();
}

/** Adds to what a process says in its letters. */
function learn(walker: Walker, { view, causes }: Past): void {
  const known = walker.known.get(view.lineage);
  if (known !== undefined && known.view !== view && known.view.k >= view.k) return;
  const before = known?.view === view ? known.causes : null;
  if (before !== null && causes.every((cause, rank) => cause <= (before[rank] ?? 0))) return;
  const past = { view, causes: causes.map((cause, rank) => Math.max(cause, before?.[rank] ?? 0)) };
  walker.known.set(view.lineage, past);
  walker.said.push(past);
}

/** A process is handed a letter: it must have what the letter follows, and passes on what it has no part in. */
function hear(walk: Walk, walker: Walker, letter: Letter, tell: Letter): void {
  const writer = walk.walkers.get(tell.process.id)!;
  const upTo = walk.saidBy.get(tell) ?? 0;
  let meets = false;
  let isEarly = false;
  for (let i = walker.heard.get(writer) ?? 0; i < upTo; i++) {
    const past = writer.said[i]!;
    const track = walker.process.tracks.get(past.view.lineage.group.name);
    const place = track === undefined ? undefined : walker.places.get(track);
    const { stay } = place ?? { stay: null };
    if (place === undefined || stay === null || stay.view.lineage !== past.view.lineage) {
      learn(walker, past);
      continue;
    }
    if (stay.covered || stay.patched || stay.view.k > past.view.k) continue;
    meets = true;
    const rank = lackingRank(place, stay, past);
    if (rank === null) continue;
    const cause = rank < 0 ? 0 : place.got[rank]! + 1;
    if (!isEarly) walk.early.push({ tell, told: letter, stay, view: past.view, rank, cause });
    isEarly = true;
    learn(walker, past);
    if (stay.view === past.view) follows(place, past);
  }
  if (meets) walk.met += 1;
  walker.heard.set(writer, Math.max(upTo, walker.heard.get(writer) ?? 0));
}

/** The sender of which the reader lacks a multicast, -1 if it has not come to the view; null if it lacks nothing. */
function lackingRank({ got }: Place, stay: Stay, { view, causes }: Past): number | null {
  if (stay.view !== view) return -1;
  const rank = causes.findIndex((cause, i) => cause > got[i]!);
  return rank < 0 ? null : rank;
}

/** What this member sends from now on follows what it was told, though it has not delivered it. */
function follows(place: Place, { causes }: Past): void {
  place.clock = place.clock.map((cause, rank) => Math.max(cause, causes[rank]!));
  place.copy = null;
}
