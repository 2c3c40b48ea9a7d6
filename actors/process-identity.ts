/**
 * What tells this process from all that are, were and will be on its machine, so that another can ask the system whether it
 * is dead. Linux only: the number of the boot, of the space in which process ids count, the id, and when it started.
 *
 * A process is dead if there is none of its id, or one that started at another time, or if it has ended and merely was not
 * looked at by its parent. Whatever cannot be told for certain (another machine, another container, no permission) is not
 * death.
 */
import { readFileSync, readlinkSync } from 'node:fs';

/** This process; '' where the system does not tell. */
export function ownProcess(): string {
  try {
    const stat = statOf(process.pid);
    return stat === undefined ? '' : `${whereabouts()} ${process.pid} ${stat.started}`;
  } catch {
    return '';
  }
}

/** Whether the process of this identity is certainly dead. */
export function isDead(identity: string): boolean {
  try {
    const [boot = '', space = '', pid, started, ...rest] = identity.split(' ');
    const number = Number(pid);
    if (`${boot} ${space}` !== whereabouts() || !Number.isSafeInteger(number) || number < 1 || rest.length > 0)
      return false;
    const stat = statOf(number);
    // a system may hide the processes of others from its listing
    if (stat === undefined) return isNobody(number);
    return stat.started !== started || stat.state === 'Z' || stat.state === 'X';
  } catch {
    return false;
  }
}

/** Within which a process id and a start time name one process. */
function whereabouts(): string {
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return `${boot} ${readlinkSync('/proc/self/ns/pid')}`;
}

/** What the system says of a process; undefined if it shows none. Throws if it does not say. */
function statOf(pid: number): { readonly state: string; readonly started: string } | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw error;
  }
  // the name before it may hold anything, parentheses too
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, started] = [fields[0], fields[19]];
  if (state === undefined || started === undefined) throw new Error('not what proc(5) says');
  return { state, started };
}

function isNobody(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
