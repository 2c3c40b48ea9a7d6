/** Addresses are read and written, refused with what to write instead, and derived from a domain’s name. */
import test from 'ava';
import {
  domainMulticast,
  domainTag,
  formatAddress,
  multicastEndpoint,
  parseAddress,
  parseHostPort,
} from '../../transport/addresses.js';
import { TransportError } from '../../transport/errors.js';

test('numeric addresses are taken apart and put together', (t) => {
  for (const [text, host, port, family] of [
    ['127.0.0.1:41234', '127.0.0.1', 41_234, 4],
    ['[::1]:1', '::1', 1, 6],
    ['[fe80::1:2]:65535', 'fe80::1:2', 65_535, 6],
  ] as const) {
    t.deepEqual(parseAddress(text), { host, port, family });
    t.is(formatAddress(host, port), text);
  }
  t.deepEqual(parseHostPort('db.example.org:7000'), { host: 'db.example.org', port: 7000 });
});

test('what is no address is refused with what to write instead', (t) => {
  for (const [text, words] of [
    ['', /host:port/],
    ['127.0.0.1', /host:port/],
    ['127.0.0.1:', /host:port/],
    ['::1:80', /\[host\]:port for IPv6/],
    ['[127.0.0.1]:80', /brackets are for IPv6/],
    ['127.0.0.1:0', /1 to 65535/],
    ['127.0.0.1:65536', /1 to 65535/],
    ['localhost:80', /not a numeric/],
    ['127.0.0.1:80\n', /host:port/],
  ] as const) {
    const error = t.throws(() => parseAddress(text), { instanceOf: TransportError, message: words });
    t.true(error?.message.includes(`'${text}'`));
  }
});

test('over IPv6 a domain has one that nobody has assigned, of its organization only', (t) => {
  const seen = new Set<string>();
  for (let i = 0; i < 2000; i++) {
    const { address, port } = domainMulticast(`domain ${i}`, 6);
    t.regex(address, /^ff18::[89a-f][\da-f]{3}:[\da-f]{1,4}$/);
    t.deepEqual(multicastEndpoint(address, port), { host: address, port, family: 6 });
    t.is(port, domainMulticast(`domain ${i}`).port);
    seen.add(`${address}:${port}`);
  }
  t.true(seen.size >= 1999);
  t.deepEqual(multicastEndpoint('FF15:0::0:7', 9), { host: 'ff15::7', port: 9, family: 6 });
});

test('a domain has one multicast address and port, in the ranges meant for them, and others have others', (t) => {
  const seen = new Set<string>();
  for (let i = 0; i < 2000; i++) {
    const { address, port } = domainMulticast(`domain ${i}`);
    const [a = 0, b = 0, , d = 0] = address.split('.').map(Number);
    t.true(a === 239 && b >= 192 && b <= 195 && d >= 1 && d <= 254, address);
    t.true(port >= 20_000 && port <= 29_999);
    seen.add(`${address}:${port}`);
  }
  t.true(seen.size >= 1999);
  // nodes of different versions must agree on this for ever
  t.deepEqual(domainMulticast('shop'), domainMulticast('shop'));
  t.notDeepEqual(domainTag('shop'), domainTag('shop2'));
});
