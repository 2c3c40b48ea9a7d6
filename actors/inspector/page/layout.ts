/**
 * The space-time diagram as geometry: a line for each process, a bar across the lines of its members for each view, an arrow for
 * each way of a multicast, after figures 1 and 2 of Birman's "A History of the Virtual Synchrony Replication Model". Along one axis
 * goes time, along the other stand the processes; which of them is horizontal is the painter's business.
 */
import { beganAt, type History, type Multicast, nameOf, type Process, type View } from './history.js';

/** What is shown, and how much room there is. */
export interface Frame {
  readonly group: string;
  /** In nanoseconds. */
  readonly from: number;
  readonly to: number;
  /** From where times are counted; null: back from the end, which is now. */
  readonly origin: number | null;
  /** Room along time and across the processes, in pixels. */
  readonly length: number;
  readonly breadth: number;
}

/** A place: along time, across the processes. */
export interface Point {
  readonly u: number;
  readonly v: number;
}

/** The line of a process. */
export interface Lane {
  readonly process: string;
  readonly name: string;
  readonly v: number;
  /** For its colour: stable for as long as the process is known. */
  readonly index: number;
  /** Where it lives, as far as is known, */
  readonly from: number;
  readonly to: number;
  /** where it is a member, */
  readonly member: readonly { readonly from: number; readonly to: number }[];
  /** and where it ends within the picture, and how. */
  readonly end: { readonly u: number; readonly how: string } | null;
}

/** A view, across the lines of its members. */
export interface Bar {
  readonly view: View;
  /** By member, in the order of the lanes; `isSeen`: it was seen to install it there, else this is when it was known of. */
  readonly points: readonly (Point & { readonly isSeen: boolean })[];
}

/** A multicast: from its sender to each process that is known to have it. */
export interface Arrows {
  readonly multicast: Multicast;
  /** Of its sender's lane. */
  readonly index: number;
  readonly from: Point;
  readonly to: readonly (Point & { readonly process: string; readonly kind: 'delivered' | 'received' })[];
}

/** Something at one process. */
export interface Spot {
  readonly at: Point;
  readonly kind: 'suspect' | 'blocked' | 'state-out' | 'state-in' | 'diverged' | 'leave' | 'violation';
  readonly text: string;
  /** For violations: which. */
  readonly number: number | null;
}

/** A state on its way. */
export interface Transfer {
  readonly from: Point;
  readonly to: Point;
}

/** What is to be drawn. */
export interface Diagram {
  readonly lanes: readonly Lane[];
  readonly bars: readonly Bar[];
  /** In the order in which they were sent. */
  readonly arrows: readonly Arrows[];
  readonly spots: readonly Spot[];
  readonly transfers: readonly Transfer[];
  readonly ticks: readonly { readonly u: number; readonly label: string }[];
  /** Multicasts within the frame that are not drawn: there are too many. */
  readonly hidden: number;
}

/** Something that the checker has found, at one process. */
export interface Found {
  readonly t: number;
  readonly process: string;
  readonly number: number;
  readonly text: string;
}

/** More multicasts than this make no picture; the last ones are drawn. */
const multicastsMax = 400;
/** Lanes beyond this would be thinner than their names. */
const lanesMax = 64;
/** Ticks of the axis of time, however much of it there is. */
const ticksMax = 50;

/** Lays it out. `colours`: the index of each process, extended as processes are met. */
export function layOut(
  history: History,
  frame: Frame,
  colours: Map<string, number>,
  found: readonly Found[] = [],
): Diagram {
  const scale = (t: number): number => ((t - frame.from) / (frame.to - frame.from)) * frame.length;
  const views = [...(history.views.get(frame.group)?.values() ?? [])].sort((a, b) => a.number - b.number);
  const lanes = layLanes(history, frame, views, scale, colours);
  const places = new Map(lanes.map((lane) => [lane.process, lane]));
  const { arrows, hidden } = layArrows(history, frame, scale, places);
  return {
    lanes,
    bars: layBars(frame, views, scale, lanes),
    arrows,
    spots: laySpots(history, frame, scale, places, found),
    transfers: layTransfers(history, frame, scale, places),
    ticks: ticksOf(frame, scale),
    hidden,
  };
}

function isWithin(frame: Frame, t: number): boolean {
  return t >= frame.from && t <= frame.to;
}

/** Who was or is in the group, oldest first, and lives at some time within the frame. */
function layLanes(
  history: History,
  frame: Frame,
  views: readonly View[],
  scale: (t: number) => number,
  colours: Map<string, number>,
): Lane[] {
  const ids = new Set(views.filter((view) => reaches(views, view, frame)).flatMap(({ members }) => members));
  for (const { group, sender } of history.multicasts.values()) if (group === frame.group) ids.add(sender);
  const shown = [...ids].filter((id) => lives(history.processes.get(id), frame)).slice(0, lanesMax);
  const gap = frame.breadth / Math.max(1, shown.length);
  return shown.map((id, i) => {
    if (!colours.has(id)) colours.set(id, colours.size);
    const { first = frame.from, end = null } = history.processes.get(id) ?? {};
    const to = Math.min(frame.to, end?.t ?? frame.to);
    const isEndShown = end !== null && isWithin(frame, end.t);
    return {
      process: id,
      name: nameOf(id),
      v: gap * (i + 0.5),
      index: colours.get(id) ?? 0,
      from: scale(Math.max(frame.from, first)),
      to: scale(to),
      member: memberships(views, id, frame, to, scale),
      end: isEndShown ? { u: scale(end.t), how: end.how } : null,
    };
  });
}

/** Whether a view stands at some time within the frame. */
function reaches(views: readonly View[], view: View, frame: Frame): boolean {
  const next = views[views.indexOf(view) + 1];
  return view.known <= frame.to && (next === undefined || next.known >= frame.from);
}

function lives(process: Process | undefined, frame: Frame): boolean {
  return process === undefined || (process.first <= frame.to && (process.end === null || process.end.t >= frame.from));
}

/** When a process installed a view, or when it was known of. */
function installedAt({ installed, known }: View, id: string): number {
  return installed.get(id) ?? known;
}

function memberships(
  views: readonly View[],
  id: string,
  frame: Frame,
  to: number,
  scale: (t: number) => number,
): { from: number; to: number }[] {
  const spans: { from: number; to: number }[] = [];
  views.forEach((view, i) => {
    if (!view.members.includes(id)) return;
    const from = Math.max(frame.from, installedAt(view, id));
    const next = views[i + 1];
    const until = Math.min(to, next === undefined ? frame.to : installedAt(next, id));
    if (until <= from) return;
    const span = { from: scale(from), to: scale(until) };
    const last = spans.at(-1);
    if (last !== undefined && span.from - last.to < 0.5) last.to = span.to;
    else spans.push(span);
  });
  return spans;
}

function layBars(frame: Frame, views: readonly View[], scale: (t: number) => number, lanes: readonly Lane[]): Bar[] {
  return views.flatMap((view) => {
    const points = lanes.flatMap(({ process, v }) => {
      const t = installedAt(view, process);
      if (!view.members.includes(process) || !isWithin(frame, t)) return [];
      return [{ u: scale(t), v, isSeen: view.installed.has(process) }];
    });
    return points.length > 0 ? [{ view, points }] : [];
  });
}

function layArrows(
  history: History,
  frame: Frame,
  scale: (t: number) => number,
  places: ReadonlyMap<string, Lane>,
): { arrows: Arrows[]; hidden: number } {
  const within: { readonly multicast: Multicast; readonly began: number }[] = [];
  for (const multicast of history.multicasts.values()) {
    const began = beganAt(multicast);
    if (multicast.group !== frame.group || !places.has(multicast.sender) || began > frame.to) continue;
    if (began >= frame.from || lastOf(multicast) >= frame.from) within.push({ multicast, began });
  }
  within.sort((a, b) => a.began - b.began);
  const drawn = within.slice(-multicastsMax);
  const arrows = drawn.map(({ multicast, began }): Arrows => {
    const lane = places.get(multicast.sender) as Lane;
    const to = [...places.values()].flatMap(({ process, v }) => {
      const delivered = multicast.delivered.get(process);
      const t = delivered?.t ?? multicast.received.get(process);
      if (t === undefined || t > frame.to) return [];
      return [{ u: scale(t), v, process, kind: delivered ? ('delivered' as const) : ('received' as const) }];
    });
    return { multicast, index: lane.index, from: { u: scale(began), v: lane.v }, to };
  });
  return { arrows, hidden: within.length - drawn.length };
}

function lastOf({ delivered, received }: Multicast): number {
  let last = -Infinity;
  for (const { t } of delivered.values()) last = Math.max(last, t);
  for (const t of received.values()) last = Math.max(last, t);
  return last;
}

function laySpots(
  history: History,
  frame: Frame,
  scale: (t: number) => number,
  places: ReadonlyMap<string, Lane>,
  found: readonly Found[],
): Spot[] {
  const spots: Spot[] = [];
  const add = (t: number, process: string, spot: Omit<Spot, 'at'>): void => {
    const lane = places.get(process);
    if (lane !== undefined && isWithin(frame, t)) spots.push({ at: { u: scale(t), v: lane.v }, ...spot });
  };
  for (const { t, process, group, kind, text } of history.marks) {
    if (group === null || group === frame.group) add(t, process, { kind, text, number: null });
  }
  for (const { t, process, text, number } of found) add(t, process, { kind: 'violation', text, number });
  return spots;
}

/** A state comes in from the last time that its donor gave it to this joiner. */
function layTransfers(
  history: History,
  frame: Frame,
  scale: (t: number) => number,
  places: ReadonlyMap<string, Lane>,
): Transfer[] {
  return history.marks.flatMap(({ kind, t, process, group, other }) => {
    if (kind !== 'state-in' || group !== frame.group) return [];
    const out = history.marks.findLast(
      (each) => each.kind === 'state-out' && each.process === other && each.other === process && each.group === group,
    );
    const [donor, joiner] = [places.get(other ?? ''), places.get(process)];
    if (!out || !donor || !joiner || t < frame.from || out.t > frame.to) return [];
    return [{ from: { u: scale(out.t), v: donor.v }, to: { u: scale(t), v: joiner.v } }];
  });
}

/** Round steps: 1, 2 or 5 of a power of ten, about one each 90 pixels. */
function ticksOf(frame: Frame, scale: (t: number) => number): { u: number; label: string }[] {
  const wanted = Math.max(2, frame.length / 90);
  const rough = (frame.to - frame.from) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  const ticks: { u: number; label: string }[] = [];
  if (frame.origin === null) {
    for (let back = 0; frame.to - back >= frame.from && ticks.length < ticksMax; back += step) {
      ticks.push({ u: scale(frame.to - back), label: back === 0 ? 'now' : `−${spellTime(back)}` });
    }
    return ticks;
  }
  const first = Math.ceil((frame.from - frame.origin) / step);
  for (let i = first; frame.origin + i * step <= frame.to && ticks.length < ticksMax; i++) {
    ticks.push({ u: scale(frame.origin + i * step), label: i === 0 ? '0' : spellTime(i * step) });
  }
  return ticks;
}

/** A span of nanoseconds, with its unit. */
export function spellTime(nanoseconds: number): string {
  const size = Math.abs(nanoseconds);
  if (size >= 1e9) return `${digits(nanoseconds / 1e9)} s`;
  if (size >= 1e6) return `${digits(nanoseconds / 1e6)} ms`;
  if (size >= 1e3) return `${digits(nanoseconds / 1e3)} µs`;
  return `${digits(nanoseconds)} ns`;
}

/** Three digits that count. */
function digits(value: number): string {
  const size = Math.abs(value);
  return String(Number(value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2)));
}
