/** Plays a scenario so many times, and says what came of it. */
import { loadavg } from 'node:os';
import type { Stage } from '../trials/stage.js';
import { openGround, type Span } from './ground.js';
import { openNetwork } from './hosts.js';
import type { Scenario } from './scenario.js';

/** No process may have more, in bytes: some 80 MB are Node.js itself with this library loaded. */
const memoryMax = 150e6;
/** Nor may one that lives for long have so much more at its end. */
const growthMax = 15e6;

/** A row of the table. */
export interface Row {
  readonly scenario: Scenario;
  readonly times: number;
  readonly silence: Summary;
  /** Null if nobody was to be missed at once. */
  readonly view: Summary | null;
  readonly violations: readonly string[];
  /** The most of one process, and by how much one has grown, in bytes. */
  readonly memory: number;
  readonly growth: number;
  readonly deliveries: number;
  /** The machine's load average over the minute before. */
  readonly load: number;
}

/** Of some times, in milliseconds. */
export interface Summary {
  readonly median: number;
  readonly most: number;
}

/** For how long it is played. */
export interface Length {
  /** At length, or for a look. */
  readonly isLong: boolean;
  /** It begins no more after so many milliseconds, */
  readonly millis: number;
  /** or if it was done so many times. */
  readonly timesMax: number;
}

/** As short as may be. */
export const short: Length = { isLong: false, millis: 0, timesMax: Infinity };

/** Plays it on members and hosts of its own. */
export async function play(stage: Stage, scenario: Scenario, { isLong, millis, timesMax }: Length): Promise<Row> {
  const from = performance.now();
  const names = 'abcdefgh'.slice(0, scenario.members).split('');
  const network = scenario.onHosts ? openNetwork(stage, [...names, ...(scenario.moreHosts ?? [])]) : null;
  const ground = await openGround(stage, names, { ...scenario, ...(network ? { hosts: network.hosts } : {}) });
  let times = 0;
  const isEnough = () => times >= timesMax || (times >= scenario.timesMin && performance.now() - from >= millis);
  while (!isEnough()) {
    await scenario.play({ ground, names, network, isLong }, times++);
    ground.reload();
  }
  const { silences, views, violations, memory, growth, deliveries, foundings } = await ground.conclude();
  const foundingsMax = scenario.foundingsMax?.(times) ?? 1;
  const wrong = [
    ...violations,
    ...tooLong('silent', silences, scenario.silenceMax),
    ...(scenario.viewMax === undefined ? [] : tooLong('without a view', views, scenario.viewMax)),
    ...(memory <= memoryMax ? [] : [`a process has ${inMB(memory)}, more than ${inMB(memoryMax)}`]),
    ...(growth <= growthMax ? [] : [`a process has grown by ${inMB(growth)}, more than ${inMB(growthMax)}`]),
    ...(foundings <= foundingsMax ? [] : [`${foundings} domains were founded, more than ${foundingsMax}`]),
  ];
  return {
    scenario,
    times,
    silence: summaryOf(silences) ?? { median: NaN, most: NaN },
    view: summaryOf(views),
    violations: wrong,
    memory,
    growth,
    deliveries,
    load: loadavg()[0] ?? NaN,
  };
}

/** What took longer than it may, not counting for how long the machine kept a member waiting. */
function tooLong(what: string, spans: readonly Span[], max: number): string[] {
  if (spans.length === 0) return [`never measured how long they were ${what}`];
  return spans
    .filter(({ millis, stall }) => !(millis <= max + stall))
    .map(
      ({ millis, stall }) =>
        `${what} for ${millis.toFixed(0)} ms, more than ${max} (a member waited for a processor for ${stall.toFixed(0)} ms of it)`,
    );
}

function summaryOf(spans: readonly Span[]): Summary | null {
  const sorted = spans.map(({ millis }) => millis).sort((a, b) => a - b);
  const [median, most] = [sorted[sorted.length >> 1], sorted.at(-1)];
  return median === undefined || most === undefined ? null : { median, most };
}

/** Bytes in words. */
export function inMB(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}

/** A median and a longest in words. */
export function inWords(summary: Summary | null): string {
  return summary === null ? '' : `${summary.median.toFixed(0)} / ${summary.most.toFixed(0)}`;
}
