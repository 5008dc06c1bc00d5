import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { EventDraft } from '../../../src/run/events.ts';
import { fold } from '../../../src/run/fold.ts';
import { STOP_REASONS } from '../../../src/run/stop-reason.ts';
import { l10n } from '../../../src/vscode/panel-l10n.ts';
import { whyDocument } from '../../../src/vscode/why-document.ts';
import { ended, events, makeConfig, startOfRun, unanswered } from '../../support/run-events.ts';

const SITUATION = { directory: '/runs/one', owned: false, imported: false };

function documentOf(
  drafts: readonly EventDraft[],
  objective = 'Compare three databases',
  situation = SITUATION,
): string {
  return whyDocument(fold(makeConfig({ objective }), events(...startOfRun(), ...drafts)), situation);
}

describe('the document on why a run stopped', () => {
  it('says why, what was lost and what it cost, and names the command of the window', () => {
    const text = documentOf([
      ...unanswered('c1', 'held', 'reset', { reservedUsd: 0.125, taskId: 't1' }),
      ended('max_iterations'),
    ]);
    assert.match(text, /^# Why it stopped\n\n> Compare three databases\n/);
    assert.match(text, /The run ended: max\\_iterations\./);
    assert.match(text, /\| c1 \| Execution \| t1 \| \d+ \| \\\$0\.13 \| no \|/);
    assert.match(text, /## What to do now\n[^#]*\*\*BabyAGI: Continue with More…\*\*/);
    assert.equal(text.includes('cli.js'), false);
  });

  it('tells a run that was killed from one that is in progress', () => {
    assert.match(documentOf([]), /^# Why it stopped: it was interrupted\n[^]*\*\*BabyAGI: Resume\*\*/);
    assert.match(documentOf([], 'x', { ...SITUATION, owned: true }), /^# It has not stopped\n/);
  });

  it('names no command for a run that can only be looked at', () => {
    assert.equal(documentOf([ended('max_cost')], 'x', { ...SITUATION, imported: true }).includes('In VS Code'), false);
  });

  it('makes nothing that was written by others Markdown', () => {
    const text = documentOf([ended('error')], '# Big\n[x](command:workbench.action.quit) <img src=x> ![y](http://z)');
    assert.match(
      text,
      /\n> \\# Big \\\[x\\\]\(command:workbench\.action\.quit\) &lt;img src=x> !\\\[y\\\]\(http:\/\/z\)\n/,
    );
  });

  it('is in the language of the window, with figures in place of the sentences of the log', (t) => {
    const german = JSON.parse(readFileSync('l10n/bundle.l10n.de.json', 'utf8')) as Record<string, string>;
    t.after(() => l10n.use(undefined, 'en'));
    l10n.use(german, 'de');
    const failed = (id: string): EventDraft[] => [
      { type: 'task.started', task_id: id, iteration: 1 },
      { type: 'task.failed', task_id: id, iteration: 1, error: { class: 'timeout', message: 'Zu spät.' } },
      { type: 'iteration.completed', iteration: 1, task_id: id },
    ];
    const review: EventDraft = { type: 'review.requested', review_id: 'r1', iteration: 0, digest: 'd', why: 'x' };
    const lost = unanswered('c1', 'held', 'Abgebrochen.', { taskId: 't1' });
    const byKey = { ...ended('max_cost'), error: { class: 'key_limit', message: 'No word of this.' } };
    const reached: EventDraft = { type: 'limit.reached', limit: 'max_cost_usd', value: 1, spent: 0.9 };
    const paused: EventDraft = { type: 'run.paused', by: 'loop', why: '3 tasks failed in a row.' };
    const texts = [
      ...STOP_REASONS.map((reason) => documentOf([...lost, ended(reason, 'Ein Satz.')], 'Ein Garten')),
      documentOf([...failed('t1'), reached, ended('max_cost', 'No word of this.')], 'Ein Garten'),
      documentOf([reached, byKey], 'Ein Garten'),
      documentOf([...lost], 'Ein Garten'),
      ...[[], [paused], [review]].map((drafts) => documentOf(drafts, 'Ein Garten', { ...SITUATION, owned: true })),
      documentOf([], 'Ein Garten', { ...SITUATION, imported: true }),
    ];
    for (const text of texts)
      assert.doesNotMatch(text, /\b(the|of|and|is|are|were|with|for|this|that|to|no|not|it|its|from|after|by)\b/i);
    assert.match(texts.join(), /\\\$0\.90 von \\\$1\.00 sind ausgegeben\./);
  });
});
