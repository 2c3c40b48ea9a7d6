/** What `nact-groups watch` shows, as lines. */
import type { GroupSeen, NodeSeen, Rates, Snapshot } from '../inspector/format.js';
import type { Change } from './watch-changes.js';
import { columns, plain, printable, type Paint } from './terminal.js';

/** How much room there is, and how it is coloured. */
export interface Screen {
  readonly columns: number;
  readonly rows: number;
  readonly paint: Paint;
}

/** The whole screen: the node that looks, nodes, groups, rates. No line is longer, and there are no more, than there is room for. */
export function watchScreen(snapshot: Snapshot, rates: Rates | null, screen: Screen): string[] {
  const { paint } = screen;
  const { lack, domain, number, nodes, groups, groupsOmitted } = snapshot;
  const state =
    number === 0 ? snapshot.phase : `state ${number} · ${nodes.length} nodes · ${groups.length + groupsOmitted} groups`;
  const lines: Line[] = [
    { tone: 'strong', text: `${printable(domain)} · ${state}` },
    ...(lack === null ? [] : [{ tone: 'bad' as const, text: `wedged: ${printable(lack)}` }]),
    { text: ratesLine(rates) },
    { text: '' },
    ...nodeLines(nodes, snapshot.self),
    { text: '' },
    ...groupLines(groups, rates),
    ...(groupsOmitted > 0 ? [{ tone: 'soft' as const, text: `and ${groupsOmitted} more groups` }] : []),
  ];
  const shown = lines.length <= screen.rows ? lines : lines.slice(0, Math.max(0, screen.rows - 1));
  const cut = lines.length - shown.length;
  if (cut > 0) shown.push({ tone: 'soft', text: `${cut} more lines: the terminal is too low` });
  return shown.map(({ tone, text }) => {
    const fitting = [...text].length > screen.columns ? `${[...text].slice(0, screen.columns - 1).join('')}…` : text;
    return tone === undefined || fitting === '' ? fitting : paint(tone, fitting);
  });
}

interface Line {
  readonly tone?: Parameters<Paint>[0];
  readonly text: string;
}

const number = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** Rates in a line. */
export function ratesLine(rates: Rates | null): string {
  if (rates === null) return 'no rates yet';
  const { multicasts, bytes, packets } = rates;
  return `${number.format(multicasts)} multicasts/s · ${number.format(bytes / 1000)} kB/s · ${number.format(packets)} packets/s`;
}

function nodeLines(nodes: readonly NodeSeen[], self: string): Line[] {
  const rows = nodes.map(({ id, name, address, weight, suspected, silence, lag }) => [
    printable(name),
    suspected ? 'suspected' : id === self ? 'this one' : 'heard',
    silence === null ? '' : `${number.format(silence)} ms`,
    `${number.format(lag)} ms`,
    String(weight),
    printable(address),
  ]);
  const [head = '', ...lines] = columns(
    [['NODE', 'HEALTH', 'HEARD', 'LAG', 'WEIGHT', 'ADDRESS'], ...rows],
    new Set([2, 3, 4]),
  );
  return [
    { tone: 'soft', text: head },
    ...lines.map((text, i) => (nodes[i]?.suspected ? { tone: 'bad' as const, text } : { text })),
  ];
}

function groupLines(groups: readonly GroupSeen[], rates: Rates | null): Line[] {
  if (groups.length === 0) return [{ tone: 'soft', text: 'There is no group yet.' }];
  const rows = groups.map(({ name, kind, order, view, members, views }) => [
    printable(name),
    `${kind}, ${order}`,
    view,
    number.format(rates?.byGroup[name] ?? 0),
    String(members.length),
    printable(members.map(nameOf).join(' ')),
    printable(views[0]?.cause ?? ''),
  ]);
  const heads = ['GROUP', 'KIND', 'VIEW', 'MULTICASTS/S', 'MEMBERS', '', 'LAST CHANGE'];
  const [head = '', ...lines] = columns([heads, ...rows], new Set([2, 3, 4]));
  return [{ tone: 'soft', text: head }, ...lines.map((text) => ({ text }))];
}

/** The name in a node's id. */
function nameOf(id: string): string {
  return id.slice(0, id.lastIndexOf('#'));
}

/** A change in a line for people. */
export function changeLine(change: Change, paint: Paint = plain): string {
  switch (change.event) {
    case 'node': {
      const tone = change.change === 'suspected' || change.change === 'gone' ? 'bad' : 'good';
      return `node ${printable(change.node)} ${paint(tone, change.change)}`;
    }
    case 'view': {
      const members = change.members.map(nameOf).join(' ');
      const cause = change.cause === '' ? '' : ` (${change.cause})`;
      return printable(`view ${change.id} of ${change.group}: ${members}${cause}`);
    }
    case 'group-ended':
      return printable(`group ${change.group} has ended`);
    case 'quorum':
      return change.lack === null
        ? paint('good', 'a quorum is heard')
        : paint('bad', printable(`wedged: ${change.lack}`));
    case 'phase':
      return change.phase;
  }
}
