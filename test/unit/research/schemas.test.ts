import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { jsonSchemas } from '../../../src/research/schemas.ts';
import { fold } from '../../../src/run/fold.ts';
import { Checkpoint, checkpointOf } from '../../../src/runlog/checkpoint.ts';
import { events, iteration, makeConfig, startOfRun, task } from '../../support/run-events.ts';

describe('the JSON Schemas', () => {
  it('are those that the code gives: else run node scripts/build-schemas.mjs', () => {
    const written = new Map(
      readdirSync('media/schemas').map((name) => [name, readFileSync(`media/schemas/${name}`, 'utf8')]),
    );
    assert.deepEqual([...written.keys()].sort(), [...jsonSchemas().keys()].sort());
    for (const [name, content] of jsonSchemas()) assert.equal(written.get(name), content, name);
  });

  it('are named by package.json for each file that a person may open', () => {
    const manifest: unknown = JSON.parse(readFileSync('package.json', 'utf8'));
    const { contributes } = manifest as { contributes: { jsonValidation: { fileMatch: string; url: string }[] } };
    assert.deepEqual(
      contributes.jsonValidation.map(({ fileMatch, url }) => [fileMatch.split('-????/').at(-1), url.split('/').at(-1)]),
      [
        ['summary.json', 'summary.schema.json'],
        ['config.json', 'config.schema.json'],
        ['results.json', 'results.schema.json'],
        ['checkpoints/*.json', 'checkpoint.schema.json'],
        ['*.experiment.json', 'experiment.schema.json'],
      ],
    );
  });

  it('of a checkpoint is what checkpoints are', () => {
    const state = fold(
      makeConfig(),
      events(...startOfRun(), ...iteration(1, 't1', 'Four tasks.', task('t2', 'Compare prices'))),
    );
    const checkpoint = checkpointOf(state);
    assert.deepEqual(Checkpoint.parse(JSON.parse(JSON.stringify(checkpoint))), checkpoint);
    assert.deepEqual(
      [checkpoint.pending, checkpoint.finished.length],
      [[{ task_id: 't2', text: 'Compare prices', state: 'pending' }], 1],
    );
  });
});
