/** All scenarios, in the order of the table. */
import { networkScenarios } from './network-scenarios.js';
import { processScenarios } from './process-scenarios.js';
import type { Scenario } from './scenario.js';

export const scenarios: readonly Scenario[] = [...processScenarios, ...networkScenarios];
