import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { EventDraft, RunEvent } from '../../src/run/events.ts';
import { KEY_LIMIT, ONLY_BLOCKED, STOP_REASONS, type StopReason } from '../../src/run/stop-reason.ts';
import { ownerFile, type RunFolder, segmentFile } from '../../src/runlog/folder.ts';
import { printable } from '../../src/safety/text.ts';
import { accessibilityViolations } from '../support/accessibility.ts';
import { eventually } from '../support/eventually.ts';
import { ended, events, task } from '../support/run-events.ts';
import type { TreeView } from '../support/tree-view.ts';
import { startVscodeServer, type VscodeServer } from '../support/vscode-server.ts';
import { packaged } from '../support/vsix.ts';
import { openWorkbench, type Workbench } from '../support/workbench.ts';
import { writeRun } from '../support/written-run.ts';
import { atReview, atWork, followedBy, longRun, type MadeRun } from './panel-runs.ts';

/** A run as it lies in a folder, and what a person is told of it. */
interface State {
  readonly made: MadeRun;
  /** Changes the folder behind the back of the program. */
  readonly spoil?: (folder: RunFolder) => void;
  /** Beside its name in the list. */
  readonly listed: RegExp;
  /** Its state in the summary; null where there is none to be seen. */
  readonly shown: string | null;
}

const DAY_MS = 24 * 60 * 60 * 1000;
const TASKS = 10_000;

const work = longRun(6, 3);
const end = (reason: StopReason, detail: string, error: { class: string; message: string } | null = null): MadeRun =>
  followedBy(work, { ...ended(reason, detail), error });
const reached = (limit: string, value: number, spent: number): EventDraft => ({
  type: 'limit.reached',
  ...{ limit, value, spent },
});

const owned = (folder: RunFolder): void => {
  const owner = { host: 'far', boot_id: 'another', pid: 1, process_start: '', nonce: 'n' };
  mkdirSync(folder.owners, { recursive: true });
  writeFileSync(ownerFile(folder, 1), `${JSON.stringify(owner)}\n`);
};

/** A letter in the middle of the log is another one. */
const damaged = (folder: RunFolder): void => {
  const file = segmentFile(folder, 1);
  const lines = readFileSync(file, 'utf8').split('\n');
  const middle = Math.floor(lines.length / 2);
  lines[middle] = (lines[middle] ?? '').replace('"seq":', '"sEq":');
  writeFileSync(file, lines.join('\n'));
};

const ENDS: Readonly<Record<StopReason, State>> = {
  objective_complete: {
    made: end('objective_complete', 'All acceptance criteria are met.'),
    listed: /^complete · 6\/50 · \$/,
    shown: 'Objective complete',
  },
  queue_empty: { made: end('queue_empty', 'No task waits.'), listed: /^no task left · /, shown: 'All tasks done' },
  max_iterations: {
    made: end('max_iterations', 'Iterations done: 6 of 6.'),
    listed: /^iteration limit · /,
    shown: 'Iteration limit reached',
  },
  max_cost: {
    made: end('max_cost', 'The next request could cost $0.012, and $0.0031 is left.'),
    listed: /^cost limit · /,
    shown: 'Cost limit reached',
  },
  max_requests: {
    made: end('max_requests', '18 of 18 requests are used.'),
    listed: /^request limit · /,
    shown: 'Request limit reached',
  },
  max_tokens: {
    made: end('max_tokens', 'The next request could take 1,500 tokens, and 900 are left.'),
    listed: /^token limit · /,
    shown: 'Token limit reached',
  },
  max_wall_time: {
    made: end('max_wall_time', 'It is 480 minutes.'),
    listed: /^time limit · /,
    shown: 'Time limit reached',
  },
  stopped_by_user: { made: end('stopped_by_user', 'By a person in VS Code.'), listed: /^stopped · /, shown: 'Stopped' },
  stopped_at_review: {
    made: end('stopped_at_review', 'By a person at the review after iteration 6.'),
    listed: /^stopped at review · /,
    shown: 'Stopped at a review',
  },
  stalled: {
    made: end('stalled', 'Three replies in a row could not be used.', {
      class: 'unusable_reply',
      message: 'The reply is no JSON: Unexpected token < in JSON at position 0.',
    }),
    listed: /^stalled · /,
    shown: 'Stalled',
  },
  waiting_for_key: {
    made: end('waiting_for_key', 'For https://api.openai.com none is stored.'),
    listed: /^no API key · /,
    shown: 'Waiting for an API key',
  },
  disk_full: {
    made: end('disk_full', 'Less than 8 MB are free.', {
      class: 'disk',
      message: 'ENOSPC: no space left on device, write',
    }),
    listed: /^disk full · /,
    shown: 'Disk full',
  },
  quarantined: {
    made: end('quarantined', 'The execution of t7 was interrupted three times.'),
    listed: /^quarantined · /,
    shown: 'Quarantined',
  },
  error: {
    made: end('error', 'The server refused the request.', {
      class: 'model_not_found',
      message: 'The model `gpt-4.1-minni` does not exist or you do not have access to it.',
    }),
    listed: /^error · /,
    shown: 'Ended by an error',
  },
};

const MORE: Readonly<Record<string, State>> = {
  key_limit: {
    made: followedBy(work, reached('max_key_usd_per_day', 0.5, 0.4931), {
      ...ended('max_cost', 'The key has no more for today.'),
      error: { class: KEY_LIMIT, message: 'The daily limit of the key is reached.' },
    }),
    listed: /^daily limit of the API key · /,
    shown: 'Daily limit of the API key reached',
  },
  only_blocked: {
    made: end('queue_empty', 'Only blocked tasks are left.', { class: ONLY_BLOCKED, message: 'Tasks are blocked.' }),
    listed: /^only blocked tasks left · /,
    shown: 'Only blocked tasks left',
  },
  interrupted: { made: atWork(work), listed: /^interrupted$/, shown: 'Interrupted' },
  elsewhere: {
    made: atWork(work),
    spoil: owned,
    listed: /^in progress in another process/,
    shown: 'Running',
  },
  review_elsewhere: {
    made: atReview(work),
    spoil: owned,
    listed: /^waits for review in another process/,
    shown: 'Waits for your review',
  },
  damaged: { made: end('max_iterations', 'Iterations done: 6 of 6.'), spoil: damaged, listed: /./, shown: null },
  imported: {
    made: end('max_iterations', 'Iterations done: 6 of 6.'),
    spoil: ({ imported }) => writeFileSync(imported, '{}\n'),
    listed: /^iteration limit · .* · imported$/,
    shown: 'Iteration limit reached',
  },
  long_texts: {
    made: {
      ...end('error', `${'It was not so. '.repeat(60)}`, {
        class: 'server_error',
        message: `${'Unbroken'.repeat(120)} and ${'more words than anybody reads '.repeat(30)}`,
      }),
      config: {
        ...work.config,
        acceptance_criteria: [`${'Each of a long row of conditions, '.repeat(20)}`, 'Z'.repeat(400)],
      },
    },
    listed: /^error · /,
    shown: 'Ended by an error',
  },
  many_tasks: {
    made: followedBy(
      longRun(0, 3),
      ...Array.from({ length: TASKS }, (_, index) => task(`m${index}`, `Look at page ${index + 1} of the archive`)),
    ),
    listed: /^interrupted$/,
    shown: 'Interrupted',
  },
};

/** Every state that a folder can be in, in the list and in the summary, in every theme. */
describe('the states of runs', () => {
  const root = mkdtempSync(path.join(tmpdir(), 'babyagi-states-'));
  const workspace = path.join(root, 'garden');
  const states = Object.entries({ ...ENDS, ...MORE });
  let server: VscodeServer;
  let workbench: Workbench;
  let runs: TreeView;

  before(async () => {
    for (const [index, [name, { made, spoil }]] of states.entries()) {
      const drafts = dated(events(...made.drafts), -index * DAY_MS);
      const created_at = drafts[0]?.ts ?? '';
      const config = { ...made.config, run_id: randomUUID(), created_at, objective: objectiveOf(name) };
      const { folder } = writeRun(path.join(workspace, '.babyagi', 'runs'), config, drafts);
      spoil?.(folder);
    }
    server = await startVscodeServer({
      workspace,
      dataDir: path.join(root, 'data'),
      extensions: [packaged()],
    });
    // So high that all rows are in view.
    workbench = await openWorkbench(server, { viewport: { width: 1280, height: 1000 } });
    await workbench.openView('BabyAGI');
    runs = workbench.view('Runs');
  });

  after(async () => {
    await workbench?.close();
    await server?.close();
    rmSync(root, { recursive: true, force: true });
  });

  it('are all here that a run can end in', () => {
    assert.deepEqual(Object.keys(ENDS), [...STOP_REASONS]);
  });

  it('are named in the list, newest first', async () => {
    for (const [name, { listed }] of states) await runs.waitForRow(objectiveOf(name), listed);
    const labels = (await runs.rows()).map(({ label }) => label);
    assert.deepEqual(
      labels,
      states.map(([name]) => printable(objectiveOf(name), 20)),
    );
    await workbench.photograph('states');
  });

  for (const [name, { shown }] of states) {
    it(`are shown in the summary: ${name}`, async () => {
      await runs.inlineAction(objectiveOf(name), 'Open Summary');
      const panel = await workbench.webviewFrame(printable(objectiveOf(name), 40));
      if (shown === null) {
        await panel.getByText(/^The log is damaged in segment 1 at byte \d+: /).waitFor();
        await runs.waitForRow(objectiveOf(name), 'cannot be read');
      } else await panel.locator('.state', { hasText: shown }).waitFor();
      await workbench.photograph(`state-${name}`);
      // In every theme it is looked at where each kind of state is, in panel-access.test.ts.
      assert.deepEqual(await accessibilityViolations(panel), []);
      await workbench.page.locator('.tab.active').click({ button: 'middle' });
    });
  }

  it('lead from the summary of a damaged run to its log, up to the damage', async () => {
    assert.ok(!(await runs.inlineActions('damaged')).includes('Resume'));
    await runs.inlineAction('damaged', 'Open Summary');
    const panel = await workbench.webviewFrame('damaged');
    await panel.getByRole('button', { name: 'Open Log' }).click();
    await eventually('the damage', async () =>
      /\nThe log is damaged from here on: /.test(await workbench.activeEditorText()),
    );
    await workbench.photograph('damaged-log');
  });
});

function objectiveOf(name: string): string {
  return name === 'long_texts' ? `${name} ${'and so on '.repeat(200)}` : name;
}

function dated(made: readonly RunEvent[], byMs: number): RunEvent[] {
  return made.map((event) => ({ ...event, ts: new Date(Date.parse(event.ts) + byMs).toISOString() }));
}
