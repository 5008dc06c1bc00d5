import { type Explanation, explainRun } from '../research/explain.ts';
import { formatUsd, picoFromUsd } from '../budget/money.ts';
import { agentWord, inWindow } from './panel-words.ts';
import { l10n } from './panel-l10n.ts';
import { codeSpan, plainText } from '../runlog/markdown.ts';
import type { RunState } from '../run/state.ts';
import { isKeyLimit, LIMIT_OF } from '../run/stop-reason.ts';

const LONGEST = 2000;

/** Why a run stopped, what that cost and what to do now, as a Markdown document. Nothing that a model wrote is Markdown in it. */
export function whyDocument(state: RunState, situation: Parameters<typeof explainRun>[1]): string {
  const { status, why, lastError, lost, cost, next, remarks } = explainRun(state, situation, inWindow());
  const lines = [
    `# ${headline(status)}`,
    '',
    `> ${text(state.config.objective)}`,
    '',
    text(why),
    '',
    ...section(
      l10n.t('Last error'),
      lastError && [
        `${text(lastError.where)}: ${text(lastError.error.message)} (${codeSpan(lastError.error.class, 80)})`,
      ],
    ),
    ...section(l10n.t('What was lost'), [sentence(lost.text), ...lostTable(lost.calls)]),
    ...section(l10n.t('What it cost'), [text(cost.text)]),
    ...section(
      l10n.t('How the loop did'),
      remarks.length === 0 ? null : [remarks.map((remark) => `- ${text(remark)}`).join('\n')],
    ),
    ...section(l10n.t('What to do now'), [text(next.text), ...(next.command === null ? [] : [inVscode(state)])]),
  ];
  return `${lines.join('\n').trimEnd()}\n`;
}

function headline(status: Explanation['status']): string {
  switch (status) {
    case 'in_progress':
      return l10n.t('It has not stopped');
    case 'interrupted':
      return l10n.t('Why it stopped: it was interrupted');
    case 'ended':
      return l10n.t('Why it stopped');
    default:
      return status satisfies never;
  }
}

function section(title: string, paragraphs: readonly string[] | null): string[] {
  return paragraphs === null ? [] : [`## ${title}`, '', ...paragraphs.flatMap((paragraph) => [paragraph, ''])];
}

function lostTable(calls: Explanation['lost']['calls']): string[] {
  if (calls.length === 0) return [];
  const rows = calls.map((call) => {
    const cells = [
      call.callId,
      agentWord(call.agent),
      call.taskId ?? '',
      String(call.iteration),
      formatUsd(picoFromUsd(call.usd)),
    ];
    return `| ${[...cells.map(text), call.answeredLater ? l10n.t('yes') : l10n.t('no')].join(' | ')} |`;
  });
  const head = [
    l10n.t('Request'),
    l10n.t('Agent'),
    l10n.t('Task'),
    l10n.t('Iteration'),
    l10n.t('Held'),
    l10n.t('Answered by a later attempt'),
  ];
  return [[`| ${head.join(' | ')} |`, '|---|---|---|---:|---:|---|', ...rows].join('\n')];
}

/** Where a terminal would be told a command, a window has one of its own. */
function inVscode(state: RunState): string {
  const reason = state.end?.reason;
  if (state.review) {
    return l10n.t(
      'In VS Code: **BabyAGI: {0}**, after **BabyAGI: {1}** where the run is not in progress.',
      l10n.t('Review…'),
      l10n.t('Resume'),
    );
  }
  if (isKeyLimit(state.end)) {
    return l10n.t(
      'In VS Code: **BabyAGI: {0}**; the limit is the setting `babyagi.maxKeyUsdPerDay`.',
      l10n.t('Resume'),
    );
  }
  const limit = reason !== undefined && reason in LIMIT_OF;
  return l10n.t('In VS Code: **BabyAGI: {0}**', limit ? l10n.t('Continue with More…') : l10n.t('Resume'));
}

function sentence(value: string): string {
  return text(value.charAt(0).toUpperCase() + value.slice(1));
}

function text(value: string): string {
  return plainText(value, LONGEST);
}
