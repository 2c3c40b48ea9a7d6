/** All scenarios, in the order of the table. */
import { domainScenarios } from './domain-scenarios.js';
import { networkScenarios } from './network-scenarios.js';
import { pathScenarios } from './path-scenarios.js';
import { processScenarios } from './process-scenarios.js';
import type { Scenario } from './scenario.js';
import { tcpScenarios } from './tcp-scenarios.js';

export const scenarios: readonly Scenario[] = [
  ...processScenarios,
  ...domainScenarios,
  ...networkScenarios,
  ...pathScenarios,
  ...tcpScenarios,
];
