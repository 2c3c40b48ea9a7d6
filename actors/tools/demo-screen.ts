/**
 * What the demo shows as it goes: lines and a progress bar for people, or one JSON object a line.
 */
import { SingleBar } from 'cli-progress';

/** Where the demo shows what happens. */
export interface Screen {
  /** Something happened. `text` for people, `event` for programs. */
  say(text: string, event: Readonly<Record<string, unknown>>): void;
  /** How far it is. Rates are per second. */
  progress(stable: number, applied: number, stableRate: number, appliedRate: number): void;
  close(): void;
}

/** How often progress is shown where there is no terminal to draw a bar on, in milliseconds. */
const plainMillis = 1000;

/** For people on a terminal or a log, or for programs. */
export function openScreen(total: number, json: boolean): Screen {
  if (json) return jsonScreen(total);
  return process.stdout.isTTY ? barScreen(total) : plainScreen(total);
}

function jsonScreen(total: number): Screen {
  const print = (event: object) => process.stdout.write(`${JSON.stringify(event)}\n`);
  return {
    say: (_text, event) => void print(event),
    progress: throttled((stable, applied, stableRate, appliedRate) => {
      print({ event: 'progress', total, stable, applied, stableRate, appliedRate });
    }),
    close: () => undefined,
  };
}

function plainScreen(total: number): Screen {
  return {
    say: (text) => void process.stdout.write(`${text}\n`),
    progress: throttled((stable, _applied, stableRate, appliedRate) => {
      const percent = String(Math.floor((100 * stable) / total)).padStart(3);
      process.stdout.write(`${percent} %  ${rates(stable, stableRate, appliedRate)}\n`);
    }),
    close: () => undefined,
  };
}

function barScreen(total: number): Screen {
  const bar = new SingleBar({ format: '{bar} {percentage} %  {rates}', hideCursor: true, barsize: 30 });
  bar.start(total, 0, { rates: '' });
  return {
    say: (text) => {
      process.stdout.write(`\r\u001b[K${text}\n`);
      bar.render();
    },
    progress: (stable, _applied, stableRate, appliedRate) =>
      bar.update(stable, { rates: rates(stable, stableRate, appliedRate) }),
    close: () => bar.stop(),
  };
}

function rates(stable: number, stableRate: number, appliedRate: number): string {
  return `${number(stable)} acknowledged, ${number(stableRate)}/s; each replica applies ${number(appliedRate)}/s`;
}

/** A whole number with separators. */
export function number(value: number): string {
  return Math.round(value).toLocaleString('en');
}

function throttled(show: Screen['progress']): Screen['progress'] {
  let last = performance.now();
  return (...figures) => {
    const now = performance.now();
    if (now - last < plainMillis) return;
    last = now;
    show(...figures);
  };
}
