/**
 * Which runs count as blocked by design: those, and only those, in which no rule lets the living go on.
 */
import test from 'ava';
import { type Chains, type DomainRecord, canGoOn, createChains, noteDeparture, noteState } from './chains.js';

const state = (k: number, ...m: string[]): DomainRecord => ({ dom: 'd', k, m });
const alive = (...ids: string[]): ReadonlySet<string> => new Set(ids);

function know(chains: Chains, record: DomainRecord, ...ids: string[]): void {
  for (const id of ids) noteState(chains, id, record);
}

test('a domain goes on with half of it and the oldest, and not with the other half', (t) => {
  const chains = createChains();
  know(chains, state(1, 'a', 'b'), 'a', 'b');
  t.true(canGoOn(chains, alive('a')));
  t.false(canGoOn(chains, alive('b')));
  t.false(canGoOn(chains, alive('b', 'x')), 'a stranger does not help');
});

test('the excluded goes when the oldest of two knows, who dies: the other waits by design', (t) => {
  const chains = createChains();
  know(chains, state(1, 'a', 'c', 'e'), 'a', 'c', 'e');
  know(chains, state(2, 'a', 'e'), 'a');
  noteDeparture(chains, state(2, 'a', 'e'), false);
  t.true(canGoOn(chains, alive('a', 'e')));
  t.false(canGoOn(chains, alive('e')));
});

test('one who goes before a quorum of the others knows is to blame for what they do not know', (t) => {
  const chains = createChains();
  know(chains, state(1, 'a', 'b', 'c', 'd'), 'a', 'b', 'c', 'd');
  know(chains, state(2, 'b', 'c', 'd'), 'b');
  noteDeparture(chains, state(2, 'b', 'c', 'd'), false);
  t.true(canGoOn(chains, alive('c', 'd')), 'b knew, alone, and is dead; a should have told c and d');
});

test('one who has waited in vain may go', (t) => {
  const chains = createChains();
  know(chains, state(1, 'a', 'b'), 'a', 'b');
  noteDeparture(chains, state(2, 'b'), true);
  t.false(canGoOn(chains, alive('b')));
});

test('a state on the way to the last one that was known may lack its quorum', (t) => {
  const chains = createChains();
  know(chains, state(1, 'a', 'b', 'c'), 'a', 'b', 'c');
  know(chains, state(2, 'a', 'b', 'c', 'd', 'e'), 'a');
  know(chains, state(3, 'b', 'c', 'd'), 'd');
  t.false(canGoOn(chains, alive('b', 'c')));
  t.true(canGoOn(chains, alive('b', 'c', 'e')));
});

test('whoever waits in one domain may join another that goes on', (t) => {
  const chains = createChains();
  know(chains, state(1, 'a', 'b'), 'b');
  know(chains, { dom: 'other', k: 1, m: ['x'] }, 'x');
  t.true(canGoOn(chains, alive('b', 'x')));
  t.true(canGoOn(chains, alive('y')), 'one who is in none founds one');
});
