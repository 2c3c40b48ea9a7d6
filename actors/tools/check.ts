/**
 * `nact-groups check`: traces against the properties.
 */
import { readFileSync } from 'node:fs';
import { check } from '../../lib/trace/check.js';
import { properties, type Property } from '../../lib/trace/finding.js';
import { formatParseError, parseTraces } from '../../lib/trace/parse.js';
import { formatReport } from '../../lib/trace/report.js';

/** Options of the command. */
export interface CheckCommand {
  readonly quiesced?: boolean;
  readonly json?: boolean;
  /** Properties that must have been at stake; those that were not count as violated. */
  readonly expect?: readonly Property[];
}

/** Properties by name, with commas between. Throws if one of them is none. */
export function propertyNames(text: string): readonly Property[] {
  return text.split(',').map((word) => {
    const property = properties.find((name) => name === word.trim());
    if (property === undefined) throw new Error(`'${word}' is no property; there are ${properties.join(', ')}.`);
    return property;
  });
}

/** Checks and prints; the exit status. Throws if a file cannot be read or is no trace. */
export function runCheck(files: readonly string[], options: CheckCommand): number {
  const parsed = parseTraces(files.map((file) => ({ file, text: readFileSync(file, 'utf8') })));
  if (!parsed.ok) throw new Error(formatParseError(parsed.error));
  const report = check(parsed.records, { quiesced: options.quiesced ?? false, expect: options.expect });
  process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : `${formatReport(report).trimEnd()}\n`);
  return report.ok ? 0 : 1;
}
