/** Tables and lists of what a node knows of its domain now. */
import type { GroupSeen, MatrixSeen, NodeSeen, OwnMember, Rates, Snapshot } from '../format.js';
import { byId, el, fill, setText } from './dom.js';
import { heat, type Cell } from './heat.js';
import { nameOf } from './history.js';

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** Shows all of it. */
export function showSnapshot(snapshot: Snapshot, group: string, rates: Rates | null): void {
  const { nodes, groups, matrix } = snapshot;
  setText(byId('domain'), snapshot.domain);
  showSummary(snapshot);
  fill(
    byId('nodes'),
    nodes.map((node) => nodeRow(node, snapshot.self)),
  );
  fill(byId('groups'), groupRows(snapshot, group, rates));
  const chosen = groups.find(({ name }) => name === group);
  for (const each of document.querySelectorAll('.group-name')) setText(each, group);
  fill(byId('views'), viewRows(chosen));
  fill(byId('waits'), waitRows(snapshot));
  showMatrix(matrix);
}

function showSummary({ phase, lack, number, self, nodes }: Snapshot): void {
  const summary = byId('summary');
  summary.classList.toggle('bad', lack !== null || phase === 'refused');
  const state = lack === null ? '' : ` · wedged: ${lack}`;
  const where = number === 0 ? 'not in its domain yet' : `state ${number}, ${nodes.length} nodes`;
  setText(summary, `${where} · seen from ${self} (${phase})${state}`);
}

function nodeRow(node: NodeSeen, self: string): HTMLElement {
  const isSelf = node.id === self;
  const [word, kind] = node.suspected ? ['suspected', 'bad'] : isSelf ? ['this node', 'good'] : ['heard', 'good'];
  const said = Object.entries(node.metadata)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ');
  return el(
    'tr',
    {},
    el('td', { class: 'name', title: said === '' ? node.id : `${node.id} ${said}` }, node.name),
    el('td', { class: kind }, el('span', { class: 'tag', 'aria-hidden': 'true' }), word),
    el('td', { class: 'number' }, node.silence === null ? '' : `${whole.format(node.silence)} ms ago`),
    el('td', { class: 'number' }, `${whole.format(node.lag)} ms`),
    el('td', { class: 'number' }, String(node.weight)),
    el('td', { class: 'mono' }, node.address),
  );
}

function groupRows({ groups, groupsOmitted }: Snapshot, group: string, rates: Rates | null): HTMLElement[] {
  const rows = groups.map((each) => groupRow(each, each.name === group, rates?.byGroup[each.name] ?? 0));
  if (groups.length === 0) rows.push(el('tr', {}, el('td', { colspan: 5, class: 'soft' }, 'There is no group yet.')));
  if (groupsOmitted > 0) {
    rows.push(el('tr', {}, el('td', { colspan: 5, class: 'soft' }, `and ${whole.format(groupsOmitted)} more`)));
  }
  return rows;
}

function groupRow(each: GroupSeen, isChosen: boolean, rate: number): HTMLElement {
  const { own } = each;
  const kind = own === null ? 'soft' : own.status === 'active' ? 'good' : own.status === 'wedged' ? 'bad' : 'warn';
  const pick = { type: 'button', 'data-group': each.name, 'data-key': each.name, 'aria-pressed': String(isChosen) };
  return el(
    'tr',
    { class: isChosen ? 'chosen' : '' },
    el('td', {}, el('button', pick, each.name), ` ${each.kind}, ${each.order}`),
    el('td', { class: kind, title: own ? standing(own) : 'this node has no member' }, own?.status ?? 'no member'),
    el('td', { class: 'number' }, each.view),
    el('td', { class: 'number' }, String(each.members.length)),
    el('td', { class: 'number' }, whole.format(rate)),
  );
}

function standing({ why, queued, unstable, mailbox }: OwnMember): string {
  return `${why}; own multicasts: ${queued} queued, ${unstable} unstable; ${mailbox} items for its function`;
}

function viewRows(group: GroupSeen | undefined): HTMLElement[] {
  if (!group || group.views.length === 0) return [el('li', { class: 'soft' }, 'None was seen from here yet.')];
  return group.views.map(({ id, members, cause, at }) =>
    el(
      'li',
      {},
      el('span', { class: 'when' }, clockTime(at)),
      el(
        'span',
        {},
        el('span', { class: 'name' }, id),
        ` ${members.map(nameOf).join(' ')} `,
        el('span', { class: 'soft' }, cause),
      ),
    ),
  );
}

/** Hours, minutes and seconds of the day. */
export function clockTime(at: number): string {
  return new Date(at).toLocaleTimeString('en-GB');
}

function waitRows({ groups, lack, self }: Snapshot): HTMLElement[] {
  const rows = groups.flatMap(({ name, own }) => {
    if (own === null) return [];
    const waiting = own.waiting.map(({ what, who }) => waitRow(name, nameOf(self), who.map(nameOf), what));
    const mailbox = `${whole.format(own.mailbox)} items for its own function`;
    if (own.mailbox > 0) waiting.push(waitRow(name, nameOf(self), [nameOf(self)], mailbox));
    return waiting;
  });
  if (lack !== null) rows.unshift(el('li', { class: 'bad' }, `All groups wait: ${lack}`));
  if (rows.length === 0) rows.push(el('li', { class: 'soft' }, 'Nobody, as far as this node knows.'));
  return rows;
}

function waitRow(group: string, waiter: string, who: readonly string[], what: string): HTMLElement {
  return el(
    'li',
    {},
    el('span', { class: 'when' }, group),
    el('span', {}, `${waiter} → `, el('span', { class: 'name warn' }, who.join(', ')), ` ${what}`),
  );
}

function showMatrix(matrix: MatrixSeen | null): void {
  const table = byId('matrix');
  if (matrix === null) {
    fill(table, []);
    setText(byId('matrix-note'), 'Nothing was heard of this group yet.');
    return;
  }
  const cells = heat(matrix);
  const names = matrix.members.map(nameOf);
  const head = el(
    'tr',
    {},
    el('th', { scope: 'col' }, 'has ↓ of →'),
    ...names.map((name) => el('th', { scope: 'col' }, name)),
  );
  const rows = cells.map((row, observer) => {
    const isPaused = matrix.paused[observer] === true;
    const title = `${names[observer] ?? ''}${isPaused ? ' (behind)' : ''}`;
    return el('tr', {}, el('th', { scope: 'row', class: isPaused ? 'warn' : '' }, title), ...row.map(matrixCell));
  });
  fill(table, [el('thead', {}, head), el('tbody', {}, ...rows)]);
  setText(byId('matrix-note'), matrixNote(matrix));
}

function matrixCell({ received, behind, level, isOwn }: Cell): HTMLElement {
  const text = behind > 0 ? `−${whole.format(behind)}` : whole.format(received);
  const title = `${whole.format(received)} records${behind > 0 ? `, ${whole.format(behind)} behind` : ''}`;
  return el('td', { class: isOwn ? 'own' : `h${level}`, title }, text);
}

function matrixNote({ source, view }: MatrixSeen): string {
  const from =
    source === 'own'
      ? 'As the member here has it.'
      : 'Put together from what was heard since somebody has looked: what was said before is missing.';
  return (
    `View ${view}. Rows have received what columns have sent: the last record without a gap, or how many are missing (−). ` +
    `What a whole column has is stable. ${from}`
  );
}
