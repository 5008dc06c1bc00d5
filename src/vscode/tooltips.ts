import * as vscode from 'vscode';
import { formatUsd, picoFromUsd } from '../budget/money.ts';
import { isIncluded } from '../run/cost-words.ts';
import { counted } from '../run/drawn.ts';
import { readyTasks } from '../run/queue.ts';
import type { Call, RunState, Task } from '../run/state.ts';
import { printable } from '../safety/text.ts';
import { callName, hasUsage, moneyWords, secondsOf } from './call-item.ts';
import { untrusted } from './markdown-string.ts';
import { callOutcomeWords, statusWords, taskStateWords } from './run-words.ts';
import type { RunEntry } from './runs.ts';
import { taskName } from './tree-items.ts';

/** What is told of a row of the Runs view when somebody hovers over it. */

/** Of a task, a result, an answer or an error. */
const EXCERPT = 600;

export function runTooltip(entry: RunEntry): vscode.MarkdownString {
  const { brief, view } = entry;
  const text = untrusted();
  text.appendText(printable(brief.objective, EXCERPT)).appendMarkdown('\n\n');
  const rows: [string, string][] = [[vscode.l10n.t('State'), statusWords(brief)]];
  if (view !== null) rows.push(...moneyRows(view.state), ...countedRows(view.state));
  if (brief.activeMs !== null) rows.push([vscode.l10n.t('Iterations'), `${brief.iterations}/${brief.maxIterations}`]);
  if (view !== null) {
    const ready = readyTasks(view.state).length;
    rows.push([vscode.l10n.t('Waiting tasks'), String(ready)]);
    const blocked = view.state.pending.length - ready;
    if (blocked > 0) rows.push([vscode.l10n.t('Blocked tasks'), String(blocked)]);
    rows.push([vscode.l10n.t('Model'), view.state.config.model.requested]);
  }
  for (const [name, value] of rows) text.appendMarkdown('- ').appendText(`${name}: ${value}`).appendMarkdown('\n');
  if (brief.stopWords !== null) {
    const { meaning, next } = brief.stopWords;
    text.appendMarkdown('\n').appendText(`${meaning} ${next}`);
  }
  if (brief.rehearsal)
    text
      .appendMarkdown('\n\n')
      .appendText(vscode.l10n.t('Rehearsal: costs are what the model would cost; nothing is spent.'));
  return text;
}

function moneyRows({ config, money, limits }: RunState): [string, string][] {
  if (isIncluded(config))
    return [[vscode.l10n.t('Cost'), vscode.l10n.t('included, at a price that is not known here')]];
  const parts = [
    vscode.l10n.t('{0} settled', formatUsd(money.settled)),
    ...(money.held > 0n ? [vscode.l10n.t('{0} held', formatUsd(money.held))] : []),
    ...(money.reserved > 0n ? [vscode.l10n.t('{0} reserved', formatUsd(money.reserved))] : []),
  ];
  return [
    [
      vscode.l10n.t('Cost'),
      vscode.l10n.t('{0}; limit {1}', parts.join(', '), formatUsd(picoFromUsd(limits.max_cost_usd))),
    ],
  ];
}

function countedRows(state: RunState): [string, string][] {
  return counted(state).map(({ limit, used, cap }) => [
    limit === 'max_requests' ? vscode.l10n.t('Requests') : vscode.l10n.t('Tokens'),
    vscode.l10n.t('{0} of {1}', used, cap),
  ]);
}

/** `live`: the run is in progress. */
export function taskTooltip(state: RunState, task: Task, live: boolean): vscode.MarkdownString {
  const text = untrusted();
  text.appendText(`${taskName(state, task)} · ${taskStateWords(task.state, live)}`).appendMarkdown('\n\n');
  text.appendText(printable(task.text, EXCERPT));
  const result = state.calls.get(task.resultCallId ?? '')?.answer;
  const more = task.error?.message ?? task.removedWhy ?? task.blockedWhy ?? result ?? null;
  if (more !== null) text.appendMarkdown('\n\n---\n\n').appendText(printable(more, EXCERPT));
  return text;
}

export function callTooltip({ config }: RunState, call: Call, live: boolean): vscode.MarkdownString {
  const text = untrusted();
  const rows: [string, string][] = [
    [vscode.l10n.t('State'), callOutcomeWords(call, live)],
    [vscode.l10n.t('Model'), printable(call.model, 80)],
    ...(hasUsage(call) ? [tokenRow(call)] : []),
    ...(isIncluded(config) ? [] : [[vscode.l10n.t('Cost'), moneyWords(call)] satisfies [string, string]]),
    ...(call.latencyMs === null ? [] : [[vscode.l10n.t('Time'), secondsOf(call.latencyMs)] satisfies [string, string]]),
    [vscode.l10n.t('Begun'), begunWords(call)],
    [vscode.l10n.t('Iteration'), String(call.iteration)],
    [vscode.l10n.t('Call'), call.id],
  ];
  text.appendText(callName(call)).appendMarkdown('\n\n');
  for (const [name, value] of rows) text.appendMarkdown('- ').appendText(`${name}: ${value}`).appendMarkdown('\n');
  const more = call.error?.message ?? call.answer;
  if (more) text.appendMarkdown('\n---\n\n').appendText(printable(more, EXCERPT));
  return text;
}

/** In the words and the time zone of the window. */
function begunWords({ reservedAt }: Call): string {
  const format = new Intl.DateTimeFormat(vscode.env.language, { dateStyle: 'medium', timeStyle: 'medium' });
  return format.format(Date.parse(reservedAt));
}

function tokenRow({ inputTokens, cachedTokens, outputTokens }: Call): [string, string] {
  const input =
    cachedTokens > 0
      ? vscode.l10n.t('{0} in ({1} of them cached)', inputTokens, cachedTokens)
      : vscode.l10n.t('{0} in', inputTokens);
  return [vscode.l10n.t('Tokens'), vscode.l10n.t('{0}, {1} out', input, outputTokens)];
}
