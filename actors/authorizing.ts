/**
 * The user's word on who may come in: nodes, members of groups, requests of who is no member. What it is asked about are claims: whoever
 * has the domain's key may say that it is anybody.
 */
import { inspect } from 'node:util';
import type { Authorize } from '../lib/membership/authorizing.js';
import { metadataBytesMax } from '../lib/limits.js';
import { InvalidOption } from './errors.js';
import type { Host } from './host.js';
import type { AuthorizeRequest, GroupsOptions } from './types.js';

/** The user's function. */
export type Authorizing = NonNullable<GroupsOptions['authorize']>;

/** The option `metadata` as it travels. Throws {@link InvalidOption}. */
export function metadataOption(value: unknown): string {
  if (value === undefined) return '';
  if (!isMetadata(value))
    throw new InvalidOption(`metadata must be an object of texts, not ${inspect(value, { depth: 1 })}`);
  const text = JSON.stringify(value);
  const length = Buffer.byteLength(text);
  if (length <= metadataBytesMax) return text;
  throw new InvalidOption(`metadata must have at most ${metadataBytesMax} bytes as JSON, not ${length}`);
}

/** The option `authorize`. Throws {@link InvalidOption}. */
export function authorizeOption(value: unknown): Authorizing | undefined {
  if (value === undefined || typeof value === 'function') return value as Authorizing | undefined;
  throw new InvalidOption(`authorize must be a function, not ${inspect(value, { depth: 0 })}`);
}

function isMetadata(value: unknown): value is Readonly<Record<string, string>> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((each) => typeof each === 'string')
  );
}

/** What another node has said of itself; null if it is nothing that {@link metadataOption} makes. */
export function metadataFrom(text: string): Readonly<Record<string, string>> | null {
  if (text === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    return isMetadata(value) ? value : null;
  } catch {
    return null;
  }
}

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
