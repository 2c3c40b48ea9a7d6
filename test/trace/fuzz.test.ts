/** Whatever is done to a trace, the checker says something about it and does not break. */
import test from 'ava';
import fc from 'fast-check';
import { check } from '../../lib/trace/check.js';
import type { Traced } from '../../lib/trace/format.js';
import { parseTrace } from '../../lib/trace/parse.js';
import { formatReport } from '../../lib/trace/report.js';
import { goodOptions, goodTrace } from './good.js';

const good = goodTrace();

/** One thing that is done to a trace; numbers are taken modulo what there is. */
type Damage =
  | { readonly kind: 'drop' | 'duplicate'; readonly at: number }
  | { readonly kind: 'swap'; readonly at: number; readonly with: number }
  | { readonly kind: 'alter'; readonly at: number; readonly field: number; readonly value: unknown };

const index = fc.nat(good.length * 2);
const value = fc.oneof(
  fc.constantFrom('a#1', 'b#2', 'z#9', 'z', '', '3', '7', '9', 'chat', '$domain', '__proto__', 'a#1:1', ':', null),
  fc.integer({ min: -1, max: 12 }),
  fc.constantFrom(NaN, 1e300, true, false),
  fc.array(fc.constantFrom('a#1', 'b#2', 'z', ''), { maxLength: 4 }),
);
const damage: fc.Arbitrary<Damage> = fc.oneof(
  fc.record({ kind: fc.constantFrom('drop' as const, 'duplicate' as const), at: index }),
  fc.record({ kind: fc.constant('swap' as const), at: index, with: index }),
  fc.record({ kind: fc.constant('alter' as const), at: index, field: fc.nat(12), value }),
);

function apply(records: readonly Traced[], done: Damage): Traced[] {
  if (records.length === 0) return [];
  const at = done.at % records.length;
  const record = records[at]!;
  switch (done.kind) {
    case 'drop':
      return records.toSpliced(at, 1);
    case 'duplicate':
      return records.toSpliced(at, 0, record);
    case 'swap': {
      const other = done.with % records.length;
      return records.with(at, records[other]!).with(other, record);
    }
    case 'alter': {
      const keys = Object.keys(record);
      return records.with(at, { ...record, [keys[done.field % keys.length]!]: done.value });
    }
  }
}

/** Only what is a record can reach the checker: everything else has been refused before. */
function readable(records: readonly Traced[]): Traced[] {
  return records.flatMap((record) => {
    const parsed = parseTrace('fuzz', `${JSON.stringify(record)}\n`);
    return parsed.ok ? parsed.records : [];
  });
}

test('random damage never breaks the checker', (t) => {
  fc.assert(
    fc.property(fc.array(damage, { minLength: 1, maxLength: 6 }), fc.boolean(), (damages, quiesced) => {
      const records = readable(damages.reduce<Traced[]>(apply, good));
      const report = check(records, quiesced ? goodOptions : {});
      return report.ok === (report.violations.length === 0) && formatReport(report).length > 0;
    }),
    { numRuns: 2000 },
  );
  t.pass();
});

test('the verdict on a damaged trace does not depend on how processes are interleaved', (t) => {
  fc.assert(
    fc.property(fc.array(damage, { minLength: 1, maxLength: 3 }), (damages) => {
      const records = readable(damages.reduce<Traced[]>(apply, good));
      const processes = [...new Set(records.map((record) => record.p))].reverse();
      const sorted = processes.flatMap((p) => records.filter((record) => record.p === p));
      return check(records, goodOptions).ok === check(sorted, goodOptions).ok;
    }),
    { numRuns: 500 },
  );
  t.pass();
});
