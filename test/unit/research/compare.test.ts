import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { EngineError } from '../../../src/engine/engine-error.ts';
import { compareRuns } from '../../../src/research/compare.ts';
import { comparisonMarkdown } from '../../../src/research/compare-markdown.ts';
import { exportArchive } from '../../../src/research/export-archive.ts';
import { withRunFolders } from '../../../src/research/opened-archive.ts';
import { nodeDisk } from '../../../src/runlog/disk.ts';
import { brain } from '../../support/brain.ts';
import type { ChatRequestSeen } from '../../support/model-server.ts';
import { oneRun } from '../../support/one-run.ts';
import { temporaryFolder } from '../../support/run-host.ts';

const settings = { max_iterations: 4, sleepSeconds: 0, embeddingModel: null } as const;

/** The original's agents: creation makes two tasks each time; prioritization loses one, renames one and repeats what is done. */
function classicReplies({ prompt }: ChatRequestSeen): string {
  if (prompt.startsWith('Carry out')) return 'Done.';
  if (prompt.startsWith('You are to create')) return '1. Dig a bed\n2. Sow the seeds';
  if (prompt.startsWith('You are to') || prompt.includes('Dig a bed')) return '1. Dig a bed\n2. Rake the leaves';
  return 'ok';
}

/** The third planning reply cannot be read, and its repair neither; the second proposes what is known. */
function guardedReplies(): (request: ChatRequestSeen, index: number) => string {
  let plans = 0;
  const think = brain({
    newTasks: (_last, index) =>
      index === 1 ? ['find out about soil'] : ['Find out about soil', `Number ${index}`, `Other ${index}`],
  });
  return (request, index) => {
    if (request.prompt.startsWith('You keep a task list') && ++plans === 3) return 'No.';
    return think(request, index);
  };
}

describe('a comparison of runs', () => {
  it('puts the original beside the guarded loop: what they were started with, and what came of it', async (t) => {
    const classic = await oneRun(t, {
      server: { reply: classicReplies },
      settings: { ...settings, strategy: 'classic' },
    });
    const guarded = await oneRun(t, {
      server: { reply: guardedReplies() },
      settings: { ...settings, max_cost_usd: 0.5 },
    });
    const { runs, differences } = await compareRuns(nodeDisk, [
      { directory: classic.outcome.runDirectory, name: 'first' },
      { directory: guarded.outcome.runDirectory, name: 'sec|ond' },
    ]);
    const [original, mended] = runs.map(({ figures }) => figures);
    assert.ok(original && mended);
    // Each list names Dig a bed and Rake the leaves: Sow the seeds is lost each time, and one of the two comes anew.
    assert.deepEqual(
      [original.iterations, original.results, original.duplicatesDone, original.duplicatesSuppressed],
      [4, 4, original.results - original.usefulResults, 0],
    );
    const replaced = classic.events.flatMap((event) => (event.type === 'tasks.replaced' ? [event] : []));
    const invented = replaced.flatMap(({ tasks }) => tasks).filter(({ task_id }) => task_id.startsWith('p'));
    assert.equal(original.tasksInvented, new Set(invented.map(({ task_id }) => task_id)).size);
    assert.ok(original.tasksInvented > 0 && original.tasksLost > 3 && original.duplicatesDone > 0);
    assert.deepEqual([mended.tasksLost, mended.tasksInvented, mended.duplicatesDone], [0, 0, 0]);
    assert.ok(mended.duplicatesSuppressed > 0);
    assert.deepEqual([original.repairRate, mended.repairRate], [0, 0.25]);
    assert.equal(mended.costUsd, guarded.outcome.costUsd);
    assert.equal(mended.costPerUsefulResultUsd, mended.costUsd / mended.usefulResults);
    assert.equal(original.requestsPerIteration, 3);
    const growth = classic.state.iterations.map(({ queue }) => queue);
    assert.equal(original.queueGrowth, Math.round(1000 * (((growth.at(-1) ?? 0) - (growth[0] ?? 0)) / 3)) / 1000);
    assert.ok(mended.latencyMs && mended.latencyMs.p50 <= mended.latencyMs.p95);

    const places = new Map(differences.map(({ at, values }) => [at, values]));
    assert.deepEqual(places.get('strategy'), ['classic', 'guarded']);
    assert.deepEqual(places.get('limits.max_cost_usd'), [1, 0.5]);
    assert.match(String(places.get('prompts.execution.sha256')?.[0]), /^[0-9a-f]{64}$/);
    assert.equal(places.get('prompts.creation.sha256')?.[1], null);
    assert.ok([...places.keys()].every((place) => !/^(run_id|created_at|prompts\.\w+\.text|objective)/.test(place)));

    const text = comparisonMarkdown({ runs, differences });
    assert.match(text, /^\| A \| classic \| gpt-4o \| Plan a small garden \| first \|$/m);
    assert.match(text, /^\| B \| guarded \|.*\| sec\\\|ond \|$/m, 'a name is no Markdown');
    assert.match(text, /^\| ended by \| max_iterations \| max_iterations \|$/m);
    assert.match(text, /^\| iterations with a reply to repair \| 0 % \| 25 % \|$/m);
    assert.match(text, /^\| limits\.max\\_cost\\_usd \| 1 \| 0\.5 \|$/m);
  });

  it('takes archives, runs that did nothing, and one run twice', async (t) => {
    const { outcome, session } = await oneRun(t, {
      server: { reply: brain() },
      settings,
      begun: (begun) => begun.stop(),
    });
    assert.equal(outcome.stopReason, 'stopped_by_user');
    const zip = join(temporaryFolder(), 'run.zip');
    await exportArchive(session.folder.path, zip, {});
    const never = new AbortController().signal;
    const { runs, differences } = await withRunFolders([session.folder.path, zip], never, (directories) =>
      compareRuns(
        nodeDisk,
        directories.map((directory) => ({ directory, name: 'it' })),
      ),
    );
    assert.deepEqual(differences, []);
    assert.deepEqual(runs[0]?.figures, runs[1]?.figures);
    assert.equal(runs[0]?.figures.costPerUsefulResultUsd, null);
    assert.match(comparisonMarkdown({ runs, differences }), /Nothing differs\.[^]*\| latency p50 \| – \| – \|/);
    await assert.rejects(
      compareRuns(nodeDisk, [{ directory: temporaryFolder(), name: 'nothing' }]),
      (error) => error instanceof EngineError && error.reason === 'not_a_run',
    );
  });
});
