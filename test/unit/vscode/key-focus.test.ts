import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KeyFocus } from '../../../src/vscode/key-focus.ts';

describe('the row that a key was pressed on', () => {
  it('is the one whose selection was toggled, whether it was selected or not', () => {
    const focus = new KeyFocus<string>();
    focus.change(['a']);
    focus.take();
    focus.change(['a', 'b']);
    assert.equal(focus.take(), 'b');
    assert.equal(focus.take(), undefined);
    focus.expect('b');
    focus.change(['b']);
    assert.equal(focus.take(), undefined);
    focus.change([]);
    assert.equal(focus.take(), 'b');
  });

  it('is not told by a click on another row', () => {
    const focus = new KeyFocus<string>();
    focus.change(['a']);
    focus.change(['b']);
    assert.equal(focus.take(), undefined);
  });

  it('is found where the selection came back late, or never', () => {
    const focus = new KeyFocus<string>();
    focus.change(['a']);
    focus.change(['a', 'b']);
    focus.take();
    focus.expect('b');
    // The next key press was quicker.
    focus.change(['a']);
    assert.equal(focus.take(), 'b');
  });
});
