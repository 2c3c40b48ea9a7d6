/**
 * `nact-groups check`: traces against the properties.
 */
import { readFileSync } from 'node:fs';
import { check } from '../../lib/trace/check.js';
import { formatParseError, parseTraces } from '../../lib/trace/parse.js';
import { formatReport } from '../../lib/trace/report.js';

/** Options of the command. */
export interface CheckCommand {
  readonly quiesced?: boolean;
  readonly json?: boolean;
}

/** Checks and prints; the exit status. Throws if a file cannot be read or is no trace. */
export function runCheck(files: readonly string[], options: CheckCommand): number {
  const parsed = parseTraces(files.map((file) => ({ file, text: readFileSync(file, 'utf8') })));
  if (!parsed.ok) throw new Error(formatParseError(parsed.error));
  const report = check(parsed.records, { quiesced: options.quiesced ?? false });
  process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : `${formatReport(report).trimEnd()}\n`);
  return report.ok ? 0 : 1;
}
