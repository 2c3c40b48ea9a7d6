/**
 * The page: a living domain, told of by server-sent events, or traces that were opened. Everything that it shows is text or geometry;
 * nothing that comes from outside is ever markup.
 */
import type { Rates, Records, Snapshot } from '../format.js';
import { detailOf } from './detail.js';
import { DiagramView } from './diagram.js';
import { byId, el, fill, setText } from './dom.js';
import { createHistory, forget, groupsIn, type History, type Multicast, nameOf, take } from './history.js';
import { spellTime } from './layout.js';
import { showSnapshot } from './panels.js';
import { Plots } from './plots.js';
import { groupOf, type Opened, openTraces, type TraceText } from './traces.js';

/** How much of a living domain is kept, in nanoseconds. */
const keptNanos = 120e9;
/** How much time may be shown. */
const spanMin = 1e5;
const spanMax = keptNanos;
/** What is shown at first. */
const spanLive = 8e9;
/** Of a trace at first no more multicasts than can be told apart, */
const multicastsAtFirst = 60;
/** and of a violation those next to it. */
const multicastsAround = 6;

interface Page {
  history: History;
  snapshot: Snapshot | null;
  rates: Rates | null;
  /** The node that looks, and the group that is looked at; empty: the first. */
  node: string;
  group: string;
  /** Traces instead of the living domain. */
  opened: Opened | null;
  /** The end of what is shown: null follows the living domain. */
  to: number | null;
  span: number;
  chosen: Multicast | null;
  every: number;
  lost: number;
  /** The domain's clock less this page's, in nanoseconds. */
  clock: number;
}

const page: Page = {
  history: createHistory(),
  snapshot: null,
  rates: null,
  node: '',
  group: '',
  opened: null,
  to: null,
  span: spanLive,
  chosen: null,
  every: 1,
  lost: 0,
  clock: -Infinity,
};

const plots = new Plots();
const diagram = new DiagramView(byId('diagram'), choose);
let source: EventSource | null = null;

function now(): number {
  return performance.now() * 1e6 + page.clock;
}

/** Opens the stream of events for this node and group. */
function connect(): void {
  source?.close();
  const query = new URLSearchParams();
  if (page.node !== '') query.set('node', page.node);
  if (page.group !== '') query.set('group', page.group);
  source = new EventSource(`/events?${query}`);
  source.addEventListener('open', () => {
    // it may be another process, on another clock
    page.clock = -Infinity;
    page.lost = 0;
  });
  source.addEventListener('error', () => {
    const summary = byId('summary');
    summary.classList.add('bad');
    setText(summary, 'The inspector does not answer: its process may be gone. Trying again …');
  });
  source.addEventListener('snapshot', (event) => takeSnapshot(JSON.parse(event.data as string) as Snapshot));
  source.addEventListener('rates', (event) => takeRates(JSON.parse(event.data as string) as Rates));
  source.addEventListener('records', (event) => takeRecords(JSON.parse(event.data as string) as Records));
}

function takeSnapshot(snapshot: Snapshot): void {
  page.snapshot = snapshot;
  const groups = snapshot.groups.map(({ name }) => name);
  if (!groups.includes(page.group) && page.opened === null) page.group = snapshot.matrix?.group ?? groups[0] ?? '';
  if (page.opened !== null) return;
  options(
    byId('group'),
    groups.map((name) => [name, name]),
    page.group,
  );
  options(
    byId('looker'),
    snapshot.lookers.map((id) => [id, nameOf(id)]),
    snapshot.self,
  );
  byId('looker-field').hidden = snapshot.lookers.length < 2;
  showSnapshot(snapshot, page.group, page.rates);
  setText(byId('honesty'), honesty(snapshot));
}

/** Where what is shown comes from. */
function honesty({ self, lookers, matrix }: Snapshot): string {
  const seen =
    lookers.length > 1 ? `the nodes of one process (${lookers.map(nameOf).join(', ')})` : `one node (${nameOf(self)})`;
  const own = matrix?.source === 'own';
  return (
    `All of this is what ${seen} can know. Sends and views are shown when they happened there or were heard there. ` +
    `${own ? 'A delivery is shown where it was seen, in these nodes; of' : 'This node has no member, so it sees no delivery; of'} all others ` +
    'the page knows what their rows say that they have received, from when that was heard, and not when they delivered it. ' +
    'A trace of each process has all of it.'
  );
}

function takeRates(rates: Rates): void {
  page.rates = rates;
  plots.add(rates);
}

function takeRecords({ records, every, lost, clock }: Records): void {
  page.every = every;
  page.lost += lost;
  page.clock = Math.max(page.clock, clock - performance.now() * 1e6);
  if (page.opened !== null) return;
  for (const record of records) take(page.history, record);
  forget(page.history, now() - keptNanos);
}

/** Puts choices into a select, if they are others. */
function options(select: HTMLElement, choices: readonly (readonly [string, string])[], chosen: string): void {
  fill(
    select,
    choices.map(([value, text]) => el('option', { value }, text)),
  );
  if (select instanceof HTMLSelectElement && select.value !== chosen) select.value = chosen;
}

function choose(multicast: Multicast | null): void {
  page.chosen = multicast;
  // what was chosen stays in sight
  if (multicast !== null && page.to === null) pause(true);
  else if (multicast === null && page.opened === null) pause(false);
  draw();
}

function pause(isPaused: boolean): void {
  page.to = isPaused ? now() : null;
  const button = byId('pause');
  button.setAttribute('aria-pressed', String(isPaused));
  setText(button, isPaused ? 'Go on' : 'Pause');
}

/** Draws what has moved. */
function draw(): void {
  const { history, group, opened, chosen, span } = page;
  const to = page.to ?? now();
  if (!Number.isFinite(to)) return;
  const origin = opened === null ? null : opened.history.from;
  const picture = { history, group, from: to - span, to, origin, chosen, found: opened?.found ?? [] };
  const { arrows, lanes, hidden } = diagram.show(picture);
  const what = [
    `${spellTime(span)}, ${lanes.length} processes, ${arrows.length} multicasts`,
    ...(hidden > 0 ? [`${hidden} earlier ones not drawn`] : []),
    ...(opened === null && page.every > 1 ? [`one of ${page.every} is shown`] : []),
    ...(opened === null && page.lost > 0 ? [`${page.lost} records lost on the way here`] : []),
    ...(opened !== null && opened.backward > 0
      ? [`${opened.backward} deliveries stand before their sends: the clocks of these traces differ`]
      : []),
  ];
  setText(byId('diagram-note'), what.join(' · '));
  fill(byId('detail'), chosen === null ? [] : [detailOf(history, chosen, opened !== null)]);
}

function pan(share: number): void {
  if (page.to === null) pause(true);
  const { from, to } = page.history;
  const last = page.opened === null ? now() : to + page.span / 2;
  const moved = (page.to ?? last) + share * page.span;
  page.to = Math.min(last, Math.max(from + page.span / 4, moved));
  draw();
}

function zoom(factor: number): void {
  const span = Math.min(page.opened === null ? spanMax : Infinity, Math.max(spanMin, page.span * factor));
  // around the middle; the living domain stays at its end
  if (page.to !== null) page.to += (span - page.span) / 2;
  page.span = span;
  draw();
}

async function openFiles(files: Iterable<File>): Promise<void> {
  const traces = await Promise.all(Array.from(files, async (file) => ({ file: file.name, text: await file.text() })));
  if (traces.length > 0) showTraces(traces);
}

function showTraces(traces: readonly TraceText[]): void {
  const outcome = openTraces(traces);
  const note = byId('findings-note');
  byId('findings').hidden = false;
  if (!outcome.ok) {
    note.className = 'note bad';
    setText(note, outcome.why);
    return;
  }
  const { opened } = outcome;
  document.body.classList.add('trace');
  byId('live').hidden = source === null;
  byId('pause').hidden = true;
  page.opened = opened;
  page.history = opened.history;
  page.chosen = null;
  const groups = groupsIn(opened.history);
  page.group = groups[0] ?? '';
  options(
    byId('group'),
    groups.map((name) => [name, name]),
    page.group,
  );
  byId('looker-field').hidden = true;
  setText(byId('domain'), opened.files.join(', '));
  const summary = byId('summary');
  summary.classList.remove('bad');
  const { records, processes } = opened.report;
  setText(summary, `${records} records of ${processes} processes, as they stand in the traces`);
  showFindings(opened);
  showBeginning(opened);
  draw();
}

/** All of a short trace; of a long one as much as can be told apart, around the first violation if there is one. */
function showBeginning({ history, found }: Opened): void {
  const times = sendTimes(history);
  const whole = Math.max(1, history.to - history.from);
  const [first = history.from] = times;
  const last = times[Math.min(times.length, multicastsAtFirst) - 1] ?? history.to;
  if (times.length <= multicastsAtFirst) {
    page.span = whole * 1.08;
    page.to = history.to + whole * 0.04;
  } else if (found[0] !== undefined) showAround(found[0].t);
  else {
    page.span = Math.max(1, (last - first) * 1.1);
    page.to = last + page.span * 0.05;
  }
}

/** When multicasts of the group were sent, in order. */
function sendTimes(history: History): number[] {
  return [...history.multicasts.values()]
    .filter(({ group, sent }) => group === page.group && sent !== Infinity)
    .map(({ sent }) => sent)
    .sort((a, b) => a - b);
}

/** Shows a moment and the multicasts next to it. */
function showAround(t: number): void {
  const times = sendTimes(page.history);
  const at = times.findLastIndex((time) => time <= t);
  const from = Math.min(t, times[Math.max(0, at - multicastsAround)] ?? t);
  const to = Math.max(t, times[Math.min(times.length - 1, at + multicastsAround)] ?? t);
  page.span = Math.max(spanMin, (to - from) * 1.3);
  page.to = to + page.span * 0.12;
}

function showFindings({ report, found }: Opened): void {
  const { violations, omitted } = report;
  const more = Object.values(omitted).reduce((sum, count) => sum + count, 0);
  const note = byId('findings-note');
  note.className = report.ok ? 'note good' : 'note bad';
  const kept = `${violations.length} violation${violations.length === 1 ? '' : 's'}`;
  setText(note, report.ok ? 'No property is violated.' : `${kept}${more > 0 ? `, and ${more} more of the same` : ''}.`);
  const rows = violations.map(({ property, sentence, events }, number) => {
    const where = found.find((each) => each.number === number);
    const [group] = events.flatMap((event) => groupOf(event) ?? []);
    const text = `${property}: ${sentence}`;
    if (!where) return el('li', {}, text);
    const button = el('button', { type: 'button', 'data-key': number }, text);
    button.addEventListener('click', () => {
      if (group !== undefined) setGroup(group);
      showAround(where.t);
      const [id] = events.flatMap((event) => ('id' in event && event.id !== null ? [event.id] : []));
      choose(page.history.multicasts.get(`${group ?? ''}\n${id ?? ''}`) ?? null);
      byId('diagram-title').scrollIntoView({ block: 'nearest' });
    });
    return el('li', {}, button);
  });
  byId('violations').replaceChildren(...rows);
}

/** Looks at another group. */
function setGroup(group: string): void {
  page.group = group;
  page.chosen = null;
  const select = byId<HTMLSelectElement>('group');
  if (select.value !== group) select.value = group;
  if (page.opened === null) {
    connect();
    if (page.snapshot) showSnapshot(page.snapshot, group, page.rates);
  }
  draw();
}

function backToLive(): void {
  document.body.classList.remove('trace');
  for (const id of ['findings', 'live']) byId(id).hidden = true;
  byId('pause').hidden = false;
  page.opened = null;
  page.history = createHistory();
  page.group = '';
  page.chosen = null;
  page.span = spanLive;
  pause(false);
  connect();
}

function listen(): void {
  byId('pause').addEventListener('click', () => {
    pause(page.to === null);
    if (page.to === null) page.chosen = null;
    draw();
  });
  byId('live').addEventListener('click', backToLive);
  byId('earlier').addEventListener('click', () => pan(-0.5));
  byId('later').addEventListener('click', () => pan(0.5));
  byId('closer').addEventListener('click', () => zoom(0.5));
  byId('wider').addEventListener('click', () => zoom(2));
  byId('diagram').addEventListener('keydown', ({ key }) => {
    if (key === '+' || key === '=') zoom(0.5);
    if (key === '-') zoom(2);
  });
  byId<HTMLSelectElement>('group').addEventListener('change', (event) => {
    setGroup((event.target as HTMLSelectElement).value);
  });
  byId<HTMLSelectElement>('looker').addEventListener('change', (event) => {
    page.node = (event.target as HTMLSelectElement).value;
    plots.clear();
    connect();
  });
  byId('groups').addEventListener('click', (event) => {
    const group = event.target instanceof HTMLElement ? event.target.dataset['group'] : undefined;
    if (group !== undefined) setGroup(group);
  });
  const files = byId<HTMLInputElement>('files');
  files.addEventListener('change', () => {
    if (files.files) void openFiles(files.files).then(() => (files.value = ''));
  });
  document.addEventListener('dragover', (event) => {
    event.preventDefault();
    document.body.classList.add('dropping');
  });
  document.addEventListener('dragleave', () => document.body.classList.remove('dropping'));
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    document.body.classList.remove('dropping');
    if (event.dataTransfer) void openFiles(event.dataTransfer.files);
  });
  new ResizeObserver(draw).observe(byId('diagram'));
}

/** Files that the server has instead of a domain: traces that it was started with. */
async function filesOfServer(): Promise<string[]> {
  const response = await fetch('/files');
  return response.ok ? ((await response.json()) as string[]) : [];
}

async function begin(): Promise<void> {
  listen();
  const names = await filesOfServer();
  if (names.length === 0) {
    connect();
    const isCalm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    setInterval(
      () => {
        if (page.to === null && !document.hidden && page.opened === null) draw();
      },
      isCalm ? 1000 : 100,
    );
    return;
  }
  const texts = names.map(async (file) => {
    const response = await fetch(`/file?name=${encodeURIComponent(file)}`);
    return { file, text: await response.text() };
  });
  showTraces(await Promise.all(texts));
}

await begin();
