import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { dayOf, foldsOf, lineOfCall, logHeading, logLine, withDays } from '../../../src/vscode/log-lines.ts';
import {
  answered,
  ended,
  events,
  iteration,
  reserved,
  startOfRun,
  task,
  unanswered,
} from '../../support/run-events.ts';

describe('a line of the log document', () => {
  it('tells time, event, task, agent and cost in columns', () => {
    const lines = events(
      ...startOfRun(),
      ...answered('c1', 'Two beds.\nOne path.', { costUsd: 0.0012, taskId: 't1' }),
    ).map((event) => logLine(event, false));
    const settled = lines.at(-1) ?? '';
    assert.match(
      settled,
      /^03:04:\d\d\.000 {2}call\.settled {9}t1 {5}execution +\$0\.0012 {2}c1, .*: Two beds\. One path\.$/,
    );
    const columns = ['event', 'task', 'agent'].map((name) => logHeading().indexOf(name));
    assert.deepEqual(
      columns,
      ['call.settled', 't1', 'execution'].map((text) => settled.indexOf(text)),
    );
  });

  it('says what happened in the same column, whatever the agent and the cost, and so far left that it can be read', () => {
    const lines = events(
      task('t2', 'Two beds.'),
      ...answered('c1', 'Two beds.', { agent: 'prioritization', costUsd: 0.000084 }),
      ...answered('c2', 'Two beds.', { agent: 'judge', costUsd: 0.12 }),
      { type: 'iteration.completed', iteration: 1, task_id: 't1' },
    ).map((event) => logLine(event, false));
    const column = logHeading().indexOf('what');
    assert.ok(column <= 68, `column ${column}`);
    assert.deepEqual(
      lines.map((line) => line.slice(column - 2, column + 2)),
      lines.map((line) => `  ${line.slice(column, column + 2)}`),
    );
    assert.match(lines[2] ?? '', /prioritization {1,3}\$0\.\d+ {2}c1,/);
  });

  it('says that the cost is included, and no amount, where somebody else accounts for it', () => {
    const free = { costUsd: 0, reservedUsd: 0 };
    const lines = events(...answered('c1', 'Two beds.', free), ...unanswered('c2', 'held', 'Gone.', free)).map(
      (event) => logLine(event, true),
    );
    assert.match(lines[0] ?? '', /call\.reserved .* {2}c1: cost included$/);
    for (const line of [lines[1] ?? '', lines[3] ?? '']) assert.match(line, / included {2}c\d/);
    assert.doesNotMatch(lines.join(), /\$/);
  });

  it('stays one line whatever a model wrote, and of a length that can be read', () => {
    const [line = ''] = events(task('t2', `a\nb\u202e\u2028${'x'.repeat(5000)}`)).map((event) => logLine(event, false));
    assert.equal(/[\n\r\u2028\u202e]/.test(line), false);
    assert.ok(line.length < 400);
  });

  it('tells how a limit was raised, or added', () => {
    const [raised = '', added = ''] = events(
      { type: 'limit.raised', limit: 'max_iterations', from: 2, to: 5, by: 'user' },
      { type: 'limit.added', limit: 'max_tokens', to: 9000, by: 'user' },
    ).map((event) => logLine(event, false));
    assert.match(raised, /max_iterations 2 → 5 by user$/);
    assert.match(added, /max_tokens → 9000 by user$/);
  });

  it('stands below its day, which is told once', () => {
    const [first, ...rest] = events(...startOfRun(), task('t2', 'x')).map((event, index) => ({
      ...event,
      ts: index < 2 ? event.ts : `2025-01-0${index}T00:00:00.000Z`,
    }));
    assert.ok(first);
    const lines = [first, ...rest].map((event) => ({ day: dayOf(event), text: logLine(event, false) }));
    assert.deepEqual(
      withDays(lines).map((line) => line.slice(0, 12)),
      ['2025-01-02', '03:04:05.000', '03:04:06.000', '00:00:00.000', '2025-01-03', '00:00:00.000'],
    );
    const none = { type: 'unknown', seq: 9, raw: { ts: 7, type: 'x', seq: 9 } } as const;
    assert.deepEqual(withDays([{ day: dayOf(none), text: 'y' }]), ['y']);
  });

  it('shows an event of a later version', () => {
    const line = logLine(
      {
        type: 'unknown',
        seq: 9,
        raw: { ts: '2030-01-01T00:00:00Z', type: 'dream.dreamt', seq: 9 },
      },
      false,
    );
    assert.match(line, /^2030-01-01T00:00:00Z +dream\.dreamt .*later version/);
  });
});

describe('the folds of the log document', () => {
  const lines = [
    logHeading(),
    ...events(
      ...startOfRun(),
      ...iteration(1, 't1', 'One.'),
      ...iteration(2, 't2', 'Two.'),
      ended('max_iterations'),
    ).map((event) => logLine(event, false)),
    '',
  ];

  it('are one for each iteration, side by side, up to the end', () => {
    const folds = foldsOf(lines);
    assert.equal(folds.length, 2);
    for (const { first } of folds) assert.match(lines[first] ?? '', /task\.started/);
    assert.equal(folds[0]?.last, (folds[1]?.first ?? 0) - 1);
    assert.equal(folds[1]?.last, lines.length - 2);
  });

  it('are none where no iteration began', () => {
    assert.deepEqual(foldsOf([logHeading(), '']), []);
  });
});

describe('the place of a call in the log document', () => {
  const hostile = 'x  call.settled  c3: not this  c3: nor this';
  const lines = [
    logHeading(),
    ...events(
      ...startOfRun(),
      ...answered('c1', hostile),
      ...answered('c11', 'Other'),
      ...unanswered('c2', 'held', hostile),
      reserved('c3'),
      task('t2', hostile),
    ).map((event) => logLine(event, false)),
    '',
  ];

  it('is its outcome, or else its reservation', () => {
    const shown = (callId: string) => lines[lineOfCall(lines, callId)] ?? '';
    assert.match(shown('c1'), /call\.settled .* c1, /);
    assert.match(shown('c2'), /call\.held .* c2: /);
    assert.match(shown('c3'), /call\.reserved .* c3: /);
  });

  it('is nowhere where the log does not have it', () => {
    for (const callId of ['c', 'c4', '.*', '']) assert.equal(lineOfCall(lines, callId), -1, callId);
  });
});
