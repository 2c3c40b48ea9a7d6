/**
 * What happens next in a simulated world: a heap of things to do by (time, insertion), so that equal times have one order.
 */

interface Entry {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** Things to do. */
export interface Agenda {
  readonly heap: Entry[];
  inserted: number;
}

export function createAgenda(): Agenda {
  return { heap: [], inserted: 0 };
}

function before(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** Adds something to do at this time. */
export function schedule(agenda: Agenda, at: number, run: () => void): void {
  const { heap } = agenda;
  const entry = { at, order: agenda.inserted, run };
  agenda.inserted += 1;
  let index = heap.length;
  heap.push(entry);
  while (index > 0) {
    const parent = (index - 1) >> 1;
    const above = heap[parent] as Entry;
    if (!before(entry, above)) break;
    heap[index] = above;
    index = parent;
  }
  heap[index] = entry;
}

/** When the next thing is due; infinity if there is nothing to do. */
export function nextTime(agenda: Agenda): number {
  return agenda.heap[0]?.at ?? Infinity;
}

/** Takes the next thing to do off the agenda. */
export function takeNext(agenda: Agenda): Entry | undefined {
  const { heap } = agenda;
  const first = heap[0];
  const last = heap.pop();
  if (first === undefined || last === undefined || heap.length === 0) return first;
  let index = 0;
  for (;;) {
    let child = 2 * index + 1;
    if (child >= heap.length) break;
    const right = child + 1;
    if (right < heap.length && before(heap[right] as Entry, heap[child] as Entry)) child = right;
    if (!before(heap[child] as Entry, last)) break;
    heap[index] = heap[child] as Entry;
    index = child;
  }
  heap[index] = last;
  return first;
}
