/**
 * The bytes of what has one form for ever (rule V3): a release that wrote them otherwise, or gave them other numbers, would not be understood
 * by the ones before, not even to be refused. A difference here is no golden file to accept, once there is a release.
 */
import test from 'ava';
import { type DomainId, nodeId } from '../../lib/ids.js';
import { controlMessage, isLasting } from '../../lib/membership/messages.js';
import type { ControlMessage } from '../../lib/membership/messages.js';
import { Reader, Writer } from '../../lib/wire/bytes.js';
import { beginSection, endSection, Section, writeHeader } from '../../lib/wire/packet.js';

const domain = 'a#17' as DomainId;
const rules = { quorum: 'majority', minimumWeight: 1.5, heartbeat: 0, timeout: 0 } as const;
const who = { incarnation: 300, name: 'b', address: 'y', weight: 2, process: 'p', metadata: '{}', publicKey: 'k' };

const lasting: readonly (readonly [ControlMessage, string])[] = [
  [{ kind: 'hello', name: 'b', address: 'y', padding: Uint8Array.of(0, 0) }, '0001620179020000'],
  [
    { kind: 'invitation', domain, number: 8, size: 2, proposer: nodeId('a', 17), address: 'x' },
    '0101611108020161110178',
  ],
  [{ kind: 'refusal', domain, why: 'no' }, '02016111026e6f'],
  [{ kind: 'expired', domain }, '03016111'],
  [
    { kind: 'heartbeat', domain, number: 8, size: 2, suspected: [300], lag: 5, strangers: [301] },
    '04016111080201ac020501ad02',
  ],
  [
    { kind: 'offer', domain, ...who, version: 2, least: 1, rules, seen: 7, hears: [17], proof: 9 },
    '05016111ac0201620179020170027b7d016b02010003000007011109',
  ],
  [{ kind: 'challenge', domain, number: 9 }, '0601611109'],
];

for (const [message, bytes] of lasting) {
  test(`'${message.kind}' has the bytes that it always had`, (t) => {
    const w = new Writer();
    controlMessage.write(w, message);
    const written = w.take();
    t.is(Buffer.from(written).toString('hex'), bytes);
    t.true(isLasting(new Reader(written)));
    t.deepEqual(controlMessage.read(new Reader(Uint8Array.from(Buffer.from(bytes, 'hex')))), message);
  });
}

test('what only members say is not among them', (t) => {
  const w = new Writer();
  controlMessage.write(w, { kind: 'ask', domain, after: 8 });
  t.false(isLasting(new Reader(w.take())));
  t.false(isLasting(new Reader(new Uint8Array(0))));
});

test('the headers of a packet and of a section have the bytes that they always had', (t) => {
  const w = new Writer();
  writeHeader(w, { version: 1, domain: 0x01020304, source: 300, destination: 17, founding: 0x05060708, number: 9 });
  const start = beginSection(w, Section.control);
  w.raw(Uint8Array.of(1, 2, 3));
  endSection(w, start);
  t.is(Buffer.from(w.take()).toString('hex'), '4e470104030201080706050900000000000000ac021101030000010203');
});
