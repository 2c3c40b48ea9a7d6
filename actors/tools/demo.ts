/**
 * `nact-groups demo`: real flights into a departure board that several processes replicate over UDP multicast.
 *
 * Events enter at all processes at once. A third through, the coordinator is killed with SIGKILL; two thirds through, one
 * more process joins and gets the state. What the dead process had sent without a receipt is looked up at a survivor,
 * and what is not on the board is entered again: after the view change nothing more can come from the dead. In the end
 * every event must be on every board exactly once, in one order, and the sums must be those that this process computes
 * from the input, without the library.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { airportOf, defaultInput, delayOf, readInput, type DemoInput } from './demo-input.js';
import type { Notice, Order, Range, Row } from './demo-protocol.js';
import { number, openScreen, type Screen } from './demo-screen.js';

/** Options of the command. */
export interface DemoCommand {
  readonly nodes: number;
  readonly input?: string;
  readonly events?: number;
  readonly json?: boolean;
}

const eventsDefault = 200_000;
/** Events given to a process at a time. */
const rangeLength = 500;
/** Ranges that a process has at a time: enough to never wait for the next. */
const rangesMax = 4;
/** The share of the stream that is kept until the late joiner is in: it sends too. */
const keptShare = 1 / 8;
/** The whole demo takes at most so long, in milliseconds. */
const deadlineMillis = 85_000;

interface Child {
  readonly name: string;
  readonly process: ChildProcess;
  ready: boolean;
  alive: boolean;
  /** Ids sent and not acknowledged. */
  readonly open: Set<number>;
  view: readonly string[];
  viewId: number;
  applied: number;
  report: Extract<Notice, { kind: 'report' }> | undefined;
}

/** Events of a process that went without receipts: they are on all boards or on none. */
interface Doubt {
  readonly child: Child;
  readonly ids: readonly number[];
  /** The last view that it was in. */
  readonly view: number;
}

interface Demo {
  readonly domain: string;
  readonly input: DemoInput;
  readonly total: number;
  readonly screen: Screen;
  readonly children: Child[];
  /** What is still to be given out. */
  readonly work: Range[];
  /** Ranges of it that wait for the late joiner. */
  kept: number;
  over: boolean;
  readonly stable: Uint8Array;
  stableCount: number;
  readonly seenViews: Set<string>;
  readonly from: number;
  victim: Child | undefined;
  killedAt: number;
  /** Events without a receipt of who is out of the group, to be looked up at a survivor. */
  doubtful: Doubt[];
  /** What survivors were asked, by the number of the question: they do not answer in order. */
  readonly asked: Map<number, Doubt>;
  questions: number;
  settled: boolean;
  joined: boolean;
  readonly done: (error?: Error) => void;
}

/** Runs the demo; whether all went as it must. */
export async function runDemo(options: DemoCommand): Promise<boolean> {
  const input = readInput(options.input ?? defaultInput());
  const total = options.events ?? (options.input === undefined ? eventsDefault : input.records.length);
  if (total < 3) throw new Error(`${input.file}: the demo needs at least 3 events (or --events N to repeat them)`);
  const screen = openScreen(total, options.json ?? false);
  let done!: (error?: Error) => void;
  const over = new Promise<void>((resolve, reject) => {
    done = (error) => (error ? reject(error) : resolve());
  });
  const demo: Demo = {
    domain: `demo-${process.pid}-${Date.now().toString(36)}`,
    input,
    total,
    screen,
    children: [],
    work: rangesOf(total),
    kept: Math.ceil((total * keptShare) / rangeLength),
    over: false,
    stable: new Uint8Array(total),
    stableCount: 0,
    seenViews: new Set(),
    from: performance.now(),
    victim: undefined,
    killedAt: 0,
    doubtful: [],
    asked: new Map(),
    questions: 0,
    settled: false,
    joined: false,
    done,
  };
  const names = Array.from({ length: options.nodes }, (_, i) => String.fromCharCode(97 + i));
  const timer = setTimeout(
    () => done(new Error(`not finished after ${deadlineMillis / 1000} s: ${stateOf(demo)}`)),
    deadlineMillis,
  );
  const meter = startMeter(demo);
  try {
    const source = `${number(total)} events from ${input.file}`;
    screen.say(`${source}; ${names.length} processes over UDP multicast`, {
      event: 'start',
      total,
      file: input.file,
      names,
    });
    for (const name of names) addChild(demo, name);
    await over;
    demo.over = true;
    return verdict(demo);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    screen.say(`FAILED: ${message}`, { event: 'failed', message });
    return false;
  } finally {
    clearTimeout(timer);
    clearInterval(meter);
    screen.close();
    for (const child of demo.children) if (child.alive) send(child, { kind: 'leave' });
    await Promise.all(demo.children.map(ended));
  }
}

function rangesOf(total: number): Range[] {
  const ranges: Range[] = [];
  for (let from = 0; from < total; from += rangeLength) ranges.push([from, Math.min(total, from + rangeLength)]);
  return ranges;
}

function stateOf(demo: Demo): string {
  const applied = demo.children.map(
    ({ name, alive, applied: count }) => `${name}${alive ? '' : ' (dead)'} ${number(count)}`,
  );
  return `${number(demo.stableCount)} of ${number(demo.total)} acknowledged; applied: ${applied.join(', ')}`;
}

function addChild(demo: Demo, name: string): void {
  const file = fileURLToPath(new URL('./demo-node.js', import.meta.url));
  const args = [demo.domain, name, demo.input.file, String(demo.total)];
  const child: Child = {
    name,
    process: fork(file, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }),
    ready: false,
    alive: true,
    open: new Set(),
    view: [],
    viewId: 0,
    applied: 0,
    report: undefined,
  };
  demo.children.push(child);
  child.process.on('message', (notice: Notice) => take(demo, child, notice));
  child.process.on('exit', (code, signal) => {
    child.alive = false;
    if (child === demo.victim || child.report) return;
    demo.done(new Error(`process ${name} ended by itself (${signal ?? `status ${code ?? 'unknown'}`})`));
  });
}

/** Resolves when a process is gone; one that does not leave is killed. */
async function ended(child: Child): Promise<void> {
  if (child.process.exitCode !== null || child.process.signalCode !== null) return;
  const timer = setTimeout(() => child.process.kill('SIGKILL'), 5000);
  await new Promise((resolve) => child.process.once('exit', resolve));
  clearTimeout(timer);
}

function send(child: Child, order: Order): void {
  if (child.process.connected) child.process.send(order);
}

function take(demo: Demo, child: Child, notice: Notice): void {
  switch (notice.kind) {
    case 'ready':
      child.ready = true;
      break;
    case 'view':
      takeView(demo, child, notice);
      break;
    case 'receipts':
      for (const id of notice.stable) {
        child.open.delete(id);
        if (demo.stable[id]) continue;
        demo.stable[id] = 1;
        demo.stableCount += 1;
      }
      // excluded by mistake (a machine under load): it comes back by itself, its events are looked up as a dead one's
      if (notice.failed.length > 0) demo.doubtful.push({ child, ids: notice.failed, view: child.viewId });
      break;
    case 'progress':
      child.applied = notice.applied;
      break;
    case 'transferred':
      demo.screen.say(
        `  ${child.name} has the state: ${number(notice.applied)} events, ${number(notice.bytes)} bytes, ${Math.round(notice.ms)} ms after its start`,
        { event: 'transferred', name: child.name, bytes: notice.bytes, applied: notice.applied, ms: notice.ms },
      );
      break;
    case 'missing':
      enterAgain(demo, notice.question, notice.ids);
      break;
    case 'report':
      child.report = notice;
      if (living(demo).every(({ report }) => report)) demo.done();
      return;
    case 'error':
      demo.done(new Error(`${child.name}: ${notice.message}`));
      return;
  }
  advance(demo);
}

function living(demo: Demo): Child[] {
  return demo.children.filter(({ alive }) => alive);
}

function takeView(demo: Demo, child: Child, view: Extract<Notice, { kind: 'view' }>): void {
  child.view = view.members;
  child.viewId = Number(view.id);
  if (demo.over || demo.seenViews.has(view.id)) return;
  demo.seenViews.add(view.id);
  const ms = Math.round(performance.now() - demo.from);
  const since = demo.victim && !view.members.includes(demo.victim.name) && !demo.settled;
  const after = since ? `, ${Math.round(performance.now() - demo.killedAt)} ms after the kill` : '';
  demo.screen.say(
    `view ${view.id}: ${view.members.join(' ')}  (${view.cause})  at ${number(view.applied)} events, ${(ms / 1000).toFixed(1)} s${after}`,
    { event: 'view', id: view.id, members: view.members, cause: view.cause, applied: view.applied, ms },
  );
}

/** Whatever is due: work for everybody, the kill, the late joiner, the reports. */
function advance(demo: Demo): void {
  const { children, total, victim } = demo;
  const founders = demo.joined ? children.slice(0, -1) : children;
  const together = founders.every(({ ready, view, alive }) => !alive || (ready && view.length >= founders.length));
  if (!victim && !together) return;
  const isIn = ({ alive, ready, view }: Child) => alive && ready && view.length > 0;
  if (demo.joined && children.slice(-1).every(isIn)) demo.kept = 0;
  for (const child of children) if (isIn(child)) feed(demo, child);
  if (!victim && demo.stableCount >= total / 3) killCoordinator(demo);
  demo.doubtful = demo.doubtful.filter((doubt) => !askSurvivor(demo, doubt));
  if (demo.settled && !demo.joined && demo.stableCount >= (2 * total) / 3) {
    demo.joined = true;
    const name = String.fromCharCode(97 + children.length);
    demo.screen.say(`two thirds through: ${name} joins`, { event: 'join', name });
    addChild(demo, name);
  }
  if (demo.stableCount === total && demo.joined) {
    for (const child of living(demo)) if (child.ready && child.view.length > 0) askReport(child);
  }
}

const reporting = new WeakSet<Child>();

function askReport(child: Child): void {
  if (reporting.has(child)) return;
  reporting.add(child);
  send(child, { kind: 'report' });
}

/** Keeps a process supplied; the more is acknowledged, the more it gets. */
function feed(demo: Demo, child: Child): void {
  const { work } = demo;
  while (work.length > demo.kept && child.open.size <= rangeLength * (rangesMax - 1)) {
    const range = work.shift() as Range;
    for (let id = range[0]; id < range[1]; id++) child.open.add(id);
    send(child, { kind: 'send', range });
  }
}

function killCoordinator(demo: Demo): void {
  const oldest = demo.children.find(({ alive }) => alive)?.view[0];
  const victim = demo.children.find(({ name }) => name === oldest);
  if (!victim) return;
  demo.victim = victim;
  victim.alive = false;
  victim.process.kill('SIGKILL');
  demo.killedAt = performance.now();
  demo.doubtful.push({ child: victim, ids: [], view: victim.viewId });
  demo.screen.say(`a third through: the coordinator ${victim.name} is killed with SIGKILL`, {
    event: 'kill',
    name: victim.name,
    unacknowledged: victim.open.size,
  });
}

/** Asks a survivor that has the view after: it knows all that will ever come from it. False if there is none yet. */
function askSurvivor(demo: Demo, doubt: Doubt): boolean {
  const { child, view } = doubt;
  // receipts that the dead had already told may still be in the channel
  if (child === demo.victim && child.process.exitCode === null && child.process.signalCode === null) return false;
  const survivor = living(demo).find((each) => each !== child && each.viewId > view && each.view.length > 0);
  if (!survivor) return false;
  const asked = child === demo.victim ? { ...doubt, ids: [...child.open] } : doubt;
  demo.questions += 1;
  demo.asked.set(demo.questions, asked);
  send(survivor, { kind: 'missing', question: demo.questions, ids: asked.ids });
  return true;
}

/** Sends what had not got through, at the living. */
function enterAgain(demo: Demo, question: number, missing: readonly number[]): void {
  const { child, ids } = demo.asked.get(question) as Doubt;
  demo.asked.delete(question);
  const made = ids.length - missing.length;
  if (child === demo.victim) demo.settled = true;
  demo.screen.say(
    `  ${child.name} had ${number(ids.length)} events without a receipt: ${number(made)} are on the board, ` +
      `${number(missing.length)} are not and are entered again`,
    { event: 'unacknowledged', name: child.name, count: ids.length, onBoard: made, ids },
  );
  // on the board at one survivor after the view change: on the board at all
  const again = new Set(missing);
  for (const id of ids) {
    child.open.delete(id);
    if (again.has(id) || demo.stable[id]) continue;
    demo.stable[id] = 1;
    demo.stableCount += 1;
  }
  for (const id of missing) demo.work.unshift([id, id + 1]);
}

/** Compares the boards with each other and with what this process makes of the input. */
function verdict(demo: Demo): boolean {
  const { screen, input, total } = demo;
  const expected = createHash('sha256')
    .update(tableOf(expectedRows(input, total)))
    .digest('hex');
  const problems: string[] = [];
  const digests = new Set<string>();
  for (const { name, report } of living(demo)) {
    if (!report) continue;
    digests.add(report.digest);
    const sums = createHash('sha256').update(tableOf(report.rows)).digest('hex');
    screen.say(`  ${name}: ${number(report.applied)} events, ${report.rows.length} airports, digest ${report.digest}`, {
      event: 'digest',
      name,
      digest: report.digest,
      sums,
      applied: report.applied,
    });
    if (sums !== expected) problems.push(`${name}'s sums are not those of the input`);
    for (const [id, times] of report.wrong) problems.push(`${name} applied event ${id} ${times} times`);
  }
  if (digests.size !== 1) problems.push('the boards differ');
  const seconds = (performance.now() - demo.from) / 1000;
  for (const problem of problems) screen.say(`WRONG: ${problem}`, { event: 'wrong', problem });
  const ok = problems.length === 0;
  screen.say(
    ok
      ? `all boards are equal, and every one of ${number(total)} events is on them exactly once (${seconds.toFixed(1)} s)`
      : `FAILED after ${seconds.toFixed(1)} s`,
    { event: 'end', ok, expected, seconds },
  );
  return ok;
}

/** What the boards must show, from the input alone. */
function expectedRows(input: DemoInput, total: number): Omit<Row, 'chain'>[] {
  const lines = new Map<string, { flights: number; delay: number }>();
  for (let id = 0; id < total; id++) {
    const record = input.records[id % input.records.length];
    const line = lines.get(airportOf(record)) ?? { flights: 0, delay: 0 };
    line.flights += 1;
    line.delay += delayOf(record);
    lines.set(airportOf(record), line);
  }
  return Array.from(lines, ([airport, line]) => ({ airport, ...line })).sort((a, b) =>
    a.airport < b.airport ? -1 : 1,
  );
}

function tableOf(rows: readonly Omit<Row, 'chain'>[]): string {
  return rows.map(({ airport, flights, delay }) => `${airport} ${flights} ${delay}\n`).join('');
}

/** Shows progress and rates. */
function startMeter(demo: Demo): NodeJS.Timeout {
  let last = { at: performance.now(), stable: 0, applied: 0 };
  let rates: [number, number] = [0, 0];
  return setInterval(() => {
    const now = performance.now();
    const applied = Math.max(...living(demo).map((child) => child.applied), 0);
    if (now - last.at >= 500) {
      const seconds = (now - last.at) / 1000;
      rates = [(demo.stableCount - last.stable) / seconds, (applied - last.applied) / seconds];
      last = { at: now, stable: demo.stableCount, applied };
    }
    demo.screen.progress(demo.stableCount, applied, ...rates);
  }, 250);
}
