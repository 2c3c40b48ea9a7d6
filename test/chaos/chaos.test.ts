/** The scenarios, each in its short form. */
import test from 'ava';
import { openStage } from '../trials/stage.js';
import { whyNoHosts } from './hosts.js';
import { inMB, inWords, play, short } from './play.js';
import { scenarios } from './scenarios.js';

const whyHosts = whyNoHosts();

for (const scenario of scenarios) {
  const why = (scenario.onHosts ? whyHosts : null) ?? scenario.whyNot?.() ?? null;
  if (why !== null) console.log(`${scenario.name} is not played: ${why}`);
  const run = why === null ? test.serial : test.serial.skip;
  run(`${scenario.name}: ${scenario.did}`, async (t) => {
    const stage = openStage(`chaos-${scenario.name}`);
    let isWell = false;
    t.teardown(() => stage.clear(!isWell));
    const { violations, silence, view, memory } = await play(stage, scenario, short);
    isWell = violations.length === 0;
    t.deepEqual(violations, [], `traces and logs: ${stage.folder}`);
    t.log(`silence ${inWords(silence)} ms${view ? `, new view ${inWords(view)} ms` : ''}, ${inMB(memory)}`);
  });
}
