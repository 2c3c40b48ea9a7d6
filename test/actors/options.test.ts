/** Options that cannot be what was meant are refused before anything is opened, with their value and what to do. */
import test from 'ava';
import { groups, InvalidOption, type GroupsOptions } from '../../actors/index.js';

for (const [what, options, words] of [
  ['no options', undefined, /groups\(\) takes an object with domain, name.*not undefined/],
  ['null', null, /groups\(\) takes an object with domain.*not null/],
  [
    'a logger that is none',
    { logger: {} },
    /logger must be a winston logger, and \{\} has no log, error.*leave it out/,
  ],
  ['a trace that is none', { trace: 5 }, /trace must be a file's name or a function, not 5/],
  ['a transport by name', { transport: 'tcp' }, /transport must be one like udpMulticast\(\) or tcp\(\), not 'tcp'/],
  ['no transport', { transport: null }, /transport must be.*not null/],
  ['limits that are null', { limits: null }, /limits takes an object with windowBytes.*not null/],
  ['a limit that there is not', { limits: { foo: 1 } }, /limits has no option 'foo'; it has windowBytes/],
  ['a time that there is not', { detector: { timeoutt: 1 } }, /detector has no option 'timeoutt'; it has heartbeat/],
  [
    'a time beyond what timers take',
    { detector: { timeout: 2 ** 32 } },
    /detector\.timeout .*hour.*1 to 3600000, not 4294967296/,
  ],
  ['a heartbeat beyond it', { detector: { heartbeat: 1e12 } }, /detector\.heartbeat .*1 to 3600000, not 1000000000000/],
  ['a discovery beyond it', { detector: { discovery: 1e12 } }, /detector\.discovery .*0 to 3600000/],
  ['rejoin in words', { rejoin: 'no' }, /rejoin must be true or false, not no/],
  [
    'more nodes than a domain has',
    { minimumNodes: 5000 },
    /minimumNodes must be a whole number from 1 to 1024, not 5000/,
  ],
] as const) {
  test(`${what}: refused, with the remedy`, (t) => {
    const given = options === undefined || options === null ? options : { domain: 'd', ...options };
    t.throws(() => groups(given as GroupsOptions), { instanceOf: InvalidOption, message: words });
  });
}

test('the longest times are taken', (t) => {
  t.notThrows(() => groups({ domain: 'd', detector: { timeout: 3_600_000, discovery: 3_600_000 } }));
});
