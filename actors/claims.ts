/**
 * What a node says of itself besides its name, for `authorize`: an object of texts, and the groups that it enters. It travels as
 * JSON: the object, or a list of both. It is part of the domain's state, so what was said at a join holds as long as the node is in.
 */
import { inspect } from 'node:util';
import { metadataBytesMax } from '../lib/limits.js';
import { InvalidOption } from './errors.js';

/** What a node has said. */
export interface Claims {
  readonly metadata: Readonly<Record<string, string>>;
  /** It enters no others; undefined: it has not said which. */
  readonly groups: readonly string[] | undefined;
}

/** The options `metadata` and `groups` as they travel. Throws {@link InvalidOption}. */
export function claimsOption(metadata: unknown, groups: unknown): string {
  if (metadata !== undefined && !isMetadata(metadata))
    throw new InvalidOption(`metadata must be an object of texts, not ${inspect(metadata, { depth: 1 })}`);
  if (groups !== undefined && !isGroups(groups))
    throw new InvalidOption(`groups must be a list of group names, not ${inspect(groups, { depth: 1 })}`);
  if (metadata === undefined && groups === undefined) return '';
  const text = JSON.stringify(groups === undefined ? metadata : [metadata ?? {}, groups]);
  const length = Buffer.byteLength(text);
  if (length <= metadataBytesMax) return text;
  const what = groups === undefined ? 'metadata' : 'metadata and groups together';
  throw new InvalidOption(`${what} must have at most ${metadataBytesMax} bytes as JSON, not ${length}`);
}

function isMetadata(value: unknown): value is Claims['metadata'] {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((each) => typeof each === 'string')
  );
}

function isGroups(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string' && each !== '');
}

/** What another node has said; null if it is nothing that {@link claimsOption} makes. */
export function claimsFrom(text: string): Claims | null {
  if (text === '') return { metadata: {}, groups: undefined };
  let said: unknown;
  try {
    said = JSON.parse(text);
  } catch {
    return null;
  }
  if (isMetadata(said)) return { metadata: said, groups: undefined };
  const [metadata, groups, ...rest] = Array.isArray(said) ? (said as unknown[]) : [];
  return isMetadata(metadata) && isGroups(groups) && rest.length === 0 ? { metadata, groups } : null;
}
