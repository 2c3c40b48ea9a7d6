/** Members that are started first, and then join at one moment. */
import { readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Ground } from './ground.js';
import { preloading } from './preload.js';

let gates = 0;

/** Starts these members, up to their joining; resolves when all are there, with what lets them in. */
export async function startGated(ground: Ground, names: readonly string[]): Promise<() => void> {
  const { folder } = ground.stage;
  gates += 1;
  const gate = `gate-${gates}`;
  for (const name of names) ground.start(name, preloading('gate.js', { GATE: path.join(folder, gate) }));
  const isThere = (file: string) => file.startsWith(`${gate}-`);
  while (readdirSync(folder).filter(isThere).length < names.length) await sleep(20);
  return () => writeFileSync(path.join(folder, gate), '');
}
