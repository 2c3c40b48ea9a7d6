/** Rates and latencies of the last two minutes, as curves. */
import type uPlotClass from 'uplot';
import type { Rates } from '../format.js';
import { byId, setText } from './dom.js';

/** Points that are kept: one a second. */
const pointsMax = 120;
const height = 150;

interface Curve {
  readonly label: string;
  readonly colour: string;
  readonly value: (rates: Rates) => number | null;
}

const rateCurves: readonly Curve[] = [
  { label: 'multicasts/s', colour: '--c0', value: ({ multicasts }) => multicasts },
  { label: 'deliveries/s here', colour: '--c2', value: ({ deliveries }) => deliveries },
];

const latencyCurves: readonly Curve[] = [
  { label: 'delivered p50', colour: '--c0', value: ({ delivery }) => delivery?.p50 ?? null },
  { label: 'delivered p99', colour: '--c1', value: ({ delivery }) => delivery?.p99 ?? null },
  { label: 'stable p50', colour: '--c2', value: ({ stability }) => stability?.p50 ?? null },
];

/** Both plots. */
export class Plots {
  readonly #points: Rates[] = [];
  #drawn: { readonly plot: uPlotClass; readonly curves: readonly Curve[]; readonly element: HTMLElement }[] = [];

  constructor() {
    this.#draw();
    // their colours are those of the page
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#draw());
    new ResizeObserver(() => this.#fit()).observe(byId('rates'));
  }

  /** Adds a point. */
  add(rates: Rates): void {
    this.#points.push(rates);
    if (this.#points.length > pointsMax) this.#points.shift();
    for (const { plot, curves } of this.#drawn) {
      plot.setData(this.#data(curves));
      // what is said beside the names is the last, but while the pointer is at another
      if (plot.cursor.left === undefined || plot.cursor.left < 0) plot.setLegend({ idx: this.#points.length - 1 });
    }
    const number = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
    setText(
      byId('rates-note'),
      `${number.format(rates.multicasts)} multicasts and ${number.format(rates.deliveries)} deliveries here a second, ` +
        `${number.format(rates.bytes / 1000)} kB/s, ${number.format(rates.packets)} packets/s, ` +
        `${number.format(rates.unstableBytes / 1000)} kB unstable, event loop ${number.format(rates.lag)} ms late`,
    );
    setText(
      byId('latencies-note'),
      'From when a multicast is heard here until it is delivered here, and until all are known to have it; of those shown one by one.',
    );
  }

  /** Begins anew: another node is looked at. */
  clear(): void {
    this.#points.length = 0;
    for (const { plot, curves } of this.#drawn) plot.setData(this.#data(curves));
  }

  #data(curves: readonly Curve[]): uPlotClass.AlignedData {
    const times = this.#points.map(({ at }) => at / 1000);
    return [times, ...curves.map(({ value }) => this.#points.map(value))] as uPlotClass.AlignedData;
  }

  #draw(): void {
    for (const { plot } of this.#drawn) plot.destroy();
    this.#drawn = [this.#plot(byId('rates'), rateCurves, whole), this.#plot(byId('latencies'), latencyCurves, millis)];
  }

  #plot(element: HTMLElement, curves: readonly Curve[], spell: (value: number) => string) {
    const { uPlot } = globalThis as unknown as { readonly uPlot: typeof uPlotClass };
    const style = getComputedStyle(document.documentElement);
    const [soft, line] = [style.getPropertyValue('--soft').trim(), style.getPropertyValue('--line').trim()];
    const font = '11px system-ui, sans-serif';
    const axis = { stroke: soft, grid: { stroke: line, width: 1 }, ticks: { show: false }, font };
    const plot = new uPlot(
      {
        width: Math.max(240, element.clientWidth),
        height,
        cursor: { y: false },
        scales: { y: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] } },
        axes: [
          {
            ...axis,
            values: (_, times) => times.map((time) => new Date(time * 1000).toLocaleTimeString('en-GB')),
            space: 80,
          },
          { ...axis, size: 62, values: (_, values) => values.map(spell) },
        ],
        series: [
          {
            label: 'time',
            value: (_, time) => (time === null ? '' : new Date(time * 1000).toLocaleTimeString('en-GB')),
          },
          ...curves.map(({ label, colour }) => ({
            label,
            stroke: style.getPropertyValue(colour).trim(),
            width: 1.6,
            spanGaps: false,
            points: { show: false },
            value: (_: uPlotClass, value: number | null) => (value === null ? '–' : spell(value)),
          })),
        ],
      },
      this.#data(curves),
      element,
    );
    return { plot, curves, element };
  }

  #fit(): void {
    for (const { plot, element } of this.#drawn) plot.setSize({ width: Math.max(240, element.clientWidth), height });
  }
}

function whole(value: number): string {
  return value >= 10_000 ? `${Math.round(value / 1000)} k` : String(Math.round(value * 10) / 10);
}

function millis(value: number): string {
  return `${value >= 10 ? Math.round(value) : Math.round(value * 100) / 100} ms`;
}
