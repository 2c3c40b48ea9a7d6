/** Connections that say nothing, or too little, or are too many keep nobody out for long, and fill no log. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { guestsMax, nodesMax, strangersMax } from '../../lib/limits.js';
import { domainTag } from '../../transport/addresses.js';
import { type Door, listen, openDoor } from '../../transport/door.js';
import { encodeGreeting, GreetingReader } from '../../transport/framing.js';
import { createReporter } from '../../transport/reporter.js';

const tag = domainTag('d');
const patience = 20_000;

/** A connection, and whether it has ended. */
interface Visitor {
  readonly socket: Socket;
  isOver: boolean;
}

interface House {
  readonly door: Door;
  readonly greeted: string[];
  readonly lines: string[];
  readonly visit: () => Promise<Visitor>;
}

async function house(t: ExecutionContext): Promise<House> {
  const server = createServer();
  await listen(server, '127.0.0.1', 0);
  const { port } = server.address() as AddressInfo;
  const greeted: string[] = [];
  const lines: string[] = [];
  const reporter = createReporter(({ message }) => void lines.push(message));
  const door = openDoor({
    server,
    address: `127.0.0.1:${port}`,
    reporter,
    handshake: () => new GreetingReader(tag),
    objection: () => null,
    greeted: (_socket, address) => void greeted.push(address),
  });
  const visitors: Socket[] = [];
  t.teardown(() => {
    reporter.close();
    for (const socket of [...visitors, ...door.sockets]) socket.destroy();
    return door.close();
  });
  return {
    door,
    greeted,
    lines,
    visit: () =>
      new Promise((resolve) => {
        const socket = connect(port, '127.0.0.1');
        const visitor = { socket, isOver: false };
        visitors.push(socket);
        socket.on('error', () => undefined);
        socket.on('close', () => (visitor.isOver = true));
        socket.resume();
        socket.once('connect', () => resolve(visitor));
      }),
  };
}

async function until(holds: () => boolean, what: string): Promise<void> {
  const end = performance.now() + patience;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`not within ${patience} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test.serial('of those who say nothing the oldest make room, and who greets is let in', async (t) => {
  const { door, greeted, lines, visit } = await house(t);
  const silent: Visitor[] = [];
  for (let i = 0; i < strangersMax + 100; i++) silent.push(await visit());
  await until(() => silent.filter(({ isOver }) => isOver).length >= 100, 'the oldest are hung up on');
  t.true(silent.slice(0, 100).every(({ isOver }) => isOver));
  t.true(door.sockets.size <= strangersMax);
  const { socket } = await visit();
  socket.write(encodeGreeting(tag, '127.0.0.1:4000'));
  await until(() => greeted.length === 1, 'who greets is let in');
  t.true(lines.length <= 2, lines.join('\n'));
});

test.serial('who greets a byte at a time, or stops in the middle of it, is hung up on in the end', async (t) => {
  const { door, greeted, visit } = await house(t);
  const [slow, half] = [await visit(), await visit()];
  const greeting = encodeGreeting(tag, '127.0.0.1:4000');
  half.socket.write(greeting.subarray(0, greeting.length - 1));
  // a byte every second takes longer than there is
  let at = 0;
  const timer = setInterval(() => slow.socket.write(greeting.subarray(at, ++at)), 1000);
  t.teardown(() => clearInterval(timer));
  await until(() => slow.isOver && half.isOver, 'both are hung up on');
  t.deepEqual(greeted, []);
  t.is(door.sockets.size, 0);
});

test.serial(
  'as many come in as a domain has nodes, whoever else says nothing, and others when some are gone',
  async (t) => {
    const { door, greeted, lines, visit } = await house(t);
    const guests: Visitor[] = [];
    t.true(guestsMax >= nodesMax);
    for (let i = 0; i < guestsMax; i++) {
      const guest = await visit();
      guest.socket.write(encodeGreeting(tag, `127.0.0.1:${4000 + i}`));
      guests.push(guest);
      if (i % 100 === 99) await until(() => greeted.length > i, 'they are in');
    }
    await until(() => greeted.length === guestsMax, 'all are in');
    const isIn = ({ isOver }: Visitor) => !isOver;
    t.true(guests.every(isIn));
    for (let i = 0; i < strangersMax; i++) await visit();
    await until(() => door.sockets.size === guestsMax + strangersMax, 'strangers have room of their own');
    const late: Visitor[] = [];
    for (let i = 0; i < 50; i++) {
      const guest = await visit();
      guest.socket.write(encodeGreeting(tag, `127.0.0.1:${4000 + i}`));
      late.push(guest);
    }
    await until(() => late.every(({ isOver }) => isOver), 'the others are hung up on');
    t.is(greeted.length, guestsMax);
    t.true(guests.every(isIn));
    const told = lines.filter((line) => line.includes(`there are ${guestsMax} already`)).length;
    t.true(told > 0 && told <= 2, lines.join('\n'));
    const before = door.sockets.size;
    guests[0]?.socket.destroy();
    await until(() => door.sockets.size < before, 'one is gone');
    const { socket } = await visit();
    socket.write(encodeGreeting(tag, '127.0.0.1:9999'));
    await until(() => greeted.at(-1) === '127.0.0.1:9999', 'another is let in');
  },
);
