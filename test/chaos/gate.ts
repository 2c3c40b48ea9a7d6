/**
 * Loaded before a member (`node --import`): has everything loaded, says so with a file, and waits for another file. So many
 * processes can be started first, and then join at one moment.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import '../../actors/index.js';

const gate = process.env['GATE'];
if (gate === undefined) throw new Error('GATE is to name the file that is waited for');
writeFileSync(`${gate}-${process.pid}`, '');
while (!existsSync(gate)) await sleep(5);
