import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { outputFiles } from '../../../src/agents/output-files.ts';
import { startRun } from '../../../src/engine/start.ts';
import { brain } from '../../support/brain.ts';
import { startModelServer } from '../../support/model-server.ts';
import { temporaryFolder, testHost, testSettings, testStart } from '../../support/run-host.ts';

describe('files in an answer', () => {
  it('are the fenced blocks that say so, with their content as it is', () => {
    const answer =
      'Here:\n```file:plan/week one.md\n# Week\n\n- sow\n```\nand code\n```ts\nlet x;\n```\n~~~ file: b.txt\n```\n~~~\n';
    assert.deepEqual(outputFiles(answer), [
      { name: 'plan/week one.md', content: '# Week\n\n- sow\n' },
      { name: 'b.txt', content: '```\n' },
    ]);
  });

  it('are nothing where the block is not closed, or names nothing', () => {
    assert.deepEqual(outputFiles('```file:a.md\ntext'), []);
    assert.deepEqual(outputFiles('```file:\ntext\n```'), []);
  });
});

describe('a run whose model hands over files', () => {
  it('writes them below output/ only, with intent and outcome on record', async (t) => {
    const answers = [
      '```file:plan.md\nSow in May.\n```',
      '```file:../../escape.md\nno\n```',
      '```file:.git/config\nno\n```',
      '```file:plan.md\nSow in June.\n```',
    ];
    let tasks = 0;
    const server = await startModelServer({ reply: brain({ result: () => answers[tasks++] ?? 'done' }) });
    t.after(() => server.close());
    const host = testHost(server.url);
    t.after(() => host.egress.close());
    const folder = temporaryFolder();
    const session = await startRun(testSettings(server.baseUrl, { max_iterations: 5 }), testStart(folder), host);
    const { runDirectory } = await session.done;
    assert.deepEqual(readdirSync(join(runDirectory, 'output')), ['plan.md']);
    assert.equal(readFileSync(join(runDirectory, 'output/plan.md'), 'utf8'), 'Sow in June.\n');
    assert.deepEqual(readdirSync(folder).length, 1, 'nothing beside the run folder');
    const { refusedFiles, fileHashes, files, tasks: all } = session.state;
    assert.equal(refusedFiles.length, 2);
    assert.equal(fileHashes.get('plan.md')?.size, 2);
    assert.equal(files.get('plan.md')?.bytes, 13);
    assert.equal([...all.values()].filter((task) => task.state === 'failed').length, 0);
  });
});
