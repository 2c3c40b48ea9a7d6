/** Debian's Chromium for tests of the page; where it is not installed they are left out, and say so. */
import { existsSync } from 'node:fs';
import type { ExecutionContext } from 'ava';
import { eventually } from '../actors/systems.js';
import { chromium, type Browser, type Page } from 'playwright-core';

const executablePath = '/usr/bin/chromium';

/** Why there is no browser, or null. */
export function whyNoBrowser(): string | null {
  return existsSync(executablePath) ? null : `${executablePath} is not installed (Debian: apt-get install chromium)`;
}

let browser: Promise<Browser> | undefined;

/** Closes the browser, if one was started. */
export async function closeBrowser(): Promise<void> {
  await (await browser)?.close();
}

/** How a page is opened. */
export interface Look {
  readonly width?: number;
  readonly dark?: boolean;
}

/**
 * A page at this address. When the test ends it must have had no error, no word on its console, and no request to anywhere but its
 * own server.
 */
export async function openPage(
  t: ExecutionContext,
  url: string,
  { width = 1280, dark = false }: Look = {},
): Promise<Page> {
  // as root there is no sandbox; nothing but the page under test is opened
  browser ??= chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
  const page = await (
    await browser
  ).newPage({
    viewport: { width, height: 900 },
    colorScheme: dark ? 'dark' : 'light',
  });
  const wrong: string[] = [];
  page.on('console', (message) => wrong.push(`console: ${message.text()}`));
  page.on('pageerror', (error) => wrong.push(`error: ${error.message}`));
  page.on('request', (request) => {
    if (!request.url().startsWith(url)) wrong.push(`request to ${request.url()}`);
  });
  t.teardown(async () => {
    await page.close();
    if (wrong.length > 0) throw new Error(wrong.join('\n'));
  });
  page.setDefaultTimeout(15_000);
  await page.goto(url);
  return page;
}

/** Resolves when an expression holds in the page. Looked at from outside: the page's policy lets no text become a script. */
export function until(page: Page, expression: string): Promise<void> {
  return eventually(() => page.evaluate(expression), expression);
}

/** Whether the page can be scrolled sideways. */
export function scrollsSideways(page: Page): Promise<boolean> {
  return page.evaluate('document.documentElement.scrollWidth > innerWidth');
}

/**
 * What is wrong with the page for those who cannot see or point: what can be used and has no name, and texts with too little
 * contrast to what is behind them (WCAG 2.2, 1.4.3: 4.5 to 1).
 */
export function faultsOf(page: Page): Promise<string[]> {
  return page.evaluate(audit);
}

/** Runs in the page, which has types of its own. */
const audit = `(() => {
  const faults = [];
  const visible = (element) => element.checkVisibility({ visibilityProperty: true });
  const nameOf = (element) => {
    const by = element.getAttribute('aria-labelledby');
    const label = element.labels?.[0]?.textContent ?? '';
    return (by ? document.getElementById(by)?.textContent ?? '' : '') || element.getAttribute('aria-label') || label || element.textContent;
  };
  for (const element of document.querySelectorAll('button, select, input, a, [tabindex], [role=region]')) {
    if (visible(element) && nameOf(element).trim() === '') faults.push('no name: ' + element.outerHTML.slice(0, 80));
  }
  const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) faults.push('twice: #' + id);
  for (const attribute of ['for', 'aria-labelledby', 'aria-describedby']) {
    for (const element of document.querySelectorAll('[' + attribute + ']')) {
      if (!document.getElementById(element.getAttribute(attribute))) faults.push(attribute + ' leads nowhere');
    }
  }
  const channels = (colour) => (colour.match(/[\\d.]+/g) ?? []).map(Number);
  const over = ([r, g, b, a = 1], below) => [r, g, b].map((value, i) => value * a + below[i] * (1 - a));
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.unshift(channels(getComputedStyle(at).backgroundColor));
    return layers.reduce((below, layer) => over(layer, below), [255, 255, 255]);
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const seen = new Set();
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const element = text.parentElement;
    if (seen.has(element) || text.data.trim() === '' || !visible(element) || element.closest('title, noscript, .skip')) continue;
    seen.add(element);
    const style = getComputedStyle(element);
    const below = behind(element);
    const colour = over(channels(element instanceof SVGElement ? style.fill : style.color), below);
    const [most, least] = [light(colour), light(below)].sort((a, b) => b - a);
    const contrast = (most + 0.05) / (least + 0.05);
    if (contrast < 4.5) faults.push('contrast ' + contrast.toFixed(2) + ': ' + text.data.trim().slice(0, 40));
  }
  return faults;
})()`;
