/**
 * nact-groups/testkit: replicated actors under test, in a simulated domain with a virtual clock. For any test runner.
 *
 * @module nact-groups/testkit
 */
export { expectDeterministic } from './determinism.js';
export type { DeterminismCheck } from './determinism.js';
export { testDomain } from './domain.js';
export type { TestDomain, TestDomainOptions, TestNode } from './domain.js';
export { GuaranteeViolated, Misused, NotDeterministic, NotInTime, ReplicasDiffer } from './errors.js';
export { forEachSeed } from './seeds.js';
export type { NetworkConditions } from './simulation.js';
export type { Report } from '../../lib/trace/check.js';
export type { Property, Violation } from '../../lib/trace/finding.js';
export type { Contamination } from '../../lib/trace/properties/total.js';
