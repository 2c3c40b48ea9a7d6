/** From text to records: torn lines are ignored, bad ones are named. */
import test from 'ava';
import { check } from '../../lib/trace/check.js';
import type { Parsed } from '../../lib/trace/parse.js';
import { formatParseError, parseTrace, parseTraces } from '../../lib/trace/parse.js';
import { formatReport } from '../../lib/trace/report.js';
import { goodOptions, goodTrace } from './good.js';

const text = goodTrace()
  .map((record) => `${JSON.stringify(record)}\n`)
  .join('');

/** The error of a text, as a line. */
function errorOf(parsed: Parsed): string | null {
  return parsed.ok ? null : formatParseError(parsed.error);
}

test('a written trace is read as it was', (t) => {
  t.deepEqual(parseTrace('a.jsonl', text), { ok: true, records: goodTrace(), torn: false });
});

test('wherever the last line is torn, it is ignored', (t) => {
  const [first = '', second = ''] = text.split('\n');
  for (let length = 1; length < second.length; length++) {
    const parsed = parseTrace('a.jsonl', `${first}\n${second.slice(0, length)}`);
    t.true(parsed.ok && parsed.torn && parsed.records.length === 1, `${length}`);
  }
  const whole = parseTrace('a.jsonl', `${first}\n${second}`);
  t.true(whole.ok && !whole.torn && whole.records.length === 2);
});

test('empty text and empty lines are no records', (t) => {
  t.deepEqual(parseTrace('a.jsonl', ''), { ok: true, records: [], torn: false });
  t.deepEqual(parseTrace('a.jsonl', '\n\n'), { ok: true, records: [], torn: false });
});

test('a bad line is named with its file, its number and what is wrong', (t) => {
  const good = '{"t":1,"p":"a#1","e":"answered","g":"x","r":"a#1:1"}\n';
  const errors = [
    ['{"t":1\n', 'not JSON'],
    ['[]\n', 'not an object'],
    ['null\n', 'not an object'],
    ['{"p":"a#1","e":"leave"}\n', '"t" is not a number'],
    ['{"t":1,"e":"leave"}\n', '"p" is not a string'],
    ['{"t":1,"p":"a#1"}\n', '"e" is not a string'],
    ['{"t":1,"p":"a#1","e":"constructor"}\n', '"e" is "constructor", which is no event of a trace'],
    ['{"t":1,"p":"a#1","e":"stable","g":"x"}\n', '"id" of stable is not a string'],
    ['{"t":1,"p":"a#1","e":"stable","g":"x"}', '"id" of stable is not a string'],
    [
      '{"t":1,"p":"a#1","e":"asked","g":"x","r":"1","outcome":"ok","got":[1]}\n',
      '"got" of asked is not a list of strings',
    ],
  ] as const;
  for (const [line, reason] of errors) t.is(errorOf(parseTrace('a.jsonl', good + line)), `a.jsonl:2: ${reason}`);
});

test('several traces are read together, the first error ends it', (t) => {
  const one = '{"t":1,"p":"a#1","e":"suspect","who":"b#2"}\n';
  const torn = '{"t":1,"p":"b#2","e":"suspect","who":"a#1"}\n{"t"';
  const parsed = parseTraces([
    { file: 'a', text: one },
    { file: 'b', text: torn },
  ]);
  t.true(parsed.ok && parsed.torn && parsed.records.length === 2);
  t.is(
    errorOf(
      parseTraces([
        { file: 'a', text: one },
        { file: 'b', text: 'x\n' },
      ]),
    ),
    'b:1: not JSON',
  );
});

test('a barrier is accepted, and ends of all groups at once', (t) => {
  const send = '{"t":1,"p":"a#1","e":"send","g":"x","id":"a#1:1","o":"barrier","u":false,"v":null,"h":""}\n';
  t.true(parseTrace('a', `${send}{"t":2,"p":"a#1","e":"leave"}\n{"t":3,"p":"a#1","e":"left"}\n`).ok);
});

test('a report says how often each property was tried, and shows violations with their events', (t) => {
  const good = formatReport(check(goodTrace(), goodOptions));
  t.regex(good, /^VSYNC +\d+ {2}holds$/m);
  t.regex(good, /No property is violated/);
  const bad = formatReport(
    check(
      goodTrace().filter((record) => record.e !== 'send'),
      {},
    ),
  );
  t.regex(bad, /^NO-CREATE +\d+ {2}VIOLATED \d+ times$/m);
  t.regex(bad, /^LIVE-DEL +0 {2}not put to the test$/m);
  t.regex(bad, /^NO-CREATE: b#2 delivers a#1:1, which nobody has sent\n {2}\{"e":"deliver"/m);
  t.regex(bad, /VIOLATED\.$/m);
});
