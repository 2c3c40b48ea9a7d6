/** The scenarios, each in its short form. */
import test from 'ava';
import { openStage } from '../trials/stage.js';
import { whyNoHosts } from './hosts.js';
import { play } from './play.js';
import { scenarios } from './scenarios.js';

const why = whyNoHosts();
if (why !== null) console.log(`scenarios between hosts are not played: ${why}`);

for (const scenario of scenarios) {
  const run = scenario.onHosts && why !== null ? test.serial.skip : test.serial;
  run(`${scenario.name}: ${scenario.did}`, async (t) => {
    const stage = openStage(`chaos-${scenario.name}`);
    let isWell = false;
    t.teardown(() => stage.clear(!isWell));
    const row = await play(stage, scenario, false);
    isWell = row.violations.length === 0;
    t.deepEqual(row.violations, [], `traces and logs: ${stage.folder}`);
    t.log(`silence ${row.median.toFixed(0)} / ${row.most.toFixed(0)} ms`);
  });
}
