/** What a node says of itself besides its name: an object of texts, which travels as JSON. */
import { inspect } from 'node:util';
import { metadataBytesMax } from '../lib/limits.js';
import { InvalidOption } from './errors.js';

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
