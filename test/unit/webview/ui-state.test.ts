import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FIRST_VIEW } from '../../../src/vscode/panel-messages.ts';
import { tabAfterKey } from '../../../src/webview/tabs.ts';
import { fold, restoreUiState } from '../../../src/webview/ui-state.ts';

describe('what the page keeps over a reload', () => {
  const saved = { runId: 'r', view: { ...FIRST_VIEW, tab: 'tasks' as const }, unfolded: ['task/t1'], scroll: 120 };

  it('comes back for the same run', () => {
    assert.deepEqual(restoreUiState(saved, 'r'), saved);
  });

  it('is a first state for another run and for anything unusable', () => {
    const first = { runId: 'r', view: FIRST_VIEW, unfolded: [], scroll: 0 };
    for (const other of [undefined, null, 'x', { ...saved, runId: 's' }])
      assert.deepEqual(restoreUiState(other, 'r'), first);
    assert.deepEqual(restoreUiState({ runId: 'r', view: { tab: 'x' }, unfolded: [1], scroll: 'far' }, 'r'), first);
  });

  it('unfolds once and folds again', () => {
    const open = fold(fold(restoreUiState(saved, 'r'), 'task/t2', true), 'task/t2', true);
    assert.deepEqual(open.unfolded, ['task/t1', 'task/t2']);
    assert.deepEqual(fold(open, 'task/t1', false).unfolded, ['task/t2']);
  });
});

describe('the keys of the tabs', () => {
  it('go round, and to both ends', () => {
    assert.equal(tabAfterKey('overview', 'ArrowLeft'), 'answer');
    assert.equal(tabAfterKey('answer', 'ArrowRight'), 'overview');
    assert.deepEqual([tabAfterKey('tasks', 'Home'), tabAfterKey('tasks', 'End')], ['overview', 'answer']);
    assert.equal(tabAfterKey('tasks', 'a'), null);
  });
});
