/**
 * Paints the space-time diagram and lets a multicast be chosen, with the pointer or the keyboard. Time goes to the right; on a narrow
 * screen it goes down, as in older drawings.
 */
import { type Attributes, svg } from './dom.js';
import { beganAt, type History, type Multicast } from './history.js';
import { type Arrows, type Diagram, type Found, layOut, type Lane, type Point } from './layout.js';

/** Colours there are for senders. */
const coloursMax = 8;
/** Narrower than this, time goes down. */
const narrow = 640;
/** Pixels between two lanes at least and at most, of those that few have together; */
const laneGap = { least: 46, most: 96, together: 250 } as const;
/** and around them: before the names end and time begins, and so on. */
const margins = {
  across: { start: 124, end: 18, before: 34, after: 26 },
  down: { start: 66, end: 12, before: 58, after: 14 },
} as const;
/** How long time is when it goes down. */
const downLength = 560;

/** What is to be shown. */
export interface Picture {
  readonly history: History;
  readonly group: string;
  readonly from: number;
  readonly to: number;
  /** From where times are counted; null: back from now. */
  readonly origin: number | null;
  readonly chosen: Multicast | null;
  readonly found: readonly Found[];
}

/** Where things go. */
interface Canvas {
  readonly isDown: boolean;
  readonly width: number;
  readonly height: number;
  readonly length: number;
  readonly breadth: number;
  readonly place: (point: Point) => { readonly x: number; readonly y: number };
}

/** A multicast was chosen, or none. */
export type Choose = (multicast: Multicast | null) => void;

/** The diagram in the page. */
export class DiagramView {
  readonly #element: HTMLElement;
  readonly #choose: Choose;
  readonly #colours = new Map<string, number>();
  #diagram: Diagram | null = null;
  #picture: Picture | null = null;

  constructor(element: HTMLElement, choose: Choose) {
    this.#element = element;
    this.#choose = choose;
    element.addEventListener('click', (event) => this.#click(event));
    element.addEventListener('keydown', (event) => this.#key(event));
  }

  /** Paints. Returns what it has laid out. */
  show(picture: Picture): Diagram {
    this.#picture = picture;
    const width = Math.max(280, this.#element.clientWidth);
    const lanes = countLanes(picture);
    const canvas = canvasFor(width, lanes);
    const { history, group, from, to, origin, found, chosen } = picture;
    const diagram = layOut(
      history,
      { group, from, to, origin, length: canvas.length, breadth: canvas.breadth },
      this.#colours,
      found,
    );
    this.#diagram = diagram;
    this.#element.replaceChildren(paint(diagram, canvas, chosen));
    return diagram;
  }

  #click(event: MouseEvent): void {
    const target = event.target instanceof Element ? event.target.closest<SVGElement>('[data-id]') : null;
    const id = target?.dataset['id'];
    this.#choose(this.#diagram?.arrows.find(({ multicast }) => multicast.id === id)?.multicast ?? null);
  }

  #key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const next = this.#next(event.key);
    if (next === undefined) return;
    event.preventDefault();
    this.#choose(next);
  }

  /** What a key chooses; undefined: it is for others. */
  #next(key: string): Multicast | null | undefined {
    const all = this.#diagram?.arrows.map(({ multicast }) => multicast) ?? [];
    const chosen = this.#picture?.chosen ?? null;
    const at = chosen === null ? -1 : all.findIndex(({ id }) => id === chosen.id);
    switch (key) {
      case 'Escape':
        return null;
      case 'Home':
        return all[0] ?? null;
      case 'End':
        return all.at(-1) ?? null;
      case 'ArrowRight':
        return all[Math.min(all.length - 1, at + 1)] ?? null;
      case 'ArrowLeft':
        return all[at < 0 ? all.length - 1 : Math.max(0, at - 1)] ?? null;
      case 'ArrowDown':
      case 'ArrowUp':
        return this.#beside(chosen, key === 'ArrowDown' ? 1 : -1) ?? all.at(-1) ?? null;
      default:
        return undefined;
    }
  }

  /** The one nearest in time of the next sender that has any. */
  #beside(chosen: Multicast | null, step: 1 | -1): Multicast | null {
    if (chosen === null || !this.#diagram) return null;
    const { lanes, arrows } = this.#diagram;
    const from = lanes.findIndex(({ process }) => process === chosen.sender);
    for (let at = from + step; at >= 0 && at < lanes.length; at += step) {
      const own = arrows.filter(({ multicast }) => multicast.sender === lanes[at]?.process);
      const distance = (each: Arrows): number => Math.abs(beganAt(each.multicast) - beganAt(chosen));
      const [nearest] = own.sort((a, b) => distance(a) - distance(b));
      if (nearest) return nearest.multicast;
    }
    return chosen;
  }
}

/** How many lanes a picture of this group has at most: it must not jump when one begins or ends. */
function countLanes({ history, group, from, to, origin }: Picture): number {
  return layOut(history, { group, from, to, origin, length: 1, breadth: 1 }, new Map()).lanes.length;
}

function canvasFor(width: number, lanes: number): Canvas {
  const isDown = width < narrow;
  const { start, end, before, after } = isDown ? margins.down : margins.across;
  const length = isDown ? downLength : width - start - end;
  const gap = Math.max(laneGap.least, Math.min(laneGap.most, laneGap.together / Math.max(1, lanes)));
  const breadth = isDown ? width - start - end : Math.max(2, lanes) * gap;
  const height = isDown ? before + length + after : before + breadth + after;
  const place = ({ u, v }: Point) => (isDown ? { x: start + v, y: before + u } : { x: start + u, y: before + v });
  return { isDown, width, height, length, breadth, place };
}

function paint(diagram: Diagram, canvas: Canvas, chosen: Multicast | null): SVGSVGElement {
  const { width, height } = canvas;
  const classes = chosen === null ? 'diagram' : 'diagram dimmed';
  return svg(
    'svg',
    { viewBox: `0 0 ${width} ${height}`, height, class: classes, 'aria-hidden': 'true' },
    ...diagram.ticks.flatMap((tick) => paintTick(tick, canvas)),
    ...diagram.lanes.flatMap((lane) => paintLane(lane, canvas)),
    svg('defs', {}, svg('clipPath', { id: 'shown-time' }, svg('rect', shownTime(canvas)))),
    svg(
      'g',
      { 'clip-path': 'url(#shown-time)' },
      ...diagram.transfers.map(({ from, to }) => svg('path', { class: 'transfer', d: line(canvas, [from, to]) })),
      ...diagram.arrows.map((arrows) => paintMulticast(arrows, canvas, chosen)),
      ...paintBars(diagram, canvas),
      ...diagram.spots.map((spot) => paintSpot(spot, canvas)),
    ),
  );
}

/** Where there is time: what began before or ends after is cut off there, but for half a dot. */
function shownTime({ isDown, width, height, length, place }: Canvas): Attributes {
  const { x, y } = place({ u: -5, v: 0 });
  return isDown ? { x: 0, y, width, height: length + 10 } : { x, y: 0, width: length + 10, height };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function line({ place }: Canvas, points: readonly Point[]): string {
  return points
    .map((point, i) => {
      const { x, y } = place(point);
      return `${i === 0 ? 'M' : 'L'}${round(x)} ${round(y)}`;
    })
    .join('');
}

function colour(index: number): string {
  return `c${index % coloursMax}`;
}

function paintTick({ u, label }: Diagram['ticks'][number], canvas: Canvas): SVGElement[] {
  const { isDown, breadth, place } = canvas;
  const ends = [
    { u, v: 0 },
    { u, v: breadth },
  ];
  const { x, y } = place({ u, v: isDown ? 0 : breadth });
  const at = isDown ? { x: x - 6, y: y + 4, 'text-anchor': 'end' } : { x, y: y + 18, 'text-anchor': 'middle' };
  return [svg('path', { class: 'grid', d: line(canvas, ends) }), svg('text', at, label)];
}

function paintLane(lane: Lane, canvas: Canvas): SVGElement[] {
  const { isDown, place } = canvas;
  const { v, name, index, from, to, member, end } = lane;
  const { x, y } = place({ u: 0, v });
  const at = isDown ? { x, y: 16, 'text-anchor': 'middle' } : { x: x - 14, y: y + 4.5, 'text-anchor': 'end' };
  const drawn: SVGElement[] = [
    svg('text', { class: `lane-name ${colour(index)}`, ...at }, shorten(name, isDown ? 7 : 14)),
    svg('path', {
      class: 'life',
      d: line(canvas, [
        { u: from, v },
        { u: to, v },
      ]),
    }),
    ...member.map((span) =>
      svg('path', {
        class: `member ${colour(index)}`,
        d: line(canvas, [
          { u: span.from, v },
          { u: span.to, v },
        ]),
      }),
    ),
  ];
  if (end !== null) drawn.push(paintEnd(place({ u: end.u, v }), `${name} ${end.how}`));
  return drawn;
}

function paintEnd({ x, y }: { x: number; y: number }, title: string): SVGElement {
  const d = `M${round(x - 5)} ${round(y - 5)}l10 10m0 -10l-10 10`;
  return svg('path', { class: 'end', d }, svg('title', {}, title));
}

function shorten(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}

function paintMulticast({ multicast, index, from, to }: Arrows, canvas: Canvas, chosen: Multicast | null): SVGElement {
  const isChosen = chosen !== null && chosen.id === multicast.id;
  const group = svg('g', {
    class: `multicast ${colour(index)}${isChosen ? ' chosen' : ''}`,
    'data-id': multicast.id,
  });
  const others = to.filter(({ process }) => process !== multicast.sender);
  for (const kind of ['delivered', 'received'] as const) {
    const d = others
      .filter((each) => each.kind === kind)
      .map((each) => arrow(canvas, from, each))
      .join('');
    if (d !== '') group.append(svg('path', { class: `arrow ${kind}`, d }));
  }
  const hit = others.map((each) => line(canvas, [from, each])).join('');
  if (hit !== '') group.append(svg('path', { class: 'hit', d: hit }));
  const start = canvas.place(from);
  group.append(svg('circle', { class: 'dot sent', cx: round(start.x), cy: round(start.y), r: isChosen ? 5 : 3.4 }));
  for (const each of to) {
    const { x, y } = canvas.place(each);
    group.append(svg('circle', { class: `dot ${each.kind}`, cx: round(x), cy: round(y), r: 2.6 }));
  }
  group.append(svg('title', {}, multicast.id));
  return group;
}

/** A line with a head that ends short of the dot. */
function arrow(canvas: Canvas, from: Point, to: Point): string {
  const [a, b] = [canvas.place(from), canvas.place(to)];
  const size = Math.hypot(b.x - a.x, b.y - a.y) || 1;
  const [dx, dy] = [(b.x - a.x) / size, (b.y - a.y) / size];
  const tip = { x: b.x - 4 * dx, y: b.y - 4 * dy };
  const wing = (side: number) => `${round(tip.x - 6 * dx + side * 3 * dy)} ${round(tip.y - 6 * dy - side * 3 * dx)}`;
  return (
    `M${round(a.x)} ${round(a.y)}L${round(tip.x)} ${round(tip.y)}` +
    `M${wing(1)}L${round(tip.x)} ${round(tip.y)}L${wing(-1)}`
  );
}

/** Bars, and their names where there is room for them. */
function paintBars({ bars }: Diagram, canvas: Canvas): SVGElement[] {
  const { isDown, place, length } = canvas;
  let taken = -Infinity;
  return bars.flatMap(({ view, points }) => {
    const [first] = points;
    const last = points.at(-1);
    if (!first || !last) return [];
    const ends = [{ ...first, v: first.v - 12 }, ...points, { ...last, v: last.v + 12 }];
    const isSeen = points.some((point) => point.isSeen);
    const title = svg('title', {}, `view ${view.id}: ${view.cause}`);
    const drawn: SVGElement[] = [svg('path', { class: isSeen ? 'bar' : 'bar guessed', d: line(canvas, ends) }, title)];
    const name = `view ${view.id}${view.cause === '' ? '' : `  ${view.cause}`}`;
    const short = shorten(name, isDown ? 24 : 34);
    if (first.u < taken) return drawn;
    taken = first.u + (isDown ? 18 : short.length * 6.6 + 12);
    const { x, y } = place({ u: first.u, v: isDown ? canvas.breadth : first.v });
    const isLate = !isDown && first.u > length - short.length * 6;
    const at = isDown
      ? { x: x - 2, y: y - 6, 'text-anchor': 'end' }
      : { x: isLate ? x + 4 : x - 4, y: 14, 'text-anchor': isLate ? 'end' : 'start' };
    drawn.push(svg('text', { class: 'bar-name', ...at }, short));
    return drawn;
  });
}

function paintSpot({ at, kind, text, number }: Diagram['spots'][number], canvas: Canvas): SVGElement {
  const { x, y } = canvas.place(at);
  const size = kind === 'violation' ? 8 : 4.5;
  const d = `M${round(x)} ${round(y - size - 6)}l${size} ${1.7 * size}h${-2 * size}z`;
  return svg('path', { class: `spot ${kind}`, d, 'data-violation': number }, svg('title', {}, text));
}
