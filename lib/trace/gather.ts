/**
 * Reading the records, once and in order, into a {@link History}. Records of one process must stand in the order in
 * which it wrote them; how those of different processes are interleaved does not matter.
 */
import type { Traced } from './format.js';
import type { Group, History, Life, Multicast, Of, Process, Serving, StateIn, Stay, Track, View } from './history.js';
import { domainGroup, isTotal } from './history.js';

/** What a history is of: the records and what the caller knows about the end of the run. */
export interface Run {
  readonly records: readonly Traced[];
  readonly quiesced: boolean;
  /** Who lives at the end; undefined: everybody. */
  readonly alive: readonly string[] | undefined;
}

/** A history that still lacks what only its end can tell. */
export function gather(run: Run): History {
  const history = emptyHistory(run);
  let process: Process | null = null;
  for (let at = 0; at < run.records.length; at++) {
    const record = run.records[at]!;
    if (process?.id !== record.p) process = processIn(history, record.p);
    take(history, process, record, at);
  }
  const alive = new Set(run.alive ?? history.processes.keys());
  return { ...history, alive };
}

function emptyHistory(run: Run): History {
  return {
    records: run.records.length,
    processes: new Map(),
    groups: new Map(),
    lineages: [],
    multicasts: [],
    stays: [],
    strays: [],
    repeatedViews: [],
    repeatedSends: [],
    unfounded: [],
    ends: [],
    afterEnd: [],
    comebacks: [],
    statesOut: [],
    asks: [],
    answers: [],
    asked: [],
    quiesced: run.quiesced,
    alive: new Set(),
  };
}

function take(history: History, process: Process, record: Traced, at: number): void {
  switch (record.e) {
    case 'deliver':
      return takeDeliver(history, trackOf(history, process, record.g), record, at);
    case 'send':
      return takeSend(history, trackOf(history, process, record.g), record, at);
    case 'xmit':
      return takeXmit(history, trackOf(history, process, record.g), record);
    case 'stable':
      return void stillThere(history, trackOf(history, process, record.g), record);
    case 'view':
      return takeView(history, trackOf(history, process, record.g), record, at);
    case 'blocked':
      return takeBlocked(history, trackOf(history, process, record.g), record);
    case 'hash':
      return takeHash(trackOf(history, process, record.g), record);
    case 'state-in':
      return takeStateIn(trackOf(history, process, record.g), record, at);
    case 'state-out':
      return takeStateOut(history, groupOf(history, record.g), record);
    case 'sendfail':
      multicastOf(history, groupOf(history, record.g), record.id).failed = true;
      return;
    case 'ask':
      return void history.asks.push(record);
    case 'answered': {
      const isDelivered = process.tracks.get(record.g)?.requests.has(record.r) ?? false;
      return void history.answers.push({ record, isDelivered });
    }
    case 'asked':
      return void history.asked.push({
        record,
        view: viewNow(process, record.g),
        domain: viewNow(process, domainGroup),
      });
    case 'tell':
    case 'told':
      return takeLetter(process, record);
    case 'left':
    case 'excluded':
      return takeEnd(history, process, record);
    case 'gauge':
      return void process.gauges.push(record);
    case 'start':
    case 'diverged':
    case 'suspect':
    case 'leave':
      return;
  }
}

function viewNow(process: Process, group: string): View | null {
  return process.tracks.get(group)?.life?.stays.at(-1)?.view ?? null;
}

/** Notes that something happened to a member between two letters of its process. */
function touch(track: Track): void {
  if (track.isTouched || track.group.name === domainGroup) return;
  track.isTouched = true;
  track.process.touched.push(track);
}

function takeLetter(process: Process, record: Of<'tell'> | Of<'told'>): void {
  const marks = process.touched.map((track) => {
    const stay = process.ended === null ? (track.life?.stays.at(-1) ?? null) : null;
    track.isTouched = false;
    return { track, stay, delivered: stay?.delivered.length ?? 0, sent: track.sends.length };
  });
  process.touched = [];
  process.letters.push({ record, process, marks });
}

function takeView(history: History, track: Track, record: Of<'view'>, at: number): void {
  // a view that lets the process in, or is the first that it knows of, begins a new membership
  const rejoins = track.process.ended === null && (record.prev === null || record.joined.includes(record.p));
  if (!rejoins && !stillThere(history, track, record)) return;
  if (record.h !== undefined && record.g !== domainGroup) track.group.replicated = true;
  const view = viewOf(history, track.group, record);
  const previous = track.life?.stays.at(-1) ?? null;
  if (previous !== null && previous.view === view) {
    history.repeatedViews.push({ record, other: previous.record });
    return;
  }
  const continues = track.life !== null && previous?.view.lineage === view.lineage;
  const life = continues && track.life !== null ? track.life : newLife(track);
  const stay = newStay(history, life, view, record, at, continues ? previous : null);
  if (stay.previous !== null) stay.previous.next = stay;
  life.stays.push(stay);
  life.byView.set(record.v, stay);
  view.stays.push(stay);
  track.blocked = null;
  touch(track);
}

function takeBlocked(history: History, track: Track, record: Of<'blocked'>): void {
  if (stillThere(history, track, record)) track.blocked = record;
}

function takeSend(history: History, track: Track, record: Of<'send'>, at: number): void {
  if (record.v !== null && !mayTransmit(history, track, record)) return;
  const multicast = multicastOf(history, track.group, record.id);
  if (multicast.sender !== record.p) return void history.unfounded.push({ record, other: multicast.send });
  if (multicast.send !== null) return void history.repeatedSends.push({ record, other: multicast.send });
  multicast.send = record;
  multicast.sendAt = at;
  multicast.order = record.o;
  multicast.uniform = record.u;
  track.sends.push(multicast);
  touch(track);
  const stay = track.life?.stays.at(-1) ?? null;
  if (stay !== null) {
    multicast.sentIn = stay;
    multicast.seen = stay.delivered.length;
    stay.sends.push(multicast);
  }
  if (record.v !== null) transmit(track, multicast, record, record.v);
}

function takeXmit(history: History, track: Track, record: Of<'xmit'>): void {
  if (!mayTransmit(history, track, record)) return;
  const multicast = multicastOf(history, track.group, record.id);
  if (multicast.sender !== record.p || multicast.send === null) {
    history.unfounded.push({ record, other: null });
  } else if (multicast.transmission !== null) {
    history.repeatedSends.push({ record, other: multicast.transmission });
  } else {
    transmit(track, multicast, record, record.v);
  }
}

function transmit(track: Track, multicast: Multicast, record: Of<'send'> | Of<'xmit'>, view: string): void {
  multicast.transmission = record;
  multicast.blocked = track.blocked;
  multicast.current = track.life?.stays.at(-1) ?? null;
  if (track.life === null) {
    multicast.ahead = true;
    track.ahead.push(multicast);
  }
  multicast.stay = stayIn(track.life, view);
  multicast.stay?.transmitted.push(multicast);
  track.transmitted.push(multicast);
}

function takeDeliver(history: History, track: Track, record: Of<'deliver'>, at: number): void {
  if (!stillThere(history, track, record)) return;
  const life = track.life;
  const stay = stayIn(life, record.v);
  if (life === null || stay === null) return void history.strays.push(record);
  const multicast = multicastOf(history, track.group, record.id, record);
  if (!isTotal(record.o)) track.group.mixed = true;
  if (isLate(life, stay)) stay.late.push(record);
  stay.delivered.push(multicast);
  stay.deliveries.push(record);
  life.deliveredLast = stay;
  touch(track);
  if (record.r !== undefined) takeServing(track, record.r, { record, stay, multicast });
  if (multicast.sender === record.p && multicast.own === null) {
    multicast.own = stay;
    multicast.ownAt = at;
  }
}

function takeServing(track: Track, request: string, serving: Serving): void {
  const { requests } = track.group;
  const others = requests.get(request);
  if (others === undefined) requests.set(request, [serving]);
  else others.push(serving);
  track.requests.add(request);
}

/**
 * Views are installed while a joiner waits for its state; only then may a delivery follow the view after its own, and
 * even then views are delivered in their order.
 */
function isLate(life: Life, stay: Stay): boolean {
  const current = life.stays.at(-1);
  if (current === undefined || current === stay) return false;
  const state = life.statesIn.at(-1);
  const waited = state !== undefined && state.at > current.at;
  return !waited || (life.deliveredLast !== null && life.deliveredLast.at > stay.at);
}

function takeHash(track: Track, record: Of<'hash'>): void {
  track.group.replicated = true;
  stayIn(track.life ?? track.lives.at(-1) ?? null, record.v)?.hashes.push(record);
}

/** The actor traces this, at a distance behind the protocol: views and deliveries, even the end, may stand before it. */
function takeStateIn(track: Track, record: Of<'state-in'>, at: number): void {
  track.group.replicated = true;
  track.group.transfers = true;
  const over = track.lives.at(-1)?.byView.has(record.v) === true ? track.lives.at(-1) : undefined;
  const life = track.life ?? over;
  const state: StateIn = { record, at, after: life?.deliveredLast ?? null };
  (life?.statesIn ?? track.statesAhead).push(state);
}

function takeStateOut(history: History, group: Group, record: Of<'state-out'>): void {
  group.replicated = true;
  group.transfers = true;
  history.statesOut.push(record);
}

/** `left` and `excluded` end one membership, or all of them if they name no group or the domain. */
function takeEnd(history: History, process: Process, record: Of<'left'> | Of<'excluded'>): void {
  history.ends.push(record);
  if (record.g === undefined || record.g === domainGroup) {
    process.ended ??= record;
    for (const track of process.tracks.values()) touch(track);
    return;
  }
  const track = trackOf(history, process, record.g);
  track.blocked = null;
  track.sendsOfOldLives = track.sends.length;
  track.ahead = [];
  touch(track);
  if (track.life === null) return;
  track.life.ended = record;
  track.life = null;
}

/** Whether the member may still trace this; if not, that is noted. */
function stillThere(history: History, track: Track, record: Traced): boolean {
  const end = track.process.ended ?? (track.life === null ? track.lives.at(-1)?.ended : null) ?? null;
  if (end === null) return true;
  history.afterEnd.push({ record, other: end });
  return false;
}

/** As `stillThere`; but who has left a group may have come back, and its views are told only after its state. */
function mayTransmit(history: History, track: Track, record: Of<'send'> | Of<'xmit'>): boolean {
  const over = track.lives.at(-1);
  if (track.process.ended !== null || track.life !== null || over === undefined) {
    return stillThere(history, track, record);
  }
  history.comebacks.push({ record, over });
  return true;
}

/** The member's stay in the view of this id; almost always the current one. */
function stayIn(life: Life | null, view: string): Stay | null {
  const current = life?.stays.at(-1);
  return current?.view.id === view ? current : (life?.byView.get(view) ?? null);
}

function processIn(history: History, id: string): Process {
  let process = history.processes.get(id);
  if (process === undefined) {
    process = { id, tracks: new Map(), gauges: [], letters: [], touched: [], ended: null, correct: false };
    history.processes.set(id, process);
  }
  return process;
}

function groupOf(history: History, name: string): Group {
  let group = history.groups.get(name);
  if (group === undefined) {
    group = {
      name,
      lineages: new Map(),
      multicasts: new Map(),
      requests: new Map(),
      replicated: false,
      transfers: false,
      mixed: false,
    };
    history.groups.set(name, group);
  }
  return group;
}

function trackOf(history: History, process: Process, name: string): Track {
  let track = process.tracks.get(name);
  if (track === undefined) {
    const group = groupOf(history, name);
    track = {
      process,
      group,
      lives: [],
      life: null,
      sends: [],
      transmitted: [],
      blocked: null,
      sendsOfOldLives: 0,
      statesAhead: [],
      ahead: [],
      requests: new Set(),
      isTouched: false,
    };
    process.tracks.set(name, track);
  }
  return track;
}

function newLife(track: Track): Life {
  const life: Life = {
    track,
    stays: [],
    byView: new Map(),
    statesIn: track.statesAhead,
    ahead: track.ahead,
    ended: null,
    deliveredLast: null,
  };
  track.statesAhead = [];
  track.ahead = [];
  track.lives.push(life);
  track.life = life;
  return life;
}

function newStay(
  history: History,
  life: Life,
  view: View,
  record: Of<'view'>,
  at: number,
  previous: Stay | null,
): Stay {
  const stay: Stay = {
    index: history.stays.length,
    life,
    view,
    rank: view.ranks.get(record.p) ?? 0,
    record,
    at,
    previous,
    next: null,
    delivered: [],
    deliveries: [],
    late: [],
    sends: [],
    transmitted: [],
    hashes: [],
    covered: false,
    patched: false,
    until: null,
  };
  history.stays.push(stay);
  return stay;
}

function viewOf(history: History, group: Group, record: Of<'view'>): View {
  // a trace of another making may not name the founding: then there is one
  const dom = record.dom ?? '';
  let lineage = group.lineages.get(dom);
  if (lineage === undefined) {
    lineage = { group, dom, views: new Map(), epochs: [] };
    group.lineages.set(dom, lineage);
    history.lineages.push(lineage);
  }
  let view = lineage.views.get(record.v);
  if (view === undefined) {
    const ranks = new Map(record.m.map((member, rank) => [member, rank]));
    view = { lineage, id: record.v, k: record.k, members: record.m, ranks, stays: [], together: [] };
    lineage.views.set(record.v, view);
  }
  return view;
}

function multicastOf(history: History, group: Group, id: string, delivery?: Of<'deliver'>): Multicast {
  let multicast = group.multicasts.get(id);
  if (multicast === undefined) {
    multicast = newMulticast(history.multicasts.length, id, group);
    history.multicasts.push(multicast);
    group.multicasts.set(id, multicast);
  }
  if (delivery !== undefined && multicast.send === null && multicast.order === '') {
    multicast.order = delivery.o;
    multicast.uniform = delivery.u;
  }
  return multicast;
}

function newMulticast(index: number, id: string, group: Group): Multicast {
  return {
    index,
    id,
    sender: id.slice(0, Math.max(0, id.lastIndexOf(':'))),
    group,
    send: null,
    sendAt: -1,
    sentIn: null,
    seen: 0,
    transmission: null,
    stay: null,
    current: null,
    blocked: null,
    failed: false,
    ahead: false,
    own: null,
    ownAt: -1,
    order: '',
    uniform: false,
    place: 0,
    cause: 0,
  };
}
