/** The page in a browser: a living domain, traces, the keyboard, a narrow screen. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import anyTest from 'ava';
import { start, type Ref } from 'nact';
import {
  groups,
  inspector,
  leaveDomain,
  memory,
  memoryHub,
  multicast,
  spawnReplicated,
  type GroupRef,
  type Inspector,
  type MemoryHub,
} from '../../actors/index.js';
import { hosts } from '../../actors/host.js';
import { listenAt } from '../../actors/inspector/server.js';
import { eventually, freshDomain, rememberingLogger, viewOf } from '../actors/systems.js';
import { goodTrace } from '../trace/good.js';
import { closeBrowser, faultsOf, openPage, scrollsSideways, until, whyNoBrowser } from './browser.js';

const why = whyNoBrowser();
if (why !== null) console.log(`tests of the inspector's page are left out: ${why}`);
const test = why === null ? anyTest.serial : anyTest.serial.skip;
const ends: (() => void | Promise<void>)[] = [closeBrowser];
anyTest.after.always(async () => {
  for (const end of ends) await end();
});

/** What has to be undone in the end: of a test, or of all. */
interface Owner {
  teardown(end: () => void | Promise<void>): void;
}

let ofAll: Promise<Living> | undefined;

/** Three nodes that stay as they are, for tests that only look. */
function stillLiving(): Promise<Living> {
  return (ofAll ??= living({ teardown: (end) => void ends.push(end) }));
}

interface Living {
  readonly domain: string;
  readonly look: Inspector;
  readonly members: readonly { readonly system: Ref<unknown>; readonly ref: GroupRef<number> }[];
}

/** Three nodes of a domain with one inspector. The name of the last is markup. */
async function living(t: Owner): Promise<Living> {
  const look = inspector();
  t.teardown(look.close);
  const domain = freshDomain();
  const hub = memoryHub();
  const members: ReturnType<typeof member>[] = [];
  // one after the other, so that it is known who is the oldest
  for (const name of ['ada', 'bob', '<b>cy</b>']) {
    members.push(member(t, hub, domain, name, look));
    await Promise.all(members.map(({ ref }) => viewOf(ref, members.length)));
  }
  return { look, members, domain };
}

function member(t: Owner, hub: MemoryHub, domain: string, name: string, look: Inspector) {
  const { logger } = rememberingLogger();
  const detector = { heartbeat: 50, timeout: 400, discovery: 100 };
  const system = start(groups({ domain, name, transport: memory(hub), logger, detector }), look);
  t.teardown(() => leaveDomain(system));
  const ref = spawnReplicated(system, (sum: number, n: number) => sum + n, 'stock', { initialState: 0 });
  return { system, ref };
}

test('a living domain: nodes, groups, views, matrix, multicasts and what became of them', async (t) => {
  const { look, members } = await living(t);
  const page = await openPage(t, await look.url);
  await page.waitForSelector('#nodes tr:nth-child(3)');
  t.regex(await page.innerText('#nodes'), /ada[\s\S]*bob[\s\S]*<b>cy<\/b>/);
  t.regex(await page.innerText('#groups'), /stock.*replicated, total[\s\S]*active/);
  t.regex(await page.innerText('#views'), /joined: <b>cy<\/b>/);
  await page.waitForSelector('#matrix tbody tr:nth-child(3) td:nth-child(4)');
  for (const { ref } of members) await multicast(ref, 1).stable;
  await until(page, 'document.querySelectorAll("#diagram .multicast").length >= 3');

  // with the keyboard: the last one that was sent
  await page.focus('#diagram');
  await page.keyboard.press('End');
  const detail = await page.innerText('#detail');
  t.regex(detail, /<b>cy<\/b>#\d+:1/);
  t.regex(detail, /Ordered: position 3\./);
  t.regex(detail, /Stable .* after it was sent/);
  t.regex(detail, /ada\s+\+[\d.]+ [µm]s\s+\+[\d.]+ [µm]s\s+3/);
  t.is(await page.innerText('#pause'), 'Go on');
  await page.keyboard.press('ArrowLeft');
  t.regex(await page.innerText('#detail'), /bob#\d+:1/);
  await page.keyboard.press('ArrowUp');
  t.regex(await page.innerText('#detail'), /ada#\d+:1/);
  await page.keyboard.press('Escape');
  t.is(await page.innerText('#detail'), '');
  t.is(await page.innerText('#pause'), 'Pause');

  await leaveDomain(members[1]!.system);
  await until(page, 'document.querySelector("#views").innerText.includes("left: bob")');
  await until(page, 'document.querySelectorAll("#nodes tr").length === 2');
  t.true(await page.evaluate('document.querySelectorAll("#diagram .bar").length >= 1'));
  await until(page, 'document.querySelector("#rates-note").textContent.includes("multicasts")');
  t.deepEqual(await faultsOf(page), []);
});

test('a narrow screen in the dark: nothing is wider than it, and time goes down', async (t) => {
  const { look, members } = await stillLiving();
  const page = await openPage(t, await look.url, { width: 390, dark: true });
  // what was sent before somebody looks is not shown
  await page.waitForSelector('#nodes tr:nth-child(3)');
  await multicast(members[0]!.ref, 1).stable;
  await until(page, 'document.querySelectorAll("#diagram .multicast .arrow").length > 0');
  t.false(await scrollsSideways(page));
  const [width, height] = await page.evaluate<[number, number]>(
    '(({ width, height }) => [width, height])(document.querySelector("#diagram svg").getBoundingClientRect())',
  );
  t.true(height > width);
  t.deepEqual(await faultsOf(page), []);
});

test('nobody looks: no packet is read; the last page to be closed ends it', async (t) => {
  const { look, members, domain } = await living(t);
  const page = await openPage(t, await look.url);
  await page.waitForSelector('#nodes tr:nth-child(3)');
  const watched = [...hosts.values()].filter((host) => host.options.domain === domain && host.watcher !== undefined);
  t.is(watched.length, 3);
  await page.goto('about:blank');
  // what it is told is not looked at: such a packet would be an error otherwise
  const isDeaf = () => {
    try {
      for (const { watcher } of watched) watcher?.packet(null as never);
      return true;
    } catch {
      return false;
    }
  };
  await eventually(isDeaf, 'nobody listens');
  await Promise.all(members.map(({ system }) => leaveDomain(system)));
  await t.throwsAsync(fetch(await look.url));
});

test('the keyboard alone gets everywhere, and shows where it is', async (t) => {
  const { look } = await stillLiving();
  const page = await openPage(t, await look.url);
  await page.waitForSelector('#groups button');
  const order: string[] = [];
  for (let i = 0; i < 14; i++) {
    await page.keyboard.press('Tab');
    const [name, isShown] = await page.evaluate<[string, boolean]>(`(() => {
      const at = document.activeElement;
      const shown = at.matches('input[type=file]') ? at.labels[0] : at;
      const { outlineStyle, outlineWidth } = getComputedStyle(shown);
      return [at.id || at.dataset.group || at.className, outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2];
    })()`);
    order.push(isShown ? name : `${name} has no focus to see`);
  }
  const first = ['skip', 'looker', 'group', 'pause', 'files', 'earlier', 'later', 'wider', 'closer', 'diagram'];
  t.deepEqual(order.slice(0, first.length), first);
  t.true(order.includes('stock'));
  t.deepEqual(
    order.filter((name) => name.includes(' ')),
    [],
  );
});

/** The trace of the checker's tests, with two deliveries in the wrong order. */
function violated(): string {
  const records = goodTrace();
  const at = records.flatMap((each, i) => (each.e === 'deliver' && each.g === 'stock' && each.p === 'b#2' ? [i] : []));
  const [i, j] = at as [number, number];
  const [one, other] = [records[i]!, records[j]!];
  records[i] = { ...other, t: one.t };
  records[j] = { ...one, t: other.t };
  return `${records.map((record) => JSON.stringify(record)).join('\n')}\n`;
}

test('a trace with a violation: opened as a file, it is checked in the browser and shown where it is', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'nact-groups-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'bad.jsonl');
  writeFileSync(file, violated());
  const { look } = await stillLiving();
  const page = await openPage(t, await look.url);
  await page.waitForSelector('#nodes tr:nth-child(3)');
  await page.setInputFiles('#files', file);
  await page.waitForSelector('#violations button');
  t.regex(await page.innerText('#findings'), /TOTAL/);
  t.is(await page.innerText('#domain'), 'bad.jsonl');
  await page.click('#violations button');
  t.true((await page.locator('#diagram .spot.violation').count()) > 0);
  t.true((await page.locator('#diagram .multicast').count()) > 0);
  t.false(await page.isVisible('#nodes'));
  t.deepEqual(await faultsOf(page), []);
  await page.click('#live');
  await page.waitForSelector('#nodes tr:nth-child(3)');
  t.false(await page.isVisible('#findings'));
});

test('traces of the server, and one that is dropped on the page and is none', async (t) => {
  const text = goodTrace()
    .map((record) => JSON.stringify(record))
    .join('\n');
  const files = new Map([['good.jsonl', () => `${text}\n`]]);
  const server = await listenAt({ port: 0, host: '127.0.0.1', names: [] }, { files, open: () => () => undefined });
  t.teardown(server.close);
  const page = await openPage(t, server.url, { width: 390 });
  await until(page, 'document.querySelectorAll("#diagram .multicast").length > 0');
  t.is(await page.innerText('#findings-note'), 'No property is violated.');
  t.true((await page.locator('#diagram .bar').count()) > 1);
  t.false(await scrollsSideways(page));
  await page.evaluate(`(() => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File(['{"t":1}\\n'], 'x.jsonl'));
    document.body.dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }));
  })()`);
  await until(page, 'document.querySelector("#findings-note").textContent.includes("x.jsonl:1")');
  t.deepEqual(await faultsOf(page), []);
});
