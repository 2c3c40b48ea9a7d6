/** Links from one guide to another: each leads to a file that is there, and to a heading of it. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import test from 'ava';

const root = new URL('../../../', import.meta.url);
const guides = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md'].concat(
  readdirSync(new URL('docs/', root))
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`),
);

const textOf = (file: URL) => readFileSync(file, 'utf8').replace(/^```[^]*?^```$/gm, '');

/** The anchors of a file's headings, as GitHub and typedoc name them. */
function anchorsOf(file: URL): ReadonlySet<string> {
  const headings = textOf(file).match(/^#+ .*$/gm) ?? [];
  const anchor = (heading: string) =>
    heading
      .replace(/^#+ /, '')
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '');
  return new Set(headings.map((heading) => anchor(heading).replaceAll(' ', '-')));
}

test('links between the guides lead somewhere', (t) => {
  let anchors = 0;
  for (const guide of guides) {
    const from = new URL(guide, root);
    for (const [, target = ''] of textOf(from).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
      const to = new URL(target, from);
      const anchor = to.hash.slice(1);
      to.hash = '';
      if (!existsSync(to)) t.fail(`${guide} links to ${target}, which is not there`);
      else if (anchor !== '') {
        anchors += 1;
        t.true(anchorsOf(to).has(anchor), `${guide} links to ${target}, and there is no such heading`);
      }
    }
  }
  t.true(anchors > 10);
});

test('every guide can be found from the README, and is on the site', (t) => {
  const readme = textOf(new URL('README.md', root));
  const { projectDocuments } = JSON.parse(readFileSync(new URL('typedoc.json', root), 'utf8')) as {
    readonly projectDocuments: readonly string[];
  };
  for (const guide of guides.filter((file) => file.startsWith('docs/'))) {
    t.true(readme.includes(`(${guide})`), `${guide} is not in the README`);
    t.true(projectDocuments.includes(guide), `${guide} is not in typedoc.json`);
  }
});
