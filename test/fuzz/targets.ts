/** What is fuzzed: every parser of what comes from outside a process. */
import { deepStrictEqual, strictEqual } from 'node:assert/strict';
import { streamMessageBytesMax } from '../../lib/limits.js';
import { NotDecodable } from '../../actors/errors.js';
import { createEar, followDomain, followedMax, hear } from '../../actors/inspector/ear.js';
import { createSampling } from '../../actors/inspector/sampling.js';
import { snapshotDecoder, stateEncoder } from '../../actors/snapshot.js';
import { createTable, foundTable, openTable, type StructureTable } from '../../actors/structures.js';
import { parseAsk } from '../../actors/tools/member-ask.js';
import { parseSend } from '../../actors/tools/member-send.js';
import { contextBytes, contextIfFits, messageAt } from '../../actors/trace-context.js';
import { decodeWith, encodeValue, encodeWith } from '../../actors/values.js';
import { noRefs } from '../../actors/wire-format.js';
import { flushMessage, linkContext, linkMessage } from '../../lib/group/messages.js';
import { nodeId, type DomainId } from '../../lib/ids.js';
import { controlMessage } from '../../lib/membership/messages.js';
import type { DomainState, NodeInfo } from '../../lib/membership/state.js';
import { check } from '../../lib/trace/check.js';
import { parseTrace } from '../../lib/trace/parse.js';
import { formatReport } from '../../lib/trace/report.js';
import { Malformed, Reader, Writer } from '../../lib/wire/bytes.js';
import { Section, tagOf } from '../../lib/wire/packet.js';
import { takeApart } from '../../lib/wire/parts.js';
import type { Codec } from '../../lib/wire/schema.js';
import { addressFault, domainTag, parseAddress } from '../../transport/addresses.js';
import { encodeGreeting, GreetingReader, MessageReader, meshMagic, writeMessages } from '../../transport/framing.js';
import { KeyPair } from '../../transport/key-agreement.js';
import { kindMax } from '../../transport/outflow.js';
import { RecordReader, RecordWriter } from '../../transport/records.js';
import { Rekeying } from '../../transport/rekeying.js';
import { SealedDatagrams } from '../../transport/sealed-datagrams.js';
import { AcceptingHandshake, ConnectingHandshake } from '../../transport/sealed-greeting.js';
import { goodTrace } from '../trace/good.js';
import { packet } from '../lib/packets.js';
import { ringOf } from '../transport/keyed.js';
import type { Target } from './fuzz.js';
import { type Moment, moments, recorded, takeInAt } from './moments.js';

const text = new TextEncoder();
const untext = new TextDecoder();

function wordsOf(...words: readonly string[]): number[][] {
  return words.map((word) => [...text.encode(word)]);
}

/** Throws unless a parser refused what it was given in the way it is to. */
function onlyRefused(error: unknown, by: abstract new (...args: never[]) => Error): void {
  if (!(error instanceof by)) throw error;
}

/** A node at some moment of its life takes in packets, as its runner would give them, and goes on. */
const datagrams: Target = {
  name: 'datagrams',
  shows:
    'packets of every kind, and noise, to a node: founding, joining, in a group, in a view change, giving a state, alone',
  bytesMax: 4096,
  words: [],
  seeds: () => recorded(),
  run(input) {
    const all = moments();
    takeInAt(all[(input[0] ?? 0) % all.length] as Moment, input.subarray(1));
  },
};

/** Records that one packet can have a looker-on make. */
const seenMax = 4096;

/** A looker-on hears a packet at some moment of a node's life, twice: it keeps and tells no more than its limits. */
const overheard: Target = {
  name: 'overheard',
  shows: 'packets of every kind, and noise, to who looks on',
  bytesMax: 4096,
  words: [],
  seeds: () => moments().map(({ packet: bytes }, i) => Uint8Array.of(i, ...bytes)),
  run(input) {
    const all = moments();
    const { node, now } = all[(input[0] ?? 0) % all.length] as Moment;
    if (node.domain === null) return;
    const ear = createEar(node.self, createSampling(now));
    followDomain(ear, node.domain);
    let seen = 0;
    for (let i = 0; i < 2; i++) hear(ear, input.subarray(1), now, 0, () => (seen += 1));
    if (seen > seenMax || ear.followed.size > followedMax) throw new Error(`${seen} records of one packet`);
  },
};

/** A message that is read is written again as the same bytes: there is one form of each, and nothing is left over. */
function rewritten<T>(codec: Codec<T>, bytes: Uint8Array): void {
  const r = new Reader(bytes);
  let message: T;
  try {
    message = codec.read(r);
  } catch (error) {
    onlyRefused(error, Malformed);
    return;
  }
  const w = new Writer(256);
  codec.write(w, message);
  deepStrictEqual(w.take(), bytes.slice(0, r.at));
}

const codecs = [controlMessage, flushMessage, linkContext, linkMessage] as const;

/** The messages of both planes. */
const messages: Target = {
  name: 'messages',
  shows: 'control, flush and link messages: what is read is written again as the same bytes',
  bytesMax: 4096,
  words: [],
  seeds: () => recorded().flatMap((packets) => codecs.map((_, i) => Uint8Array.of(i, ...packets.subarray(4)))),
  run: (input) => rewritten(codecs[(input[0] ?? 0) % codecs.length] as Codec<unknown>, input.subarray(1)),
};

const tag = domainTag('fuzz');

/** What a stream says, read in pieces of this size: who greets, what came, and why it ends. */
function readStream(bytes: Uint8Array, size: number, isMesh: boolean): unknown {
  const greeting = isMesh ? new GreetingReader(tag, meshMagic) : new GreetingReader(tag);
  const reader = new MessageReader(isMesh ? kindMax : 0);
  const said: { address?: string; refused?: string; messages: [number, Uint8Array][] } = { messages: [] };
  let isGreeted = false;
  for (let at = 0; at < bytes.length && said.refused === undefined; at += size) {
    let chunk: Uint8Array = bytes.slice(at, at + size);
    if (!isGreeted) {
      const result = greeting.push(chunk);
      if (result.kind === 'bad') said.refused = result.reason;
      if (result.kind !== 'hello') continue;
      isGreeted = true;
      said.address = result.address;
      chunk = result.rest;
    }
    const reason = reader.push(chunk, (message, kind) => {
      if (message.length > streamMessageBytesMax) throw new Error(`a message of ${message.length} bytes`);
      said.messages.push([kind, message.slice()]);
    });
    if (reason !== null) said.refused = reason;
  }
  return said;
}

/** Stream frames. */
const streams: Target = {
  name: 'streams',
  shows: 'greetings and messages of connections: the same, in whatever pieces they come',
  bytesMax: 2048,
  words: [[0x8b, 0x4e, 0x47, 0x53], [0x8b, 0x4e, 0x47, 0x4d], [...tag], [0, 0x10, 0, 0], [0, 0x0f, 0xff, 0xff]],
  seeds: () =>
    [false, true].map((isMesh) => {
      const pieces = [encodeGreeting(tag, '127.0.0.1:4000', ...(isMesh ? [meshMagic] : []))];
      for (let kind = 0; kind <= (isMesh ? kindMax : 0); kind++)
        writeMessages([Uint8Array.of(1, 2, 3), new Uint8Array(0)], (bytes) => pieces.push(bytes), kind);
      return Uint8Array.of(isMesh ? 1 : 0, ...pieces.flatMap((bytes) => [...bytes]));
    }),
  run(input) {
    const isMesh = (input[0] ?? 0) % 2 === 1;
    const bytes = input.subarray(1);
    const whole = readStream(bytes, Infinity, isMesh);
    for (const size of [1, 3, 64]) deepStrictEqual(readStream(bytes, size, isMesh), whole);
  },
};

/** One end of a domain under a key: a node that believes a sender, and what it is sent. */
function openSealed() {
  const keyring = ringOf('fuzz');
  const said: Buffer[] = [];
  const [a, b] = [1, 2].map(
    (port) =>
      new SealedDatagrams({
        keyring,
        domain: 'fuzz',
        own: { host: '127.0.0.1', port, family: 4 },
        send: (pieces) => said.push(Buffer.concat(pieces)),
      }),
  ) as [SealedDatagrams, SealedDatagrams];
  a.greet();
  const frames: Buffer[] = [];
  for (let frame = said.shift(); frame; frame = said.shift()) {
    frames.push(frame);
    for (const each of [a, b]) each.open(frame);
  }
  for (const bytes of [new Uint8Array(0), new Uint8Array(40)]) {
    frames.push(Buffer.concat(a.sealMulticast(bytes)), Buffer.concat(a.sealUnicast(bytes)));
  }
  const records = { keyring, key: keyring.used, transcript: tag, writer: 'accepting' } as const;
  const writer = new RecordWriter(records);
  const plain = Uint8Array.from({ length: 60 }, (_, i) => i);
  const stream = Buffer.concat(
    [plain.subarray(0, 20), plain.subarray(20), new Uint8Array(0)].flatMap((bytes) => writer.seal(bytes)),
  );
  const sealing = { keyring, tag, address: '127.0.0.1:4000', magic: meshMagic };
  return { b, frames, authentic: new Set(frames.map(String)), records, stream, plain, sealing };
}

let sealedEnd: ReturnType<typeof openSealed> | undefined;

/** What anybody can send to a node under a key. */
const sealed: Target = {
  name: 'sealed',
  shows: 'datagrams, greetings and records under a key: nothing is taken that was not sent so',
  bytesMax: 1024,
  words: [[0x8b, 0x4e, 0x47, 0x44], [0x8b, 0x4e, 0x47, 0x4d, 2], [...tag], [0, 0, 0, 0], [0, 1, 0, 0]],
  seeds() {
    const { frames, stream, sealing } = (sealedEnd ??= openSealed());
    const { greeting } = new ConnectingHandshake(sealing);
    const answer = new AcceptingHandshake(sealing).push(greeting);
    const greetings = [greeting, answer.kind === 'more' && answer.answer ? answer.answer : greeting];
    return [
      ...frames.map((bytes) => [0, ...bytes]),
      [1, ...stream],
      ...greetings.flatMap((bytes) => [
        [2, ...bytes],
        [3, ...bytes],
      ]),
    ].map((bytes) => Uint8Array.from(bytes));
  },
  run(input) {
    const { b, authentic, records, plain, sealing } = (sealedEnd ??= openSealed());
    const bytes = Buffer.from(input.subarray(1));
    const parser = (input[0] ?? 0) % 4;
    if (parser === 0) {
      if (b.open(bytes).kind === 'datagram' && !authentic.has(String(bytes)))
        throw new Error('a forged datagram was taken');
      return;
    }
    for (const size of [Infinity, 1, 7]) {
      const taken: Uint8Array[] = [];
      const reader = new RecordReader(records);
      const handshake = parser === 2 ? new AcceptingHandshake(sealing) : new ConnectingHandshake(sealing);
      for (let at = 0; at < bytes.length; at += size) {
        const chunk = bytes.subarray(at, at + size);
        if (parser === 1 && reader.push(chunk, (each) => taken.push(each)) !== null) break;
        if (parser === 1) continue;
        const { kind } = handshake.push(chunk);
        if (kind === 'hello') throw new Error('who has no key was greeted');
        if (kind === 'bad') break;
      }
      const all = Buffer.concat(taken);
      deepStrictEqual([...all], [...plain.subarray(0, all.length)]);
    }
  },
};

/**
 * Two nodes that share a group key, in a domain that a third leaves then; what the younger takes of users, beside that of `frames`, is an
 * error. `begin` makes the younger anew, and `end` tells it of the later state, and of its key.
 */
function openRekeyed() {
  const frames: Uint8Array[] = [];
  const pairs = [new KeyPair(), new KeyPair(), new KeyPair()] as const;
  const nodes = ['a', 'b', 'x'].map((name, i): NodeInfo => {
    const publicKey = pairs[i]?.publicKey ?? '';
    const rest = { weight: 1, process: '', metadata: '', publicKey, version: 1, joined: i + 1 };
    return { id: nodeId(name, i + 1), name, incarnation: i + 1, address: name, ...rest };
  });
  const rules = { quorum: 'majority', minimumWeight: 0, heartbeat: 0, timeout: 0 } as const;
  const state: DomainState = { id: 'a#1' as DomainId, number: 2, rules, version: 1, nodes, groups: new Map() };
  const said = new Set<string>();
  const keep = (bytes: Uint8Array): void => void frames.push(bytes.slice());
  const node = (i: 0 | 1, take: (bytes: Uint8Array) => void) =>
    new Rekeying({
      domain: 'fuzz',
      self: nodeId(i === 0 ? 'a' : 'b', i + 1),
      keyPair: pairs[i],
      transport: {
        multicast: (bytes) => (keep(bytes), true),
        unicast: (_, bytes) => keep(bytes),
        stream: (_, bytes) => keep(bytes),
      },
      // nobody asks for a key here
      clock: { now: () => 0, after: () => ({}), cancel: () => {} },
      take: (_, bytes) => take(bytes),
      streamDown: () => {},
      warn: () => {},
    });
  const payloadsOf = (bytes: Uint8Array) => takeApart(bytes).parts.filter(({ purpose }) => purpose === 'payload');
  const a = node(0, () => {});
  a.follow(state);
  const given = [...frames];
  const header = { version: 1, domain: tagOf('fuzz'), source: 1, destination: 0, founding: 7, number: 2 };
  for (const kinds of [[Section.data], [Section.row, Section.link, Section.control]]) {
    const sections = kinds.map((kind) => ({ kind, body: Uint8Array.of(1, 2, 3) }));
    const clear = packet(header, sections);
    for (const payload of payloadsOf(clear)) said.add(String(payload.bytes));
    a.multicast(clear);
    frames.push(clear);
  }
  const later: DomainState = { ...state, number: 3, nodes: nodes.slice(0, 2) };
  const before = frames.length;
  a.follow(later);
  const givenLater = frames.slice(before);
  const hear = (b: Rekeying, keys: readonly Uint8Array[]): void => {
    for (const frame of keys) b.receive('datagram', frame, 'a');
  };
  const take = (bytes: Uint8Array): void => {
    for (const payload of payloadsOf(bytes)) if (!said.has(String(payload.bytes))) throw new Error('a forged payload');
  };
  return {
    frames: [...frames],
    begin() {
      const b = node(1, take);
      b.follow(state);
      hear(b, given);
      return b;
    },
    // the key first, so that what waits is opened when the state comes
    end(b: Rekeying) {
      hear(b, givenLater);
      b.follow(later);
    },
  };
}

let rekeyedEnd: ReturnType<typeof openRekeyed> | undefined;

/** What anybody with a domain's key can send to a node that has a group key. */
const rekeyed: Target = {
  name: 'rekeyed',
  shows:
    'packets with what users say under a group key, and about such keys: nothing is taken of users that was not sent so, at once or under the next key',
  bytesMax: 1024,
  words: [[9], [10], [9, 40, 0, 0, 2], [10, 2, 0, 0, 0, 1], [2, 3, 0, 0]],
  seeds: () => (rekeyedEnd ??= openRekeyed()).frames,
  run(input) {
    const domain = (rekeyedEnd ??= openRekeyed());
    const b = domain.begin();
    b.receive('datagram', input.slice(), 'a');
    domain.end(b);
    // otherwise nothing that waits was opened
    strictEqual(b.statistics()['groupKeyEpoch'], 3);
  },
};

let table: StructureTable | undefined;

function tableOfThree(): StructureTable {
  if (table) return table;
  table = createTable();
  foundTable(table);
  openTable(table, 3);
  table.reader.structures.push(['type', 'n'], ['a'], ['bytes', 'more', 'set']);
  return table;
}

/** Messages of applications. What is read can be sent, and arrives as it was. */
const codec: Target = {
  name: 'codec',
  shows:
    'messages of applications, with structures and traces: what is read can be sent again, and is the same when it arrives',
  bytesMax: 4096,
  words: [
    ...wordsOf('__proto__', 'constructor', 'type'),
    [0xd9, 0xe0, 0x00],
    [0xd9, 0x9c, 0xa6],
    [0xd9, 0x9c, 0xa4],
    [0xd8, 0x56],
    [0xc2],
    [0x1d, 3],
    [0x1e, 3],
    [0x1f, 5],
    [0xfb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0],
  ],
  seeds: () =>
    [
      { type: 'put', n: 5, list: [1, -1, 2.5, 2 ** 40, null, undefined, true], text: 'é€😀' },
      new Map<unknown, unknown>([
        [7, 7n],
        [new Date(5), new Set([1, 2n ** 70n, -(2n ** 70n)])],
      ]),
      [
        Float64Array.of(1),
        new DataView(new ArrayBuffer(3)),
        new ArrayBuffer(2),
        Uint8Array.of(1),
        BigInt64Array.of(1n),
      ],
      { a: { a: { bytes: Uint8Array.of(1), more: [], set: {} } } },
      Uint8Array.of(1, 2, 3),
    ].flatMap((value) => [
      encodeValue(value),
      encodeWith({ ...tableOfThree(), find: findIn(tableOfThree()) }, value, noRefs),
      contextIfFits(new Uint8Array(contextBytes).fill(7), encodeValue(value), 4096),
    ]),
  run(input) {
    let value: unknown;
    try {
      // behind the trace that it is part of, if it has one
      const message = input.slice(messageAt(input, 0, input.length));
      value = decodeWith(tableOfThree(), message, noRefs);
    } catch (error) {
      onlyRefused(error, NotDecodable);
      return;
    }
    deepStrictEqual(decodeWith(tableOfThree(), encodeValue(value), noRefs), value);
  },
};

/** Counts nothing, so that an input means the same whatever came before it. */
function findIn({ reader }: StructureTable) {
  return (keys: readonly string[]): number => reader.structures.findIndex((known) => known.join() === keys.join());
}

/** States. */
const snapshots: Target = {
  name: 'snapshots',
  shows: 'chunks of states: values, or refused',
  bytesMax: 4096,
  words: wordsOf('__proto__', 'constructor'),
  seeds: () => {
    const state = {
      map: new Map([['k', [1, 2.5, -3, 2n ** 70n]]]),
      rows: Array.from({ length: 4 }, (_, id) => ({ id, name: `é${id}`, at: new Date(id) })),
      set: new Set([Uint8Array.of(1), null, undefined, true]),
    };
    return [stateEncoder(state, noRefs).next().chunk];
  },
  run(input) {
    const decoder = snapshotDecoder(noRefs);
    try {
      decoder.push(input.slice());
      decoder.finish();
    } catch (error) {
      onlyRefused(error, NotDecodable);
    }
  },
};

/** Trace files. */
const traces: Target = {
  name: 'traces',
  shows: 'trace files: read and checked, or refused with a place',
  bytesMax: 8192,
  words: wordsOf('\n', '"e":', '{"e":"view"', '"a#1"', 'null', '[]', '1e999', '__proto__', '-1', '""'),
  seeds: () => {
    const records = goodTrace().map((record) => JSON.stringify(record));
    const kinds = new Map(records.map((record) => [/"e":"[^"]*"/.exec(record)?.[0], record]));
    return [...[...kinds.values()].map((record) => `${record}\n`), records.slice(0, 40).join('\n')].map((trace) =>
      text.encode(trace),
    );
  },
  run(input) {
    const parsed = parseTrace('fuzz', untext.decode(input));
    if (!parsed.ok) {
      if (parsed.error.reason === '' || parsed.error.line < 1) throw new Error('refused without a reason or a place');
      return;
    }
    const report = check(parsed.records, {});
    if (formatReport(report).length === 0) throw new Error('no report');
  },
};

/** Lines that people and scripts write. */
const lines: Target = {
  name: 'lines',
  shows: 'commands of a member and addresses: taken, or refused with a sentence',
  bytesMax: 512,
  words: wordsOf(
    ' ',
    '--size',
    '--order',
    '--rate',
    '--uniform',
    'total',
    'all',
    'majority',
    '1e9',
    '-0',
    ':',
    '[::1]',
    '%',
  ),
  seeds: () =>
    [
      '5 --size 10 --order total --uniform --rate 3',
      'all what is it',
      '3 text',
      '127.0.0.1:4000',
      '[fe80::1%eth0]:1',
    ].map((line) => text.encode(line)),
  run(input) {
    const line = untext.decode(input);
    const words = line.trim().split(/\s+/);
    const attempts = [
      () => parseSend(words),
      () => parseAsk(words, line.trim()),
      () => parseAddress(line),
      () => addressFault(line),
    ];
    for (const attempt of attempts) {
      try {
        attempt();
      } catch (error) {
        const isSentence = error instanceof Error && error.message.length > 10;
        if (!isSentence || error instanceof TypeError || error instanceof RangeError) throw error;
      }
    }
  },
};

/** All of them. */
export const targets: readonly Target[] = [
  datagrams,
  overheard,
  messages,
  streams,
  sealed,
  rekeyed,
  codec,
  snapshots,
  traces,
  lines,
];
