import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isPinned } from '../../../src/engine/snapshot.ts';

describe('the name of a model', () => {
  it('is pinned where it ends in a date, of whatever form', () => {
    const pinned = [
      ...['gpt-4.1-mini-2025-04-14', 'claude-3-5-sonnet-20241022', 'o1-preview-2024-09-12'],
      ...['gpt-4-0613', 'gpt-4-32k-0613', 'gpt-3.5-turbo-0125', 'gpt-4-1106-preview'],
    ];
    for (const name of pinned) assert.ok(isPinned(name), name);
    for (const name of [
      'gpt-4o',
      'gpt-4-turbo-preview',
      'gpt-4-1399',
      'gpt-4-3200',
      'o1-preview',
      'llama-3-1024',
      'x-7b',
    ])
      assert.ok(!isPinned(name), name);
  });
});
