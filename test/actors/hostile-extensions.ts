/**
 * A program that uses cbor-x with extensions of its own, for every class and tag that our codec has to do with. Prints how
 * values are encoded here, and how cbor-x encodes for the program itself.
 *
 * Arguments: `import` or `require`: how everything is loaded; `before`, `after` or `never`: when the extensions are
 * registered, seen from the load of our module; `without`: our module is not loaded.
 */
import { createRequire } from 'node:module';
import { isDeepStrictEqual } from 'node:util';
import type * as Cbor from 'cbor-x';
import type * as Values from '../../actors/values.js';

const [loading, when, without] = process.argv.slice(2);
const require = createRequire(import.meta.url);
const load = async (name: string): Promise<unknown> => (loading === 'require' ? require(name) : import(name));

const cbor = (await load('cbor-x')) as typeof Cbor;

class Point {
  constructor(readonly x: number) {}
}

const samples: unknown[] = [
  null,
  undefined,
  -0,
  1.5,
  'text',
  5n,
  2n ** 90n,
  -(2n ** 90n),
  new Date(1_700_000_000_123),
  new Map<unknown, unknown>([['a', new Set([1, new Date(7)])]]),
  new Set(['x']),
  Uint8Array.of(1, 2, 3),
  { bytes: Uint8Array.of(1, 2), floats: Float64Array.of(1.5), big: BigInt64Array.of(-1n) },
  [Int8Array.of(-1), Uint8ClampedArray.of(9), Int16Array.of(1), new Uint32Array(3)],
  Uint8Array.of(1, 2).buffer,
  { type: 'put', sku: 'tea', n: 5, when: new Date(0) },
  [[{ a: [1, 2] }]],
];

function register(): void {
  const spoil = { encode: (_value: unknown, encode: (value: unknown) => void) => encode('spoilt') };
  const classes = [Date, Map, Set, Uint8Array, Float64Array, BigInt64Array, ArrayBuffer, BigInt, Array, Object, Point];
  classes.forEach((Class, i) => {
    cbor.addExtension({ ...spoil, Class, tag: 50_000 + i, decode: () => 'spoilt' } as never);
  });
  const tags = [1, 2, 3, 64, 68, 69, 71, 72, 86, 258, 259, 0xe000, 0xdfff];
  for (let tag = 40_090; tag < 40_120; tag++) tags.push(tag);
  for (const tag of tags) cbor.addExtension({ tag, decode: () => 'spoilt' } as never);
  cbor.setSizeLimits({ maxArraySize: 1, maxMapSize: 1, maxObjectSize: 1 });
}

/** What cbor-x does for the program: with its extensions as it made them. */
function own(): string[] {
  return [new Point(1), new Date(5), new Map([[1, 2]])].map((value) => {
    const bytes = cbor.encode(value);
    return `${Buffer.from(bytes).toString('hex')} ${JSON.stringify(cbor.decode(bytes))}`;
  });
}

let encoded: string[] = [];
if (when === 'before') register();
if (without === undefined) {
  const { decodeValue, encodeValue } = (await load('../../actors/values.js')) as typeof Values;
  if (when === 'after') register();
  encoded = samples.map((sample) => {
    const bytes = encodeValue(sample);
    const decoded = decodeValue(bytes);
    const equal = isDeepStrictEqual(decoded, sample) && Object.is(Object.is(decoded, -0), Object.is(sample, -0));
    return `${Buffer.from(bytes).toString('hex')} ${equal ? 'equal' : 'DIFFERS'}`;
  });
} else if (when !== 'never') register();
console.log(JSON.stringify({ encoded, own: own() }));
