import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs';
import * as nodeFs from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { StopRun } from '../../../src/run/ports.ts';
import type { Call, Task } from '../../../src/run/state.ts';
import { OutputWriter, outputSandbox } from '../../../src/tools/output.ts';
import { brain } from '../../support/brain.ts';
import { oneRun } from '../../support/one-run.ts';
import { temporaryFolder } from '../../support/run-host.ts';

const FILES = '```file:one.md\nfirst\n```\n\n```file:two.md\nsecond\n```';

describe('files of an answer', () => {
  it('end the run where the folder was exchanged for another one', async (t) => {
    const { outcome, events, session } = await oneRun(t, {
      server: { reply: brain({ result: (task) => `About ${task}\n${FILES.replaceAll('.md', `-${task.length}.md`)}` }) },
      settings: { max_iterations: 5, synthesis: false },
      begun: (session) => {
        const end = session.subscribe((event) => {
          if (event.type !== 'iteration.completed') return;
          end();
          renameSync(session.folder.output, `${session.folder.output}-away`);
          mkdirSync(session.folder.output);
        });
      },
    });
    assert.equal(outcome.stopReason, 'error');
    assert.match(outcome.detail, /another folder than before/);
    assert.equal(session.state.end?.error?.class, 'root_refused');
    assert.equal(events.filter(({ type }) => type === 'file.written').length, 2);
    assert.deepEqual(readdirSync(session.folder.output), []);
  });

  it('end the run where the disk is full, and on any folder that may not hold them', async (t) => {
    const { session } = await oneRun(t, { server: { reply: brain() }, settings: { max_iterations: 1 } });
    const { log } = session;
    const noted: string[] = [];
    const recorder = {
      state: log.state,
      activeMs: () => 0,
      append: (...drafts: { type: string }[]) => void noted.push(...drafts.map(({ type }) => type)),
      barrier: () => Promise.resolve(),
      subscribe: () => () => {},
    };
    const root = join(temporaryFolder(), 'output');
    const full: typeof nodeFs = {
      ...nodeFs,
      mkdir: (): Promise<never> =>
        Promise.reject(Object.assign(new Error('ENOSPC'), { code: 'ENOSPC', syscall: 'mkdir' })),
    };
    const task = { id: 't1' } as Task;
    const result = { answer: FILES } as Call;
    const sandbox = outputSandbox(log.state, root, process.platform, full);
    await assert.rejects(new OutputWriter(recorder, sandbox).keep(task, result), (error) => {
      assert.ok(error instanceof StopRun);
      assert.deepEqual([error.reason, error.error?.class], ['disk_full', 'disk_full']);
      return true;
    });
    assert.deepEqual(noted, ['file.intended', 'file.refused'], 'the second file is not tried');
    assert.equal(existsSync(root), false);
    assert.throws(
      () => outputSandbox(log.state, join(root, '.git', 'output'), process.platform),
      (error) => error instanceof StopRun && error.reason === 'error' && error.error?.class === 'root_refused',
    );
  });
});
