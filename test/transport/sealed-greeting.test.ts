/** Handshakes under a key while the key is being changed. */
import test from 'ava';
import { randomBytes } from 'node:crypto';
import { meshMagic } from '../../transport/framing.js';
import { domainKey, Keyring } from '../../transport/keyring.js';
import { AcceptingHandshake, ConnectingHandshake } from '../../transport/sealed-greeting.js';

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
