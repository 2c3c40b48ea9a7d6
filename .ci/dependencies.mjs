/**
 * What comes with the package: nothing of it needs a script to be installed, and nothing has a vulnerability that the registry knows of.
 * Where the registry does not say, what it said instead is printed, and that alone is no failure.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const installing = ['preinstall', 'install', 'postinstall', 'prepare'];
const auditMillisMax = 60_000;

/** Scripts that would have to run for the package to work. Those of optional packages may be left out. */
function installScripts() {
  const { scripts = {} } = JSON.parse(readFileSync('package.json', 'utf8'));
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
  const own = installing.filter((name) => name in scripts).map((name) => `the package itself has a script '${name}'`);
  const others = Object.entries(packages)
    .filter(([, { dev, optional, hasInstallScript }]) => hasInstallScript && !dev && !optional)
    .map(([name]) => `${name} has an install script, and is not optional`);
  return [...own, ...others];
}

/** What the registry knows of what is shipped; `unanswered`: why it did not say. */
function audit() {
  const { stdout, error } = spawnSync('npm', ['audit', '--omit=dev', '--json'], {
    encoding: 'utf8',
    timeout: auditMillisMax,
  });
  let said = {};
  try {
    said = JSON.parse(stdout);
  } catch {
    return { faults: [], unanswered: error?.message ?? 'npm said nothing that can be read' };
  }
  const { vulnerabilities, message, error: failed } = said;
  if (vulnerabilities === undefined)
    return { faults: [], unanswered: message || failed?.summary || 'it gave no reason' };
  const faults = Object.values(vulnerabilities).map(({ name, severity, range }) => `${name} ${range}: ${severity}`);
  return { faults, unanswered: null };
}

const scripts = installScripts();
const { faults, unanswered } = audit();
for (const fault of [...scripts, ...faults]) console.log(`  ${fault}`);
if (scripts.length === 0) console.log('  no install script is needed');
if (unanswered !== null) console.log(`  vulnerabilities: not looked up, the registry did not answer: ${unanswered}`);
else if (faults.length === 0) console.log('  no vulnerabilities are known');
process.exitCode = scripts.length + faults.length === 0 ? 0 : 1;
