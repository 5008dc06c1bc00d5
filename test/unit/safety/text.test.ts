import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { printable } from '../../../src/safety/text.ts';

describe('printable', () => {
  it('strips control, bidi, invisible and private-use characters', () => {
    const hostile = 'pay\u0000\u0007\u001b[31m \u202e\u2066Alice\u2069\u200b\ufeff\u00ad\u{e0041}\ue000\u061c\u200e!';
    assert.equal(printable(hostile, 100), 'pay[31m Alice!');
  });

  it('makes one line of white space of every kind', () => {
    assert.equal(printable('  a\r\n\tb\u2028c\u00a0\u0085 d \n', 100), 'a b c d');
  });

  it('keeps emoji sequences and scripts that need joiners', () => {
    for (const text of ['👩\u200d🔬 done', '❤\ufe0f', 'नम\u200dस्ते', 'שלום', 'é'])
      assert.equal(printable(text, 100), text);
  });

  it('replaces nothing but drops half surrogate pairs', () => {
    assert.equal(printable('a\ud800b\udc00c', 10), 'abc');
  });

  it('cuts at code points, with an ellipsis only where something is left out', () => {
    assert.equal(printable('12345', 5), '12345');
    assert.equal(printable('12345 \u0000\n', 5), '12345');
    assert.equal(printable('123456', 5), '1234…');
    assert.equal(printable('123 456', 5), '123…');
    assert.equal(printable('😀😀😀😀', 3), '😀😀…');
    assert.equal(printable('12345\u0000\u0000 6', 5), '1234…');
  });

  it('never exceeds the maximum, is idempotent, and shows no character that it strips', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), fc.integer({ min: 1, max: 20 }), (text, max) => {
        const shown = printable(text, max);
        assert.ok([...shown].length <= max);
        assert.equal(printable(shown, max), shown);
        assert.doesNotMatch(shown, /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/);
      }),
    );
  });
});
