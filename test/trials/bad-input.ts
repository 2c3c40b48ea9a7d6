/**
 * What is wrong is refused with a clear error or dropped and counted, and disturbs nothing else: command lines, ports,
 * interfaces, files, values, sizes, and garbage on every port while traffic flows.
 */
import { createSocket } from 'node:dgram';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { domainMulticast } from '../../transport/addresses.js';
import { InvalidOption, groups } from '../../actors/index.js';
import { throwEchoes, throwGarbage } from './garbage.js';
import { run } from './run.js';
import { cli, freshDomain, type Stage } from './stage.js';
import { assembleTable, differentStates, type TableCrew } from './table-crew.js';
import { most, rounded, sameness, type Report, type Trial } from './trial.js';

const commandMillisMax = 20_000;
const warmUpMillis = 500;
const mebibyte = 1024 * 1024;
/** Between deliveries at a member under load. */
const pauseMillisMax = 1000;
/** Of what is thrown; the rest may be lost where sockets overflow. */
const countedShareMin = 0.9;

interface BadCommand {
  readonly what: string;
  readonly args: readonly string[];
  readonly code: number;
  readonly says: RegExp;
}

async function refuse(stage: Stage, report: Report, { what, args, code, says }: BadCommand): Promise<void> {
  const name = what.replaceAll(/\W+/g, '-');
  const ended = await run(stage, name, process.execPath, [cli, ...args], commandMillisMax);
  const lines = ended.stderr.trim().split('\n');
  const said = lines.find((line) => says.test(line)) ?? lines.at(-1) ?? '';
  report.must(what, ended.code === code && says.test(ended.stderr), `exit status ${ended.code}: ${said}`);
}

/** Command lines, ports, interfaces and files. */
async function badCommands(stage: Stage, report: Report): Promise<void> {
  const member = ['member', '--domain', freshDomain(), '--group', 'g'];
  const input = path.join(stage.folder, 'events');
  for (const ending of ['json', 'jsonl']) {
    writeFileSync(`${input}.${ending}`, '{"origin":"SFO","delay":1}\nno JSON here\n');
  }
  const taken = createSocket('udp4');
  stage.defer(() => taken.close());
  const { address, port } = domainMulticast(freshDomain());
  await new Promise<void>((resolve) => taken.bind(port, address, resolve));
  const list: BadCommand[] = [
    { what: 'unknown option', args: [...member, '--colour'], code: 2, says: /unknown option '--colour'/ },
    {
      what: 'port in use',
      args: [...member, '--multicast', `${address}:${port}`],
      code: 1,
      says: /EADDRINUSE.*choose another port/,
    },
    { what: 'no such interface', args: [...member, '--interface', 'nowhere0'], code: 1, says: /nowhere0/ },
    { what: 'no such address', args: [...member, '--interface', '192.0.2.1'], code: 1, says: /192\.0\.2\.1/ },
    {
      what: 'input not JSON lines',
      args: ['demo', '--input', `${input}.jsonl`],
      code: 1,
      says: /events\.jsonl:2: not JSON/,
    },
    { what: 'input not JSON', args: ['demo', '--input', `${input}.json`], code: 1, says: /events\.json: not JSON/ },
    { what: 'no such input', args: ['demo', '--input', '/nowhere.jsonl'], code: 1, says: /nowhere\.jsonl/ },
  ];
  for (const each of list) await refuse(stage, report, each);
  let said = 'taken';
  try {
    groups({ domain: 'd', colour: 'red' } as never);
  } catch (error) {
    said = error instanceof InvalidOption ? error.message : `not an InvalidOption: ${String(error)}`;
  }
  report.must('unknown option of groups()', said.includes("'colour'"), said);
}

/** Three members with a small table under 300 changes a second. */
async function underLoad(stage: Stage): Promise<TableCrew> {
  const crew = await assembleTable(stage, { kind: 'buckets', entries: 1000, bytes: 100 }, ['a', 'b', 'c']);
  await Promise.all(crew.nodes.map((node) => node.call('load', { rate: 100, bytes: 100 })));
  await sleep(warmUpMillis);
  await Promise.all(crew.nodes.map((node) => node.call('stretch', null)));
  return crew;
}

/** Ends the load and says what was disturbed. */
async function undisturbed(crew: TableCrew, report: Report, title: string): Promise<void> {
  const stretches = await Promise.all(crew.nodes.map((node) => node.call('stretch', null)));
  const pauses = stretches.map(({ pause }) => pause);
  report.atMost(`${title}: longest pause of the traffic`, most(pauses), pauseMillisMax, 'ms');
  const sent = await Promise.all(crew.nodes.map((node) => node.call('unload', null)));
  const failed = sent.reduce((sum, each) => sum + each.failed, 0);
  report.atMost(`${title}: multicasts that failed`, failed, 0, '', `of ${sent.reduce((sum, s) => sum + s.sent, 0)}`);
  const looks = await Promise.all(crew.nodes.map((node) => node.call('look', null)));
  const problems = looks.flatMap(({ suspicions, departures }) => [...suspicions, ...departures]);
  report.atMost(`${title}: suspicions`, problems.length, 0, '', problems.join('; ') || 'none');
  const different = await differentStates(crew);
  report.must(`${title}: states`, different === 1, sameness(different));
}

/** Values that cannot be sent, and messages of all sizes. */
async function badValues(stage: Stage, report: Report): Promise<void> {
  const crew = await underLoad(stage);
  const [a] = crew.nodes;
  if (!a) return;
  for (const kind of ['function', 'symbol', 'class', 'cycle'] as const) {
    const said = await a.call('attempt', kind);
    report.must(`a ${kind} in a message`, said.startsWith('NotEncodable') && said.includes('nested[0]'), said);
  }
  const refused = await a.call('bytes', 16 * mebibyte + 1).catch((error: unknown) => String(error));
  report.must('a message of 16 MiB and a byte', /limit/.test(refused ?? ''), refused ?? 'sent');
  const from = performance.now();
  await a.call('bytes', 10 * mebibyte);
  const states = await Promise.all(crew.nodes.map((node) => node.call('state', null)));
  report.must(
    'a message of 10 MiB arrives',
    states.every(({ lastLoad }) => lastLoad !== '' && lastLoad === states[0]?.lastLoad),
    `stable after ${(performance.now() - from).toFixed(0)} ms`,
  );
  await undisturbed(crew, report, 'values and sizes');
}

/** Garbage on all ports while traffic flows. */
export async function garbage(stage: Stage, report: Report, count: number): Promise<void> {
  const crew = await underLoad(stage);
  const addresses = await Promise.all(crew.nodes.map((node) => node.call('address', null)));
  const countDropped = async () => {
    const all = await Promise.all(crew.nodes.map((node) => node.call('statistics', null)));
    return all.reduce(
      (sum, { droppedMalformed = 0, droppedForeign = 0 }) => sum + droppedMalformed + droppedForeign,
      0,
    );
  };
  const before = await countDropped();
  const target = { multicast: domainMulticast(crew.domain), nodes: addresses };
  const thrown = await throwGarbage(stage, target, count);
  await sleep(200);
  const counted = (await countDropped()) - before;
  const expected = thrown.multicasts * crew.nodes.length + thrown.unicasts;
  const echoes = await throwEchoes(stage, target, Math.ceil(count / 10));
  await undisturbed(crew, report, 'garbage');
  report.atLeast(
    'garbage: dropped and counted',
    counted / expected,
    countedShareMin,
    'of all',
    `${counted} of ${expected}; also ${thrown.connections} connections, ${echoes} cut or repeated datagrams`,
  );
  const rss = await Promise.all(crew.nodes.map((node) => node.call('statistics', null)));
  report.measure('garbage: memory after', `${rounded(most(rss.map((each) => each['rss'] ?? NaN)) / 1e6)} MB at most`);
}

/** Everything that can be wrong from outside. */
export const badInput: Trial = {
  name: 'bad-input',
  shows: 'what is wrong is refused clearly or dropped and counted, and nothing else is disturbed',
  async run(stage, report, length) {
    await badCommands(stage, report);
    await badValues(stage, report);
    await garbage(stage, report, length === 'long' ? 10_000 : 2000);
  },
};
