/** A report as text: what `check` prints. */
import { properties } from './finding.js';
import type { Report } from './check.js';
import type { Traced } from './format.js';

/** Contaminations shown; the rest is counted. */
const contaminationsMax = 10;

/** Each property and how often its antecedent held, then the violations with their events, then what is worth knowing. */
export function formatReport(report: Report): string {
  const lines = [`${report.records} records of ${report.processes} processes`, ''];
  for (const property of properties) lines.push(formatProperty(report, property));
  for (const violation of report.violations) {
    lines.push('', `${violation.property}: ${violation.sentence}`, ...violation.events.map(formatEvent));
  }
  lines.push(...formatContaminations(report));
  if (report.untraced.length > 0) {
    lines.push('', `No trace of ${report.untraced.join(', ')}: what these sent cannot be checked.`);
  }
  lines.push('', report.ok ? 'No property is violated.' : 'VIOLATED.', '');
  return lines.join('\n');
}

function formatProperty(report: Report, property: (typeof properties)[number]): string {
  const kept = report.violations.filter((violation) => violation.property === property).length;
  const violated = kept + report.omitted[property];
  const held = report.antecedents[property];
  const verdict = violated > 0 ? `VIOLATED ${violated} times` : held > 0 ? 'holds' : 'not put to the test';
  return `${property.padEnd(14)}${String(held).padStart(10)}  ${verdict}`;
}

function formatContaminations(report: Report): string[] {
  const { contaminated } = report;
  if (contaminated.length === 0) return [];
  const lines = [
    '',
    `${contaminated.length} deliveries in another place, by processes that did not go on (no violation):`,
  ];
  for (const { process, group, view, id, position, instead } of contaminated.slice(0, contaminationsMax)) {
    const others = instead === null ? 'which has another place' : `where others have ${instead}`;
    lines.push(`  ${process} in view ${view} of ${group}: ${id} at position ${position}, ${others}`);
  }
  if (contaminated.length > contaminationsMax) lines.push(`  and ${contaminated.length - contaminationsMax} more`);
  return lines;
}

function formatEvent(event: Traced): string {
  return `  ${JSON.stringify(event)}`;
}
