/** The README's first command on a clean clone: everything is set up and the demo comes to its end. */
import path from 'node:path';
import { run } from './run.js';
import { root } from './stage.js';
import type { Trial } from './trial.js';

const limitMillis = 90_000;
/** Enough to see by how much the bar was missed. */
const runMillisMax = 5 * 60 * 1000;

/** `npm ci && npm start` on a clean clone. */
export const readme: Trial = {
  name: 'readme',
  shows: '`npm ci && npm start` on a clean clone ends well within 90 s',
  async run(stage, report) {
    const clone = path.join(stage.folder, 'x');
    const cloned = await run(stage, 'clone', 'git', ['clone', '--quiet', root, clone], 60_000);
    report.must('clone', cloned.code === 0, `exit status ${cloned.code}`);
    const from = performance.now();
    const steps = [
      ['npm ci', ['ci']],
      ['npm start', ['start']],
    ] as const;
    for (const [what, args] of steps) {
      const name = what.replace(' ', '-');
      const { code, stdout, millis } = await run(stage, name, 'npm', args, runMillisMax, { cwd: clone, group: true });
      const last = stdout.trim().split('\n').at(-1) ?? '';
      report.must(what, code === 0, `exit status ${code} after ${(millis / 1000).toFixed(1)} s: ${last}`);
    }
    report.atMost('npm ci && npm start', (performance.now() - from) / 1000, limitMillis / 1000, 's');
  },
};
