/** AFTER-LEAVE: a member that has left or was excluded takes no part any more. */
import type { Finding } from '../finding.js';
import { finding, violate } from '../finding.js';
import type { History } from '../history.js';

/**
 * AFTER-LEAVE: after `left` or `excluded` a process installs no view of that group, or of any if the end was of the
 * whole incarnation, and transmits and delivers nothing there. What it had begun may end (`sendfail`, `asked`), its
 * actor may still be at what was delivered before (`hash`, `answered`), and multicasts wait for a membership to come. A group, not a domain, may be joined again: a view that lets the process in begins a new membership.
 */
export function afterLeave(history: History): Finding {
  const found = finding('AFTER-LEAVE');
  found.held = history.ends.length;
  for (const { record, other } of history.afterEnd) {
    violate(found, `${record.p} traces a ${record.e} after its end`, other, record);
  }
  return found;
}
