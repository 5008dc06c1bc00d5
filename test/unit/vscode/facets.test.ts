import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { briefOfState } from '../../../src/vscode/run-brief.ts';
import { callFacets, FACETS, runFacets, taskFacets } from '../../../src/vscode/facets.ts';
import type { RunEntry } from '../../../src/vscode/runs.ts';
import { fold } from '../../../src/run/fold.ts';
import { ended, events, makeConfig, startOfRun } from '../../support/run-events.ts';

interface Manifest {
  readonly contributes: { readonly menus: Readonly<Record<string, readonly { command: string; when?: string }[]>> };
}

const { contributes } = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest;
const state = fold(makeConfig(), events(...startOfRun(), ended('max_iterations')));

function entryWith(
  entry: Partial<Pick<RunEntry, 'session' | 'isElsewhere' | 'view' | 'problem'>>,
  brief = {},
): RunEntry {
  const base = {
    session: null,
    isElsewhere: false,
    view: null,
    problem: null,
    brief: { ...briefOfState(state, false), ...brief },
  };
  return { ...base, ...entry } as unknown as RunEntry;
}

const words = (facets: string) => facets.split(' ');

describe('the facets of rows', () => {
  it('are all that package.json asks for', () => {
    const whens = Object.values(contributes.menus).flatMap((menu) => menu.map(({ when = '' }) => when));
    const asked = whens.flatMap((when) =>
      [...when.matchAll(/viewItem =~ \/((?:[^/\\]|\\.)*)\//g)].flatMap(([, pattern = '']) =>
        pattern
          .replaceAll('\\b', ' ')
          .split(/[^a-z_]+/)
          .filter(Boolean),
      ),
    );
    assert.ok(asked.length > 20, `${asked.length} words were found`);
    assert.deepEqual(
      [...new Set(asked)].filter((word) => !(word in FACETS)),
      [],
    );
  });

  it('say what a row is, and nothing that is not documented', () => {
    const all = [
      runFacets(entryWith({})),
      runFacets(entryWith({}, { imported: true })),
      runFacets(entryWith({ problem: 'Its log is damaged.' })),
      runFacets(entryWith({ isElsewhere: true }, { status: 'review_elsewhere' })),
      taskFacets({ state: 'pending' }, true),
      callFacets({ status: 'held' }),
    ];
    assert.deepEqual(all.map(words), [
      ['run', 'idle', 'ended', 'resumable', 'closed'],
      ['run', 'idle', 'ended', 'imported', 'closed'],
      ['run', 'idle', 'ended', 'closed'],
      ['run', 'live', 'review_elsewhere', 'review'],
      ['task', 'pending', 'live'],
      ['call', 'held'],
    ]);
    for (const word of all.flatMap(words)) assert.ok(word in FACETS, word);
  });
});
