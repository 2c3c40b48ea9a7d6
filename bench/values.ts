/**
 * What encoding and decoding costs: some messages, with their keys and with the group's structures, and a plain cbor-x beside.
 *
 *     npm run --silent build && node dist/bench/values.js
 *
 * Times are processor time, the least of several rounds: others work on the machine too.
 */
import { Encoder } from 'cbor-x';
import { createTable, define, definition, foundTable, openTable, takeWanted } from '../actors/structures.js';
import { decodeValue, decodeWith, encodeValue, encodeWith } from '../actors/values.js';
import { noRefs } from '../actors/wire-format.js';
import { lookAtMachine } from './machine.js';

const rounds = 7;
const roundMillis = 60;

const messages: Readonly<Record<string, unknown>> = {
  "{type:'put',sku:'tea',n:5}": { type: 'put', sku: 'tea', n: 5 },
  'an order of two items': {
    type: 'order',
    id: 70_000,
    items: [
      { sku: 'tea', n: 1 },
      { sku: 'salt', n: 2 },
    ],
    at: { x: 1.5, y: 2.5 },
  },
  'Map of 100 objects': new Map(Array.from({ length: 100 }, (_, i) => [`key ${i}`, { n: i, text: 'some text' }])),
  '100 bytes': new Uint8Array(100),
};

const table = createTable();
foundTable(table);
openTable(table, 17);
for (const message of Object.values(messages)) for (let i = 0; i < 8; i++) encodeWith(table, message, noRefs);
for (const keys of takeWanted(table)) define(table, definition(table, keys));

const cbor = new Encoder({ useRecords: false, variableMapSize: true });

/** Nanoseconds of processor time that a call takes. */
function cost(work: () => void): number {
  let calls = 0;
  const until = performance.now() + roundMillis;
  while (performance.now() < until) for (let i = 0; i < 100; i++, calls++) work();
  let best = Infinity;
  for (let round = 0; round < rounds; round++) {
    const before = process.cpuUsage().user;
    for (let i = 0; i < calls; i++) work();
    best = Math.min(best, ((process.cpuUsage().user - before) * 1000) / calls);
  }
  return Math.round(best);
}

const { cpus, model, node, commit, load } = lookAtMachine();
console.log(`${cpus} x ${model}, Node ${node}, commit ${commit}, load ${load.toFixed(1)}\n`);
for (const [name, message] of Object.entries(messages)) {
  const plain = encodeValue(message);
  const short = encodeWith(table, message, noRefs);
  console.log(name);
  console.log(
    `  with keys        ${String(plain.length).padStart(5)} bytes, encode ${cost(() => encodeValue(message))} ns,` +
      ` decode ${cost(() => decodeValue(plain))} ns`,
  );
  console.log(
    `  with structures  ${String(short.length).padStart(5)} bytes, encode ${cost(() => encodeWith(table, message, noRefs))} ns,` +
      ` decode ${cost(() => decodeWith(table, short, noRefs))} ns`,
  );
  const unchecked = cbor.encode(message);
  console.log(
    `  cbor-x unchecked ${String(unchecked.length).padStart(5)} bytes, encode ${cost(() => cbor.encode(message))} ns,` +
      ` decode ${cost(() => void cbor.decode(unchecked))} ns`,
  );
}
