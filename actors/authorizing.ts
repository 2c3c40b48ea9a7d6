/**
 * The user's word on who may come in: nodes, members of groups, requests of who is no member. What it is asked about are claims: whoever
 * has the domain's key may say that it is anybody. Only the groups that a node has said it enters bind it, for all have heard it say so.
 */
import type { Authorize } from '../lib/membership/authorizing.js';
import { claimsFrom } from './claims.js';
import type { Host } from './host.js';
import type { AuthorizeRequest } from './types.js';

/** What the core asks. */
export function authorizeFor(host: Host): Authorize {
  return (claim) => {
    const { id, name, address } = claim;
    const claims = claimsFrom(claim.metadata);
    if (claims === null) return 'what it says of itself is not an object of texts, nor one with a list of groups';
    const node = { name, id, address, ...claims };
    if (claim.kind === 'join') return decide(host, { kind: 'join', node });
    const { group } = claim;
    if (claims.groups?.includes(group) === false) return `it said that it enters only ${claims.groups.join(', ')}`;
    return decide(host, { kind: 'group', node, group });
  };
}

/** Why a request of who is no member is not let in; null: it is. */
export function objectionTo(host: Host, group: string, client: string): string | null {
  if (host.options.authorize === undefined) return null;
  const found = host.life.domain?.nodes.find(({ id }) => id === client);
  if (found === undefined) return 'its node is not in the domain';
  const { name, id, address } = found;
  const claims = claimsFrom(found.metadata) ?? { metadata: {}, groups: undefined };
  return decide(host, { kind: 'request', node: { name, id, address, ...claims }, group });
}

function decide(host: Host, request: AuthorizeRequest): string | null {
  const { authorize } = host.options;
  if (authorize === undefined) return null;
  let verdict: unknown;
  try {
    verdict = authorize(request);
  } catch (error) {
    const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
    host.notes.note('error', 'authorize', `authorize threw for ${request.kind} of ${request.node.name}: ${why}`);
    return 'it could not be decided whether to let it in';
  }
  if (verdict === true) return null;
  const why = typeof verdict === 'string' && verdict !== '' ? verdict : 'authorize said no';
  const what = request.kind === 'join' ? 'the domain' : `group '${request.group}'`;
  host.notes.note('warn', `authorize ${request.kind}`, `${request.node.id} is not let into ${what}: ${why}`);
  return why;
}
