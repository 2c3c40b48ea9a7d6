/**
 * The user's word on who may come in: nodes, members of groups, requests of who is no member. What it is asked about are claims: whoever
 * has the domain's key may say that it is anybody.
 */
import type { Authorize } from '../lib/membership/authorizing.js';
import type { Host } from './host.js';
import { metadataFrom } from './metadata.js';
import type { AuthorizeRequest } from './types.js';

/** What the core asks. */
export function authorizeFor(host: Host): Authorize {
  return (claim) => {
    const { id, name, address } = claim;
    const metadata = metadataFrom(claim.metadata);
    if (metadata === null) return 'its metadata are not an object of texts';
    const node = { name, id, address, metadata };
    return decide(host, claim.kind === 'join' ? { kind: 'join', node } : { kind: 'group', node, group: claim.group });
  };
}

/** Why a request of who is no member is not let in; null: it is. */
export function objectionTo(host: Host, group: string, client: string): string | null {
  if (host.options.authorize === undefined) return null;
  const found = host.life.domain?.nodes.find(({ id }) => id === client);
  if (found === undefined) return 'its node is not in the domain';
  const { name, id, address } = found;
  const node = { name, id, address, metadata: metadataFrom(found.metadata) ?? {} };
  return decide(host, { kind: 'request', node, group });
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
