/** Progress is a bar on a terminal and lines elsewhere; nothing of it stays when it is done. */
import { PassThrough } from 'node:stream';
import test from 'ava';
import { openProgress, showTransfer } from '../../actors/tools/progress.js';

/** A stream that remembers what is written to it. */
function stream(isTTY: boolean) {
  const through = Object.assign(new PassThrough(), { isTTY, columns: 80, cursorTo: () => true, clearLine: () => true });
  let written = '';
  through.on('data', (chunk) => (written += String(chunk)));
  return { through, written: () => written };
}

test('without a terminal: lines, and no bar', (t) => {
  const { through, written } = stream(false);
  const other = stream(false);
  const progress = openProgress(3, through);
  progress.to(1, 'one');
  progress.say('first');
  progress.say('second', other.through);
  progress.close();
  t.is(written(), 'first\n');
  t.is(other.written(), 'second\n');
});

test('on a terminal: a bar with how far it is and a note, and lines that stand above it', (t) => {
  const { through, written } = stream(true);
  const progress = openProgress(3, through);
  progress.to(2, 'b');
  progress.say('a line');
  progress.close();
  t.regex(written(), /2\/3 .*b/);
  t.true(written().includes('\r\u001b[Ka line\n'));
});

test('a state on its way is shown on a terminal only', (t) => {
  const terminal = stream(true);
  const progress = { from: 'a#1', to: 'b#2', bytes: 12_340_000, done: false };
  showTransfer(progress, 'b#2', terminal.through);
  showTransfer({ ...progress, done: true }, 'a#1', terminal.through);
  t.is(terminal.written(), '\r\u001b[Kstate from a#1: 12.3 MB\r\u001b[Kstate for b#2: 12.3 MB: complete\n');
  const file = stream(false);
  showTransfer(progress, 'b#2', file.through);
  t.is(file.written(), '');
});
