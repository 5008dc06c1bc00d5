import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { afterEach, describe, it } from 'node:test';
import { AGENTS } from '../../../src/run/format.ts';
import { FIRST_VIEW } from '../../../src/vscode/panel-messages.ts';
import { panelSections } from '../../../src/vscode/panel-data.ts';
import { l10n, type Texts } from '../../../src/vscode/panel-l10n.ts';
import { agentWord } from '../../../src/vscode/panel-words.ts';
import { atReview, longRun, stateOf } from '../../e2e/panel-runs.ts';

const GERMAN = JSON.parse(readFileSync('l10n/bundle.l10n.de.json', 'utf8')) as Texts;

describe('the texts of the panel', () => {
  afterEach(() => l10n.use(undefined, 'en'));

  it('are English without a bundle, and where a bundle lacks one', () => {
    assert.equal(l10n.t('{0} of {1}, {0}', 'a', 2), 'a of 2, a');
    l10n.use({}, 'xx');
    assert.equal(l10n.t('constructor'), 'constructor');
    assert.equal(l10n.known('toString'), 'toString');
  });

  it('take values as they are, places in them too', () => {
    assert.equal(l10n.t('{0} and {1}', '{1}', '$&'), '{1} and $&');
    assert.equal(l10n.t('{0} and {1}', 'one'), 'one and {1}');
  });

  it('are German where VS Code is', () => {
    l10n.use(GERMAN, 'de');
    assert.equal(l10n.language, 'de');
    const moment = { now: Date.UTC(2025, 0, 2), activeMs: 1000, where: 'here' as const };
    const { head, review, progress, health } = panelSections(stateOf(atReview(longRun(20, 3))), FIRST_VIEW, moment);
    assert.equal(head?.state, 'Wartet auf Ihre Prüfung');
    assert.equal(review?.happened[0], '20 Iterationen: 19 Aufgaben erledigt, 1 fehlgeschlagen');
    assert.match(progress?.projection?.text ?? '', /^Reicht: etwa \$/);
    assert.equal(health?.words, 'Die Schleife kommt voran.');
    for (const agent of AGENTS) assert.ok(Object.values(GERMAN).includes(agentWord(agent)), agent);
  });
});
