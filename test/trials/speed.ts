/**
 * Total order is faster than raw UDP multicast where messages are small, since many share a datagram: deliveries a
 * second counted in the user's function, next to raw multicast (one datagram per message) in the same run.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { run } from './run.js';
import { root } from './stage.js';
import { rounded, type Trial } from './trial.js';

const benchMillisMax = 11 * 60 * 1000;
const ratioMin = 2;

/** What is read of the benchmark's own report. */
interface Row {
  readonly bytes: number;
  readonly senders: string;
  readonly contender: string;
  readonly rate: { readonly median: number } | null;
  readonly ratio: { readonly median: number; readonly least: number; readonly most: number } | null;
  readonly failures: readonly string[];
}

/** Total order at 100 B at least twice as fast as raw. */
export const speed: Trial = {
  name: 'speed',
  shows: 'total order at 100 B to three receivers is at least 2 times raw UDP multicast in the same run',
  async run(stage, report, length) {
    const file = path.join(stage.folder, 'bench.json');
    const sizes = ['--sizes', '100,1k,10k', '--senders', 'one,all', '--orders', 'total'];
    const effort = length === 'long' ? [] : ['--quick'];
    const script = path.join(root, 'dist/bench/main.js');
    const args = [script, ...sizes, ...effort, '--json', file];
    const { code, stdout, stderr } = await run(stage, 'bench', process.execPath, args, benchMillisMax);
    console.log(stdout);
    report.must('benchmark without losses', code === 0, code === 0 ? 'exit status 0' : stderr);
    const { rows } = JSON.parse(readFileSync(file, 'utf8')) as { rows: readonly Row[] };
    for (const { bytes, senders, contender, rate, ratio } of rows) {
      const title = `${bytes} B, ${senders === 'one' ? 'one sender' : 'all sending'}, ${contender}`;
      const perSecond = `${rounded((rate?.median ?? NaN) / 1000)} k/s per receiver`;
      if (contender === 'raw') report.measure(title, perSecond);
      else if (bytes === 100 && senders === 'one') {
        const range = `${rounded(ratio?.least ?? NaN)} to ${rounded(ratio?.most ?? NaN)}; ${perSecond}`;
        report.atLeast(title, ratio?.median ?? NaN, ratioMin, 'times raw', range);
      } else report.measure(title, `${perSecond}, ${rounded(ratio?.median ?? NaN)} times raw`);
    }
  },
};
