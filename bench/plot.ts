/**
 * A plot of rates as times the raw baseline over the size of a message, both axes logarithmic: an SVG that needs nothing
 * else and is read on light and on dark ground.
 */
import type { Summary } from './statistics.js';

/** One contender's line; the points in the order of their sizes. */
export interface Series {
  readonly name: string;
  readonly points: readonly { readonly bytes: number; readonly ratio: Summary }[];
}

/** In the order of the series; on dark ground the second of each pair. Beyond these they begin again, with dashes. */
const colours = [
  ['#1d5fbf', '#6aa9ff'],
  ['#c2410c', '#ff9557'],
  ['#14804a', '#4fd08a'],
  ['#8b3fb0', '#cf8ff0'],
  ['#a16a00', '#f0c04a'],
  ['#b0226a', '#ff7fb8'],
] as const;
const dashes = ['', '7 4', '2 3'] as const;

const width = 860;
const plot = { left: 70, right: 600, top: 56, bottom: 420 };
const heightMin = 490;
const lineHeight = 20;
/** Sizes that are closer are named in two rows. */
const sizeNameWidth = 46;
const markRadius = 4;
/** Of a title line and of a legend; a longer name is cut. */
const lettersMax = 120;
const nameLettersMax = 30;

interface Axis {
  readonly at: (value: number) => number;
  readonly ticks: readonly number[];
}

/** The plot; `title` are the lines above it, of which there is room for two. */
export function plotOf(series: readonly Series[], title: readonly string[]): string {
  const points = series.flatMap((each) => each.points);
  const x = axis(sizeTicks(points.map(({ bytes }) => bytes)), plot.left, plot.right);
  const y = axis(ratioTicks(points.flatMap(({ ratio }) => [ratio.least, ratio.most])), plot.bottom, plot.top);
  const height = Math.max(heightMin, plot.top + lineHeight * (series.length + 1));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="Times raw multicast over bytes of a message">`,
    style(),
    ...title.slice(0, 2).map((line, i) => text(plot.left, 20 + 16 * i, 'small', 'start', line.slice(0, lettersMax))),
    ...grid(x, y),
    text((plot.left + plot.right) / 2, plot.bottom + 58, '', 'middle', 'bytes of a message'),
    `<text transform="translate(18 ${(plot.top + plot.bottom) / 2}) rotate(-90)" text-anchor="middle">times raw multicast</text>`,
    ...series.map((each, i) => lineOf(each, i, x, y)),
    ...series.map((each, i) => legendOf(each, i)),
    '</svg>',
    '',
  ].join('\n');
}

function axis(ticks: readonly number[], from: number, to: number): Axis {
  const [least, most] = [ticks[0] ?? 1, ticks.at(-1) ?? 1];
  const span = Math.log(most / least) || 1;
  return { ticks, at: (value) => from + ((to - from) * Math.log(value / least)) / span };
}

/** The sizes that were measured, with room at both ends. */
function sizeTicks(sizes: readonly number[]): number[] {
  const sorted = [...new Set(sizes)].sort((a, b) => a - b);
  return [(sorted[0] ?? 1) / 1.4, ...sorted, (sorted.at(-1) ?? 1) * 1.4];
}

/** 1, 2 and 5 of every power of ten, around all values and 1. */
function ratioTicks(values: readonly number[]): number[] {
  const least = Math.min(1, ...values);
  const most = Math.max(1, ...values);
  const steps: number[] = [];
  for (let power = Math.floor(Math.log10(least)); power <= Math.ceil(Math.log10(most)); power++) {
    for (const step of [1, 2, 5]) steps.push(Number(`${step}e${power}`));
  }
  const from = steps.findLastIndex((step) => step <= least);
  const to = steps.findIndex((step) => step >= most && step > least);
  return steps.slice(from, to + 1);
}

function grid(x: Axis, y: Axis): string[] {
  const { left, right, top, bottom } = plot;
  let [last, isBelow] = [-Infinity, false];
  const columns = x.ticks.slice(1, -1).flatMap((bytes) => {
    const at = x.at(bytes);
    isBelow = at - last < sizeNameWidth && !isBelow;
    last = at;
    return [
      `<path class="grid" d="M${px(at)} ${top}V${bottom}"/>`,
      text(at, bottom + (isBelow ? 36 : 18), '', 'middle', sizeName(bytes)),
    ];
  });
  const rows = y.ticks.flatMap((ratio) => [
    `<path class="${ratio === 1 ? 'raw' : 'grid'}" d="M${left} ${px(y.at(ratio))}H${right}"/>`,
    text(left - 8, y.at(ratio) + 4, '', 'end', String(ratio)),
  ]);
  return [...columns, ...rows, text(right - 4, y.at(1) - 5, 'small', 'end', 'raw, one datagram per message')];
}

/** A line, at each point a mark with its range. */
function lineOf({ name, points }: Series, index: number, x: Axis, y: Axis): string {
  const path = points.map(({ bytes, ratio }) => `${px(x.at(bytes))} ${px(y.at(ratio.median))}`).join('L');
  const marks = points.map(({ bytes, ratio: { median, least, most } }) => {
    const at = px(x.at(bytes));
    const title = `${name}, ${sizeName(bytes)}: ${median.toFixed(2)} (${least.toFixed(2)} to ${most.toFixed(2)})`;
    return (
      `<path d="M${at} ${px(y.at(least))}V${px(y.at(most))}"/>` +
      `<circle cx="${at}" cy="${px(y.at(median))}" r="${markRadius}"><title>${escaped(title)}</title></circle>`
    );
  });
  return `<g class="${classOf(index)}"><path${dashOf(index)} d="M${path}"/>${marks.join('')}</g>`;
}

function legendOf({ name }: Series, index: number): string {
  const [left, at] = [plot.right + 24, plot.top + 10 + lineHeight * index];
  const shown = name.length > nameLettersMax ? `${name.slice(0, nameLettersMax - 1)}…` : name;
  return (
    `<g class="${classOf(index)}"><path${dashOf(index)} d="M${left} ${at}h26"/>` +
    `<circle cx="${left + 13}" cy="${at}" r="${markRadius}"/></g>${text(left + 34, at + 4, '', 'start', shown)}`
  );
}

function classOf(index: number): string {
  return `s${index % colours.length}`;
}

function dashOf(index: number): string {
  const dash = dashes[Math.floor(index / colours.length) % dashes.length] as string;
  return dash === '' ? '' : ` stroke-dasharray="${dash}"`;
}

function style(): string {
  const rules = (ground: 0 | 1) =>
    colours.map((pair, i) => `.s${i}{stroke:${pair[ground]};fill:none}.s${i} circle{fill:${pair[ground]}}`).join('');
  return (
    '<style>svg{background:#fff;font:13px system-ui,sans-serif}text{fill:#222}.small{font-size:11px}' +
    `g path{stroke-width:2}.grid{stroke:#ddd}.raw{stroke:#666;stroke-width:1.5}${rules(0)}` +
    '@media(prefers-color-scheme:dark){svg{background:#16181c}text{fill:#e4e4e4}.grid{stroke:#33373d}.raw{stroke:#aaa}' +
    `${rules(1)}}</style>`
  );
}

function text(x: number, y: number, style: string, anchor: 'start' | 'middle' | 'end', content: string): string {
  const name = style === '' ? '' : ` class="${style}"`;
  return `<text${name} x="${px(x)}" y="${px(y)}" text-anchor="${anchor}">${escaped(content)}</text>`;
}

function px(value: number): string {
  return value.toFixed(1);
}

function sizeName(bytes: number): string {
  if (bytes % 1024 ** 2 === 0) return `${bytes / 1024 ** 2} MB`;
  return bytes % 1024 === 0 ? `${bytes / 1024} KB` : `${bytes} B`;
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
