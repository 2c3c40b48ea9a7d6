/**
 * A worker of `npm run sim`: plays the seeds it is given, one after the other, and sends back what came of each.
 */
import { parentPort } from 'node:worker_threads';
import { type Asked, play } from './play.js';

parentPort?.on('message', (asked: Asked) => parentPort?.postMessage(play(asked)));
