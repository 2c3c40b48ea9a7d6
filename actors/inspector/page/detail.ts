/** What is known of one multicast: where it is, who lacks it, where it was delivered and at which place of the order. */
import { el } from './dom.js';
import { beganAt, type History, isSettled, lacking, type Multicast, nameOf } from './history.js';
import { spellTime } from './layout.js';

/** As elements. `isTrace`: it is from traces, which say what was delivered everywhere. */
export function detailOf(history: History, multicast: Multicast, isTrace: boolean): HTMLElement {
  const { id, order, uniform, view, failed } = multicast;
  const strength = `${uniform ? 'uniform ' : ''}${order === '' ? 'multicast' : order}`;
  const where = view === null ? 'not in any view yet' : `sent in view ${view}`;
  return el(
    'div',
    { class: 'card' },
    el('h3', {}, id),
    el('p', {}, `${strength}, by ${nameOf(multicast.sender)}, ${where}. ${placeOf(multicast)}`),
    el('p', { class: failed === null ? '' : 'bad' }, stateOf(history, multicast)),
    el(
      'div',
      { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Where it is' },
      tableOf(history, multicast, isTrace),
    ),
  );
}

/** Its place in the total order, if anybody has said. */
function placeOf({ delivered, order }: Multicast): string {
  const positions = new Set([...delivered.values()].flatMap(({ position }) => (position === null ? [] : [position])));
  if (positions.size === 0)
    return order === 'total' || order === 'barrier' ? 'Its place in the order is not known here.' : '';
  if (positions.size === 1) return `Ordered: position ${[...positions].join()}.`;
  return `Ordered differently: positions ${[...positions].join(', ')}.`;
}

function stateOf(history: History, multicast: Multicast): string {
  if (multicast.failed !== null) return `Never sent: ${multicast.failed}.`;
  if (multicast.stable !== null) {
    return `Stable ${spellTime(multicast.stable - beganAt(multicast))} after it was sent: every member has it.`;
  }
  if (isSettled(history, multicast)) return 'Its view is over: whoever went on from it has it.';
  const lack = lacking(history, multicast).map(nameOf);
  return lack.length > 0
    ? `Unstable: not known to be at ${lack.join(', ')}.`
    : 'Unstable: not yet known to be everywhere.';
}

function tableOf(history: History, multicast: Multicast, isTrace: boolean): HTMLElement {
  const { sender, delivered, received } = multicast;
  const view = history.views.get(multicast.group)?.get(multicast.view ?? '');
  const ids = [...new Set([...(view?.members ?? [sender]), ...delivered.keys(), ...received.keys()])];
  const from = beganAt(multicast);
  const after = (t: number | undefined): string => (t === undefined ? '' : `+${spellTime(t - from)}`);
  const head = ['Member', 'Has it', 'Delivered', 'Position'].map((text) => el('th', { scope: 'col' }, text));
  const rows = ids.map((id) => {
    const delivery = delivered.get(id);
    const has = id === sender ? 'sent' : after(received.get(id)) || (delivery ? after(delivery.t) : '—');
    const given = delivery ? after(delivery.t) : isTrace ? 'no' : 'not told';
    return el(
      'tr',
      {},
      el('th', { scope: 'row' }, nameOf(id)),
      el('td', { class: 'number' }, has),
      el('td', { class: 'number' }, given),
      el('td', { class: 'number' }, delivery?.position === null || !delivery ? '' : String(delivery.position)),
    );
  });
  return el('table', {}, el('thead', {}, el('tr', {}, ...head)), el('tbody', {}, ...rows));
}
