/** The plot shows every point where its figures are, in both themes, and stays a document whatever it is given. */
import test from 'ava';
import { plotOf } from '../../bench/plot.js';
import type { Series } from '../../bench/plot.js';

function series(name: string, ...points: [bytes: number, ratio: number][]): Series {
  return {
    name,
    points: points.map(([bytes, median]) => ({ bytes, ratio: { median, least: median / 2, most: median * 2 } })),
  };
}

/** The centres of all marks of the lines, that is, of those with a tooltip. */
function marks(svg: string): { x: number; y: number; title: string }[] {
  return [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)" r="4"><title>([^<]*)<\/title>/g)].map(
    ([, x, y, title]) => ({ x: Number(x), y: Number(y), title: title as string }),
  );
}

test('equal factors are equal distances, on both axes', (t) => {
  const svg = plotOf([series('total', [64, 16], [1024, 4], [16_384, 1])], ['here']);
  const [a, b, c] = marks(svg);
  if (!a || !b || !c) return t.fail();
  t.true(Math.abs(b.x - a.x - (c.x - b.x)) < 0.3 && b.x > a.x);
  t.true(Math.abs(b.y - a.y - (c.y - b.y)) < 0.3 && b.y > a.y, 'more is higher');
  t.is(b.title, 'total, 1 KB: 4.00 (2.00 to 8.00)');
  const raw = /<path class="raw" d="M[\d.]+ ([\d.]+)H/.exec(svg)?.[1];
  t.is(Number(raw), c.y, 'once raw is on the line of raw');
});

test('every line has its colour in both themes and an entry in the legend; what follows the last colour is dashed', (t) => {
  const all = Array.from({ length: 8 }, (_, i) => series(`line ${i}`, [100, 1 + i]));
  const svg = plotOf(all, []);
  for (const { name } of all) t.true(svg.includes(`>${name}</text>`), name);
  t.is(svg.match(/\.s0\{stroke/g)?.length, 2);
  t.regex(svg, /prefers-color-scheme:dark/);
  t.is(svg.match(/stroke-dasharray/g)?.length, 2 * 2);
});

test('names are text, nothing else, and nothing at all is an empty plot', (t) => {
  const svg = plotOf([series('<b> & "c"', [100, 2])], ['x < y']);
  t.false(/<b>|x < y/.test(svg));
  t.regex(svg, /&lt;b&gt; &amp; &quot;c&quot;/);
  const empty = plotOf([], []);
  t.false(/NaN|Infinity/.test(empty));
  t.regex(empty, /^<svg [\s\S]*<\/svg>\n$/);
});
