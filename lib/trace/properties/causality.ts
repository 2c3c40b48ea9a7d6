/** Causal and Reliable Causal of Chockler, Keidar, Vitenberg, ACM CSUR 33(4), 2001, through multicasts and letters. */
import type { Finding } from '../finding.js';
import { finding, omits, violate } from '../finding.js';
import type { History, Multicast, Stay } from '../history.js';
import { processOf } from '../history.js';
import type { Early, Pasts } from '../past.js';
import { causeIn } from '../past.js';

/**
 * CAUSAL: what its sender had sent or delivered (causal and total) before sending m, or had been told of in letters, is
 * delivered before m. A hole in the past is as wrong as a past that comes later: what depends on a lost multicast must be
 * lost with it. And a letter is handed out where all that it follows is delivered, or a later view is installed.
 */
export function causal(history: History, pasts: Pasts): Finding {
  const found = finding('CAUSAL');
  for (const lineage of history.lineages) {
    for (const view of lineage.views.values()) {
      for (const stay of view.stays) {
        if (!stay.covered && !stay.patched) checkPasts(found, stay, pasts.multicasts);
      }
    }
  }
  found.held += pasts.met;
  for (const early of pasts.early) tellEarly(found, early);
  return found;
}

function checkPasts(found: Finding, stay: Stay, pasts: Pasts['multicasts']): void {
  if (stay.delivered.length === 0) return;
  const got = new Int32Array(stay.view.members.length);
  for (let i = 0; i < stay.delivered.length; i++) {
    const multicast = stay.delivered[i]!;
    const cause = causeIn(stay.view, multicast);
    if (cause === 0) continue;
    const own = multicast.stay?.rank ?? 0;
    const past = pasts[multicast.index];
    let has = cause > 1;
    let hole = got[own]! < cause - 1 ? own : -1;
    for (let rank = 0; past !== undefined && rank < past.length; rank++) {
      if (past[rank] === 0 || rank === own) continue;
      has = true;
      if (got[rank]! < past[rank]!) hole = rank;
    }
    if (has) found.held += 1;
    if (hole >= 0) tellHole(found, stay, i, hole, got[hole]! + 1);
    if (cause > got[own]!) got[own] = cause;
  }
}

function tellHole(found: Finding, stay: Stay, i: number, rank: number, cause: number): void {
  if (omits(found)) return;
  const delivery = stay.deliveries[i]!;
  const { missing, what, later } = lacking(stay, rank, cause);
  const sentence = `${processOf(stay).id} delivers ${delivery.id} ${later < 0 ? 'without' : 'before'} ${what}`;
  const { send } = stay.delivered[i]!;
  violate(found, `${sentence}, which its sender had before it`, missing?.send, send, delivery, stay.deliveries[later]);
}

function tellEarly(found: Finding, { tell, told, stay, view, rank, cause }: Early): void {
  if (omits(found)) return;
  const letter = `${told.record.p} is handed letter ${told.record.n} of ${tell.record.p}`;
  if (rank < 0) {
    const sentence = `${letter} in view ${stay.view.id} of ${stay.record.g}, and it follows view ${view.id}`;
    return violate(found, sentence, stay.record, tell.record, told.record);
  }
  const { missing, what, later } = lacking(stay, rank, cause);
  const sentence = `${letter} ${later < 0 ? 'without' : 'before'} ${what}, which it follows`;
  violate(found, sentence, missing?.send, tell.record, told.record, stay.deliveries[later]);
}

/** A multicast that a member lacks at some point, and where it delivers it then, -1 if nowhere. */
function lacking(stay: Stay, rank: number, cause: number): { missing?: Multicast; what: string; later: number } {
  const sender = stay.view.stays.find((other) => other.rank === rank);
  const missing = sender?.transmitted.find((multicast) => multicast.cause === cause);
  if (missing === undefined) return { what: `a multicast of ${stay.view.members[rank] ?? 'another'}`, later: -1 };
  return { missing, what: missing.id, later: stay.delivered.indexOf(missing) };
}
