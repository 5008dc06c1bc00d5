import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { EventDraft } from '../../../src/run/events.ts';
import { fold } from '../../../src/run/state.ts';
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
    assert.match(text, /\| c1 \| execution \| t1 \| \d+ \| \\\$0\.13 \| no \|/);
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
});
