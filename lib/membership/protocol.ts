/**
 * Versions of the protocol: how nodes of different releases are in one domain.
 *
 * Each node can speak a range of versions, and says so when it offers itself. The domain speaks one version, which is part of its state:
 * the least of the newest that its nodes can, so that nobody is sent what it cannot read. It only rises. A decree counts those of
 * the state before it as well: who is removed by a decree is told of it in a version that it can read, and nodes that speak a newer one
 * do so only from a state on that a quorum has decided without the old ones. Who cannot speak the domain's version is refused.
 *
 * What nodes say that need not be in one domain has one form for ever, whatever the version in their packets: see `messages.ts`.
 */
import type { DomainState, NodeInfo } from './state.js';

/** The versions that a node can speak: these two, and all between. */
export interface Versions {
  readonly least: number;
  readonly most: number;
}

/** What this release can speak. */
export const versions: Versions = { least: 1, most: 1 };

/** The largest number of a version: it is one byte of each packet. */
export const versionMax = 255;

/** Whether a packet or a domain of this version can be read. */
export function speaks({ least, most }: Versions, version: number): boolean {
  return least <= version && version <= most;
}

/** The version that the domain speaks after a decree that makes these nodes of those. */
export function versionAfter(before: readonly NodeInfo[], after: readonly NodeInfo[]): number {
  return Math.min(...before.map(({ version }) => version), ...after.map(({ version }) => version));
}

/** Why a node of these versions cannot be let in, or null. */
export function versionFault({ version }: Pick<DomainState, 'version'>, { least, most }: Versions): string | null {
  if (speaks({ least, most }, version)) return null;
  const own = least === most ? `version ${least}` : `versions ${least} to ${most}`;
  const remedy =
    most < version ? 'upgrade this node' : 'first upgrade the nodes of the domain to a release that speaks both';
  return `the domain speaks version ${version} of the protocol, this node ${own}: ${remedy}`;
}
