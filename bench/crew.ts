/**
 * The processes of one contender at one point: started, commanded, and gone again whatever happens.
 *
 * Every wait has an end, and the processes are killed when a crew is dismissed and when anything in them fails.
 */
import type { ChildProcess } from 'node:child_process';
import { nameOf } from './plan.js';
import type { Contender, Point } from './plan.js';
import { isLiving, privateNetwork, startProcess } from './processes.js';
import type { Answer, Assignment, Command } from './protocol.js';

/** Processes at work. */
export interface Crew {
  /** What the first process says about its sockets. */
  readonly description: string;
  /** Commands all and waits for the answer of each, by index. */
  ask<K extends Answer['kind']>(command: Command, kind: K, millisMax: number): Promise<Extract<Answer, { kind: K }>[]>;
  /** Asks all to end, and kills who does not. */
  dismiss(): Promise<void>;
}

/** What went wrong with a measurement; the message says what, the run goes on with the next. */
export class MeasurementFailed extends Error {
  override readonly name: string = 'MeasurementFailed';
}

const readyMillisMax = 20_000;
const endMillisMax = 5_000;

let crews = 0;

/** What a contender's processes run. */
function fileOf(contender: Contender): string {
  if (contender.kind === 'groups') return './member.js';
  if (contender.kind !== 'peer') return './raw.js';
  return contender.peer === 'corosync' ? './peers/corosync.js' : './peers/member.js';
}

interface Member {
  readonly child: ChildProcess;
  readonly answers: Answer[];
  failure: string | undefined;
}

/** Starts a crew; the first process is ready before the others start, so that it is the oldest member. */
export async function assemble(contender: Contender, point: Point, profiles: string | undefined): Promise<Crew> {
  const network = privateNetwork();
  crews += 1;
  const members: Member[] = [];
  let news: () => void = () => undefined;

  function start(index: number): void {
    const assignment: Assignment = { contender, point, index, ...network };
    const file = fileOf(contender);
    const name = `${nameOf(contender)}-${point.values}-${point.bytes}-${point.senders}-${index}.${crews}.cpuprofile`;
    const execArgv = profiles ? ['--cpu-prof', `--cpu-prof-dir=${profiles}`, `--cpu-prof-name=${name}`] : [];
    const child = startProcess(new URL(file, import.meta.url), assignment, execArgv);
    const member: Member = { child, answers: [], failure: undefined };
    child.on('message', (answer: Answer) => {
      if (answer.kind === 'failed') member.failure ??= answer.why;
      else member.answers.push(answer);
      news();
    });
    child.on('error', (error) => {
      member.failure ??= error.message;
      news();
    });
    child.on('exit', (code, signal) => {
      member.failure ??= `process ${index} ended with ${code ?? signal ?? 'nothing'}`;
      news();
    });
    members[index] = member;
  }

  async function collect<K extends Answer['kind']>(
    kind: K,
    millisMax: number,
  ): Promise<Extract<Answer, { kind: K }>[]> {
    const until = performance.now() + millisMax;
    for (;;) {
      const failure = members.find((member) => member.failure !== undefined)?.failure;
      if (failure !== undefined) throw new MeasurementFailed(failure);
      const found = members.map(({ answers }) => answers.find((answer) => answer.kind === kind));
      if (found.every((answer) => answer !== undefined)) {
        for (const { answers } of members)
          answers.splice(
            answers.findIndex((answer) => answer.kind === kind),
            1,
          );
        return found as Extract<Answer, { kind: K }>[];
      }
      const left = until - performance.now();
      if (left <= 0) throw new MeasurementFailed(`no '${kind}' from all processes within ${millisMax} ms`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        news = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  async function dismiss(): Promise<void> {
    const ends = members
      .filter(({ child }) => isLiving(child))
      .map(({ child }) => {
        const end = new Promise((resolve) => child.once('exit', resolve));
        const timer = setTimeout(() => child.kill('SIGKILL'), endMillisMax);
        if (child.connected) child.send({ kind: 'end' } satisfies Command, () => undefined);
        return end.then(() => clearTimeout(timer));
      });
    await Promise.all(ends);
  }

  try {
    start(0);
    const [first] = await collect('ready', readyMillisMax);
    for (let index = 1; index < point.members; index++) start(index);
    members[0]?.answers.push({ kind: 'ready', description: '' });
    await collect('ready', readyMillisMax);
    await collect('full', readyMillisMax);
    return {
      description: first?.description ?? '',
      async ask(command, kind, millisMax) {
        for (const { child } of members) child.send(command);
        return collect(kind, millisMax);
      },
      dismiss,
    };
  } catch (error) {
    await dismiss();
    throw error;
  }
}
