/** Handshakes under a key: while the key is being changed, and for who has the key and has recorded them. */
import test from 'ava';
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { meshMagic } from '../../transport/framing.js';
import { drawShare } from '../../transport/key-agreement.js';
import { domainKey, Keyring } from '../../transport/keyring.js';
import { RecordReader, RecordWriter } from '../../transport/records.js';
import { AcceptingHandshake, ConnectingHandshake } from '../../transport/sealed-greeting.js';
import { cutOff, flip } from '../lib/packets.js';

const tag = randomBytes(8);
const old = randomBytes(32);
const next = randomBytes(32);

function ends(): { keyring: Keyring; connecting: ConnectingHandshake; accepting: AcceptingHandshake } {
  const keyring = new Keyring([domainKey(old), domainKey(next)]);
  const common = { keyring, tag, magic: meshMagic };
  return {
    keyring,
    connecting: new ConnectingHandshake({ ...common, address: '127.0.0.1:1' }),
    accepting: new AcceptingHandshake({ ...common, address: '127.0.0.1:2' }),
  };
}

for (const [what, keys] of [
  ['is changed', [next, old]],
  ['is read again', [old, next]],
] as const) {
  test(`a connection that begins while the key ${what} comes about, and what is said on it arrives`, (t) => {
    for (const when of [0, 1, 2]) {
      const { keyring, connecting, accepting } = ends();
      const change = (at: number): void => {
        if (at === when) keyring.replace(keys.map(domainKey));
      };
      change(0);
      const answered = accepting.push(connecting.greeting);
      if (answered.kind !== 'more' || answered.answer === undefined) return t.fail(JSON.stringify(answered));
      change(1);
      const opened = connecting.push(answered.answer);
      if (opened.kind !== 'hello' || !opened.records || !opened.answer) return t.fail(JSON.stringify(opened));
      change(2);
      const accepted = accepting.push(opened.answer);
      if (accepted.kind !== 'hello' || !accepted.records) return t.fail(JSON.stringify(accepted));
      for (const [from, to] of [
        [opened.records, accepted.records],
        [accepted.records, opened.records],
      ] as const) {
        const heard: Uint8Array[] = [];
        t.is(
          to.reader.push(Buffer.concat(from.writer.seal(Buffer.from('hello'))), (bytes) => heard.push(bytes)),
          null,
        );
        t.is(Buffer.concat(heard).toString(), 'hello');
      }
    }
  });
}

/** The three parts of a handshake, as far as the one that is damaged first. */
const parts = ['the greeting', 'its answer', 'the first record'] as const;

for (const [index, part] of parts.entries()) {
  test(`${part} with any bit flipped, or cut off anywhere, begins no connection and is not answered`, (t) => {
    const damage = (bytes: Uint8Array, number: number): Uint8Array | undefined =>
      number < bytes.length ? cutOff(bytes)[number] : flip(bytes, number - bytes.length);
    for (let number = 0, length = Infinity; number < 9 * length; number++) {
      const { connecting, accepting } = ends();
      let receiver: AcceptingHandshake | ConnectingHandshake = accepting;
      let bytes: Uint8Array = connecting.greeting;
      if (index > 0) {
        const answered = accepting.push(bytes);
        bytes = answered.kind === 'more' && answered.answer ? answered.answer : new Uint8Array(0);
        receiver = connecting;
      }
      if (index > 1) {
        const opened = connecting.push(bytes);
        bytes = opened.kind === 'hello' && opened.answer ? opened.answer : new Uint8Array(0);
        receiver = accepting;
      }
      length = bytes.length;
      const result = receiver.push(damage(bytes, number) as Uint8Array);
      t.not(result.kind, 'hello', `damage ${number}`);
      if (result.kind !== 'bad') t.is(result.answer, undefined);
    }
  });
}

/** What somebody says who connects and has this share, made by hand. */
function greetingWith(keyring: Keyring, share: Uint8Array): Buffer {
  const id = Buffer.alloc(4);
  id.writeUInt32BE(keyring.used.id);
  const address = Buffer.from('127.0.0.1:1');
  const said = [
    Buffer.from([...meshMagic, 2]),
    id,
    tag,
    randomBytes(16),
    share,
    Buffer.from([address.length]),
    address,
  ];
  const body = Buffer.concat(said);
  const proof = createHmac('sha256', keyring.used.derive('greeting of who is connecting', tag)).update(body).digest();
  return Buffer.concat([body, proof]);
}

test('who has the key and has recorded a connection cannot read it; its ends can, who forget what it takes', (t) => {
  const { keyring, accepting } = ends();
  const share = drawShare();
  const greeting = greetingWith(keyring, share.bytes);
  const answered = accepting.push(greeting);
  if (answered.kind !== 'more' || answered.answer === undefined) return t.fail(JSON.stringify(answered));
  const { answer } = answered;
  const theirs = answer.subarray(33, 65);
  const secret = share.secretWith(theirs) as Buffer;
  const recordsWith = (known: Uint8Array, writer: 'connecting' | 'accepting') => {
    const transcript = createHash('sha256').update(known).update(greeting).update(answer).digest();
    return { keyring, key: keyring.used, transcript, writer };
  };
  const opened = accepting.push(Buffer.concat(new RecordWriter(recordsWith(secret, 'connecting')).prove()));
  if (opened.kind !== 'hello' || !opened.records) return t.fail(JSON.stringify(opened));
  const recorded = Buffer.concat(opened.records.writer.seal(Buffer.from('hello')));
  const read = (known: Uint8Array): string | null => {
    const heard: Uint8Array[] = [];
    const reason = new RecordReader(recordsWith(known, 'accepting')).push(recorded, (bytes) => heard.push(bytes));
    return reason === null ? Buffer.concat(heard).toString() : null;
  };
  t.is(read(secret), 'hello');
  const thief = drawShare();
  const guesses = [Buffer.alloc(0), Buffer.alloc(32), share.bytes, theirs];
  for (const other of [share.bytes, theirs]) guesses.push(thief.secretWith(other) as Buffer);
  for (const guess of guesses) t.is(read(guess), null);
});

test('a share that makes a secret that anybody knows is not taken', (t) => {
  const { keyring, accepting } = ends();
  t.is(accepting.push(greetingWith(keyring, Buffer.alloc(32))).kind, 'bad');
});

test('a connection ends when the key that its other end still uses is removed, though what comes is authentic', (t) => {
  const keyring = new Keyring([domainKey(old), domainKey(next)]);
  const common = { keyring, key: domainKey(old), transcript: randomBytes(32), writer: 'accepting' } as const;
  const writer = new RecordWriter({ ...common, keyring: new Keyring([domainKey(old)]) });
  const reader = new RecordReader(common);
  const heard: Uint8Array[] = [];
  const take = (bytes: Uint8Array) => heard.push(bytes);
  t.is(reader.push(Buffer.concat(writer.seal(Buffer.from('before'))), take), null);
  keyring.replace([domainKey(next)]);
  t.regex(reader.push(Buffer.concat(writer.seal(Buffer.from('after'))), take) ?? '', /was removed here/);
  t.is(Buffer.concat(heard).toString(), 'before');
});
