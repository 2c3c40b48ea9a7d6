/**
 * The rounds: at each point all contenders in turn, again and again, so that what disturbs the machine disturbs all.
 *
 * A baseline's window is chosen once per point, from a sweep; in the rounds the best window that loses nothing is
 * taken: when a trial loses a message after all, the next best.
 */
import { assemble, MeasurementFailed } from './crew.js';
import { layoutOf } from './datagrams.js';
import type { Contender, Effort, Plan, Point } from './plan.js';
import { describePoint, nameOf } from './plan.js';
import type { Outcome, TrialTimes } from './trial.js';
import type { Track } from './track.js';
import { NotARate, runTrial } from './trial.js';

/** What came of one contender at one point. */
export interface Result {
  readonly point: Point;
  readonly contender: Contender;
  /** By round; null where the measurement failed. */
  readonly outcomes: readonly (Outcome | null)[];
  readonly failures: readonly string[];
  /** Sockets and buffers, as the first process tells them. */
  readonly description: string;
}

interface Course {
  readonly point: Point;
  readonly contender: Contender;
  readonly outcomes: (Outcome | null)[];
  readonly failures: string[];
  description: string;
  /** Windows that lost nothing in the sweep, best first; undefined before the sweep. */
  windows: number[] | undefined;
}

/** More than this under way does not fit into the largest socket buffer. */
const underWayBytesMax = 8 * 1024 * 1024;

/** Of so many parts a plan is. */
export function partsOf({ measurements, effort }: Pick<Plan, 'measurements' | 'effort'>): number {
  return measurements.length * effort.rounds;
}

/** Runs the plan. */
export async function runRounds(plan: Plan, { tell, done }: Track): Promise<Result[]> {
  const courses: Course[] = plan.measurements.map(({ point, contender }) => ({
    point,
    contender,
    outcomes: [],
    failures: [],
    description: '',
    windows: hasFlowControl(contender) ? [0] : undefined,
  }));
  for (let round = 1; round <= plan.effort.rounds; round++) {
    for (const course of courses) {
      const outcome = await attempt(plan, course);
      course.outcomes.push(outcome);
      tell(`round ${round} of ${plan.effort.rounds}: ${lineOf(course, outcome)}`);
      done();
    }
  }
  return courses;
}

/** Whether a contender sees to it itself that not too much is under way. */
function hasFlowControl(contender: Contender): boolean {
  return contender.kind === 'groups' || (contender.kind === 'peer' && contender.peer === 'corosync');
}

function lineOf({ point, contender, failures }: Course, outcome: Outcome | null): string {
  const what = `${describePoint(point)}, ${nameOf(contender)}`;
  if (!outcome) return `${what}: ${failures.at(-1) ?? 'failed'}`;
  const window = outcome.window > 0 ? `, window ${outcome.window}` : '';
  return `${what}: ${Math.round(outcome.rate)} a second${window}`;
}

async function attempt(plan: Plan, course: Course): Promise<Outcome | null> {
  try {
    return await measure(plan, course);
  } catch (error) {
    if (!(error instanceof MeasurementFailed)) throw error;
    course.failures.push(error.message);
    return null;
  }
}

async function measure({ effort, profiles }: Plan, course: Course): Promise<Outcome> {
  const { point, contender } = course;
  const crew = await assemble(contender, point, profiles);
  try {
    course.description = crew.description;
    const run = (times: TrialTimes, window: number) => runTrial(crew, point, times, window);
    course.windows ??= await sweep(effort, windowsFor(effort, course), run);
    const failures: string[] = [];
    for (const window of course.windows) {
      try {
        return await run(effort, window);
      } catch (error) {
        if (!(error instanceof NotARate)) throw error;
        failures.push(error.message);
        if (hasFlowControl(contender)) break;
      }
    }
    throw new MeasurementFailed(failures.at(-1) ?? 'every window lost messages');
  } finally {
    await crew.dismiss();
  }
}

function windowsFor({ windows }: Effort, { contender, point }: Course): number[] {
  const { bytes } = layoutOf(contender.kind, point.bytes);
  return windows.filter((window, index) => index === 0 || window * bytes <= underWayBytesMax);
}

/** Tries each window shortly, up and down again; those that never lost anything, by the best they did. */
async function sweep(
  effort: Effort,
  windows: readonly number[],
  run: (times: TrialTimes, window: number) => Promise<Outcome>,
): Promise<number[]> {
  const best = new Map<number, number>();
  const times = { warmUpMillis: effort.sweepMillis / 4, measuredMillis: effort.sweepMillis, multicasts: null };
  for (let pass = 0; pass < effort.sweepPasses; pass++) {
    for (const window of pass % 2 === 0 ? windows : windows.toReversed()) {
      if (best.get(window) === 0) continue;
      let rate = 0;
      try {
        ({ rate } = await run(times, window));
      } catch (error) {
        if (!(error instanceof NotARate)) throw error;
      }
      best.set(window, rate === 0 ? 0 : Math.max(rate, best.get(window) ?? 0));
    }
  }
  return [...best.keys()]
    .filter((window) => best.get(window) !== 0)
    .sort((a, b) => (best.get(b) as number) - (best.get(a) as number));
}
