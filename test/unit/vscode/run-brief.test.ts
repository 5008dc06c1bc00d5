import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { EventDraft } from '../../../src/run/events.ts';
import { fold } from '../../../src/run/fold.ts';
import { KEY_LIMIT } from '../../../src/run/stop-reason.ts';
import { summarize } from '../../../src/runlog/summary.ts';
import { l10n } from '../../../src/vscode/panel-l10n.ts';
import { briefOfFiles, briefOfState } from '../../../src/vscode/run-brief.ts';
import { inMessage, inQuickPick } from '../../../src/vscode/labels.ts';
import { ended, events, makeConfig, startOfRun } from '../../support/run-events.ts';

const CONFIG = {
  run_id: 'one',
  objective: 'Plan',
  created_at: '2026-01-01T00:00:00Z',
  model: { provider: 'rehearsal' },
  limits: { max_iterations: 10, max_cost_usd: 1 },
};
const SUMMARY = {
  run_id: 'one',
  stop_reason: 'max_iterations',
  iterations: { done: 10, limit: 20 },
  cost: { settled_usd: 0.25, held_usd: 0.5, limit_usd: 2 },
};

describe('a run as a list shows it', () => {
  it('is interrupted where there is no summary, and ended where there is one', () => {
    assert.equal(briefOfFiles(CONFIG, null, false)?.status, 'interrupted');
    const ended = briefOfFiles(CONFIG, SUMMARY, false);
    assert.deepEqual(
      [ended?.status, ended?.stopReason, ended?.iterations, ended?.maxIterations, ended?.spentUsd, ended?.capUsd],
      ['ended', 'max_iterations', 10, 20, 0.75, 2],
    );
  });

  it('is elsewhere while another process owns it, also when it had ended before', () => {
    const brief = briefOfFiles(CONFIG, SUMMARY, true);
    assert.deepEqual([brief?.status, brief?.stopReason], ['elsewhere', null]);
  });

  it('does not believe a summary of another run, or a stop reason that is none', () => {
    assert.equal(briefOfFiles(CONFIG, { ...SUMMARY, run_id: 'two' }, false)?.status, 'interrupted');
    assert.equal(briefOfFiles(CONFIG, { ...SUMMARY, stop_reason: 'constructor' }, false)?.status, 'interrupted');
  });

  it('says why it stopped, by the limit of its key and at a review that waits too, from its files as from its state', () => {
    const byKey = { ...ended('max_cost'), error: { class: KEY_LIMIT, message: 'x' } };
    const reached: EventDraft = { type: 'limit.reached', limit: 'max_key_usd_per_day', value: 5, spent: 4.9 };
    const review: EventDraft = { type: 'review.requested', review_id: 'r1', iteration: 0, digest: 'd', why: 'x' };
    for (const [drafts, meaning] of [
      [[ended('max_cost')], /cost limit\.$/],
      [[byKey], /daily limit of the API key\.$/],
      [[reached, byKey], /^The daily limit of the API key was reached: \$4\.90 of \$5\.00 is spent/],
      [[ended('stopped_at_review')], /was ended at a checkpoint review\.$/],
      [[review, ended('stopped_at_review')], /waits for a person/],
    ] as const) {
      const state = fold(makeConfig(), events(...startOfRun(), ...drafts));
      const { stopWords, byKeyLimit } = briefOfState(state, false);
      assert.equal(
        byKeyLimit,
        drafts.some((draft) => draft === byKey),
      );
      assert.equal(briefOfFiles(state.config, summarize(state), false)?.byKeyLimit, byKeyLimit);
      assert.match(stopWords?.meaning ?? '', meaning);
      assert.deepEqual(briefOfFiles(state.config, summarize(state), false)?.stopWords, stopWords);
    }
    assert.match(briefOfFiles(CONFIG, SUMMARY, false)?.stopWords?.next ?? '', /^Continue with more iterations/);
  });

  it('says why it stopped in the language of the window where those are our words, else as the file does', (t) => {
    t.after(() => l10n.use(undefined, 'en'));
    l10n.use({ 'The iteration limit was reached.': 'Die Iterationsgrenze wurde erreicht.' }, 'de');
    const meaning = (said: string) => briefOfFiles(CONFIG, { ...SUMMARY, meaning: said }, false)?.stopWords?.meaning;
    assert.equal(meaning('The iteration limit was reached.'), 'Die Iterationsgrenze wurde erreicht.');
    assert.equal(meaning('Words of another version.'), 'Words of another version.');
  });

  it('shows whatever amounts a file of the workspace has', () => {
    const limit_reached = { limit: 'x', value: 1e300, spent: -1 };
    const summary = { ...SUMMARY, stop_reason: 'max_cost', error: { class: KEY_LIMIT }, limit_reached };
    assert.match(briefOfFiles(CONFIG, summary, false)?.stopWords?.meaning ?? '', /daily limit of the API key\.$/);
  });

  it('is imported where the folder says so', () => {
    assert.equal(briefOfFiles(CONFIG, SUMMARY, false)?.imported, false);
    assert.equal(briefOfFiles(CONFIG, SUMMARY, false, true)?.imported, true);
  });

  it('is none without a configuration', () => {
    for (const config of [null, 1, 'text', [], {}, { run_id: 1, objective: 'x' }])
      assert.equal(briefOfFiles(config, SUMMARY, false), null);
  });
});

describe('labels', () => {
  it('keep links out of messages and icons out of quick picks', () => {
    assert.equal(inMessage('[now](command:workbench.action.quit)'), '[now] (command:workbench.action.quit)');
    assert.equal(inQuickPick('$(check) done'), '$ (check) done');
  });
});
