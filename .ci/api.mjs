/**
 * The public API as a reviewed report: docs/surface/NAME.api.md for each entry of the package. Fails if what was built differs, so that
 * no change of the API goes unseen; `--update` writes the reports.
 */
import { Extractor, ExtractorConfig } from '@microsoft/api-extractor';
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const reports = 'docs/surface';
const update = process.argv.includes('--update');
const { exports } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
const none = { logLevel: 'none' };
mkdirSync(path.join(root, 'dist/surface'), { recursive: true });
mkdirSync(path.join(root, reports), { recursive: true });

let same = true;
for (const [entry, { types }] of Object.entries(exports)) {
  if (types === undefined) continue;
  const name = entry === '.' ? 'nact-groups' : entry.slice(2);
  const extractorConfig = ExtractorConfig.prepare({
    configObject: {
      projectFolder: root,
      mainEntryPointFilePath: path.join(root, types),
      // the compiler that comes with the extractor may be older than ours, and knows the language of declarations
      compiler: { tsconfigFilePath: path.join(root, 'tsconfig.base.json') },
      apiReport: {
        enabled: true,
        reportFileName: `${name}.api.md`,
        reportFolder: path.join(root, reports),
        reportTempFolder: path.join(root, 'dist/surface'),
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      newlineKind: 'lf',
      messages: {
        // the comments are TypeDoc's, which checks them
        compilerMessageReporting: { default: none },
        extractorMessageReporting: { default: none },
        tsdocMessageReporting: { default: none },
      },
    },
    configObjectFullPath: undefined,
    packageJsonFullPath: path.join(root, 'package.json'),
  });
  const { apiReportChanged } = Extractor.invoke(extractorConfig, {
    localBuild: update,
    messageCallback: (message) => {
      message.handled = message.logLevel !== 'error';
    },
  });
  if (!apiReportChanged) continue;
  if (update) console.log(`${reports}/${name}.api.md is written: review the difference`);
  else {
    same = false;
    console.log(
      `the API of '${name}' is not the one in ${reports}/${name}.api.md: it is in dist/surface/${name}.api.md now`,
    );
  }
}
if (!same) console.log('If the change is meant: node .ci/api.mjs --update, review the difference, and commit it.');
process.exitCode = same ? 0 : 1;
