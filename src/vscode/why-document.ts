import { type Explanation, explainRun } from '../research/explain.ts';
import { formatUsd, picoFromUsd } from '../budget/money.ts';
import { codeSpan, plainText } from '../runlog/markdown.ts';
import type { RunState } from '../run/state.ts';
import { isKeyLimit, LIMIT_OF } from '../run/stop-reason.ts';

const LONGEST = 2000;

/** Why a run stopped, what that cost and what to do now, as a Markdown document. Nothing that a model wrote is Markdown in it. */
export function whyDocument(state: RunState, situation: Parameters<typeof explainRun>[1]): string {
  const { why, lastError, lost, cost, next, remarks } = explainRun(state, situation);
  const lines = [
    `# ${HEADLINES[situation.owned ? 'in_progress' : state.end === null ? 'interrupted' : 'ended']}`,
    '',
    `> ${text(state.config.objective)}`,
    '',
    text(why),
    '',
    ...section(
      'Last error',
      lastError && [
        `${text(lastError.where)}: ${text(lastError.error.message)} (${codeSpan(lastError.error.class, 80)})`,
      ],
    ),
    ...section('What was lost', [sentence(lost.text), ...lostTable(lost.calls)]),
    ...section('What it cost', [text(cost.text)]),
    ...section(
      'How the loop did',
      remarks.length === 0 ? null : [remarks.map((remark) => `- ${text(remark)}`).join('\n')],
    ),
    ...section('What to do now', [text(next.text), ...(next.command === null ? [] : [inVscode(state)])]),
  ];
  return `${lines.join('\n').trimEnd()}\n`;
}

const HEADLINES: Readonly<Record<Explanation['status'], string>> = {
  in_progress: 'It has not stopped',
  interrupted: 'Why it stopped: it was interrupted',
  ended: 'Why it stopped',
};

function section(title: string, paragraphs: readonly string[] | null): string[] {
  return paragraphs === null ? [] : [`## ${title}`, '', ...paragraphs.flatMap((paragraph) => [paragraph, ''])];
}

function lostTable(calls: Explanation['lost']['calls']): string[] {
  if (calls.length === 0) return [];
  const rows = calls.map((call) => {
    const cells = [
      call.callId,
      call.agent,
      call.taskId ?? '',
      String(call.iteration),
      formatUsd(picoFromUsd(call.usd)),
    ];
    return `| ${[...cells.map(text), call.answeredLater ? 'yes' : 'no'].join(' | ')} |`;
  });
  const head = [
    '| Request | Agent | Task | Iteration | Held | Answered by a later attempt |',
    '|---|---|---|---:|---:|---|',
  ];
  return [[...head, ...rows].join('\n')];
}

/** Where a terminal would be told a command, a window has one of its own. */
function inVscode(state: RunState): string {
  const reason = state.end?.reason;
  if (state.review)
    return 'In VS Code: **BabyAGI: Review…**, after **BabyAGI: Resume** where the run is not in progress.';
  if (isKeyLimit(state.end))
    return 'In VS Code: **BabyAGI: Resume**; the limit is the setting `babyagi.maxKeyUsdPerDay`.';
  return reason !== undefined && reason in LIMIT_OF
    ? 'In VS Code: **BabyAGI: Continue with More…**'
    : 'In VS Code: **BabyAGI: Resume**';
}

function sentence(value: string): string {
  return text(value.charAt(0).toUpperCase() + value.slice(1));
}

function text(value: string): string {
  return plainText(value, LONGEST);
}
