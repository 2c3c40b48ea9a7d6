/** One member of a group that counts what it is delivered, as a process of its own; it can send as much as is taken. */
import { Writable } from 'node:stream';
import { start } from 'nact';
import { createLogger, transports } from 'winston';
import { GroupFull, domain, groups, multicast, read, ready, spawnReplicated, views } from '../../actors/index.js';
import { startMeter } from './meter.js';
import { assignmentOf, serve } from './remote.js';

/** What the process is to be. */
export interface FloodNodeAssignment {
  readonly domain: string;
  readonly name: string;
  readonly key: string | null;
}

interface State {
  readonly count: number;
  /** Of all that was delivered, in its order. */
  readonly hash: number;
}

/** A message: its number and filler. */
interface Message {
  readonly number: number;
  readonly filler: string;
}

const fillerBytes = 80;
/** Own messages that are not delivered here. */
const outstandingMax = 4096;

const { domain: name, name: self, key } = assignmentOf<FloodNodeAssignment>();
const meter = startMeter();
const problems: string[] = [];
let viewsSeen = 0;
let lines = 0;
const told = new Writable({
  objectMode: true,
  write(line: unknown, _encoding, done) {
    lines += 1;
    const text = String(line);
    if (/suspected|starts anew|bug/.test(text)) problems.push(text);
    process.stderr.write(`${text}\n`);
    done();
  },
});
const system = start(
  { name: self },
  groups({
    domain: name,
    name: self,
    ...(key === null ? {} : { key }),
    logger: createLogger({ level: 'warn', transports: [new transports.Stream({ stream: told })] }),
  }),
);
await ready(system);
const ref = spawnReplicated(
  system,
  ({ count, hash }: State, { number, filler }: Message): State => {
    meter.delivered();
    return { count: count + 1, hash: (Math.imul(hash, 31) + number + filler.length) >>> 0 };
  },
  'flooded',
  { initialState: { count: 0, hash: 0 }, immutable: true },
);
views(ref).subscribe(() => (viewsSeen += 1));

const filler = 'x'.repeat(fillerBytes);
let isSending = false;
let outstanding = 0;
let number = 0;

async function sendAll(): Promise<void> {
  while (isSending) {
    try {
      for (let i = 0; i < 64 && outstanding < outstandingMax; i++) {
        outstanding += 1;
        void multicast(ref, { number: ++number, filler }).delivered.then(
          () => (outstanding -= 1),
          (error: unknown) => problems.push(String(error)),
        );
      }
    } catch (error) {
      outstanding -= 1;
      if (!(error instanceof GroupFull)) throw error;
    }
    await new Promise(setImmediate);
  }
}

const served = {
  /** Resolves when the member has the state. */
  arrived: (_: null) => read(ref, () => null),
  /** Sends as much as is taken. */
  send(_: null): void {
    isSending = true;
    void sendAll();
  },
  /** Sends no more; resolves when all own messages are delivered here. */
  async rest(_: null): Promise<number> {
    isSending = false;
    while (outstanding > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    return number;
  },
  stretch: (_: null) => meter.next(),
  look: (_: null) => ({ problems, views: viewsSeen, lines }),
  state: (_: null) => read(ref, (state) => state),
  statistics: (_: null) => domain(system).statistics(),
  memory: (_: null) => process.memoryUsage().rss,
  cpu: (_: null) => process.cpuUsage(),
};

/** What this process serves. */
export type FloodNode = typeof served;

serve(served);
