/** Control groups of Linux, either version: a process can be frozen by them, or get a part of a processor. */
import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** What can be done to a process, and undone. */
export interface Control {
  /** Does it, or undoes it. */
  readonly set: (isOn: boolean) => void;
  /** Lets the process go, and removes the control group. Does nothing if that was done. */
  readonly remove: () => void;
}

interface Kind {
  /** Of version 1, as it is mounted. */
  readonly folder: string;
  readonly file: string;
  readonly on: string;
  readonly off: string;
  readonly second: { readonly file: string; readonly on: string; readonly off: string };
}

const top = '/sys/fs/cgroup';

const kinds = {
  frozen: {
    folder: 'freezer',
    file: 'freezer.state',
    on: 'FROZEN',
    off: 'THAWED',
    second: { file: 'cgroup.freeze', on: '1', off: '0' },
  },
  // a twentieth of one processor, in slices of a tenth of a second
  throttled: {
    folder: 'cpu',
    file: 'cpu.cfs_quota_us',
    on: '5000',
    off: '-1',
    second: { file: 'cpu.max', on: '5000 100000', off: 'max 100000' },
  },
} as const satisfies Readonly<Record<string, Kind>>;

/** What control groups can do here. */
export type Doing = keyof typeof kinds;

interface Place {
  readonly folder: string;
  readonly file: string;
  readonly on: string;
  readonly off: string;
}

/** Where a process of this one's group can be put under such a control. */
function placeOf(doing: Doing): Place {
  const { folder, file, on, off, second } = kinds[doing];
  const first = path.join(top, folder);
  if (existsSync(path.join(first, 'cgroup.procs'))) return { folder: first, file, on, off };
  return { folder: top, ...second };
}

/** Why processes cannot be put under such a control here; null if they can. */
export function whyNotControlled(doing: Doing): string | null {
  const { folder, file } = placeOf(doing);
  const tried = path.join(folder, `nact-groups-${process.pid}-try`);
  try {
    mkdirSync(tried);
    accessSync(path.join(tried, file), constants.W_OK);
    return null;
  } catch (error) {
    return `control groups: ${(error as Error).message}`;
  } finally {
    if (existsSync(tried)) rmdirSync(tried);
  }
}

let made = 0;

/** Puts a process under a control, which is off at first. */
export function control(doing: Doing, pid: number): Control {
  const { folder, file, on, off } = placeOf(doing);
  made += 1;
  const group = path.join(folder, `nact-groups-${process.pid}-${made}`);
  mkdirSync(group);
  writeFileSync(path.join(group, 'cgroup.procs'), String(pid));
  return {
    set: (isOn) => writeFileSync(path.join(group, file), isOn ? on : off),
    remove() {
      if (!existsSync(group)) return;
      writeFileSync(path.join(group, file), off);
      const left = readFileSync(path.join(group, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean);
      for (const each of left) writeFileSync(path.join(folder, 'cgroup.procs'), each);
      rmdirSync(group);
    },
  };
}
