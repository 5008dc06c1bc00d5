import { formatUsd } from '../budget/money.ts';
import type { Call, RunState } from '../run/state.ts';
import { codeSpan, containedMarkdown, plainText } from './markdown.ts';
import type { Summary } from './summary.ts';
import { providerNote, resultSections } from './summary-markdown.ts';

const TITLE = 160;
const MAX_ANSWER = 200_000;

/**
 * answer.md, in pieces: the closing synthesis with its sources, or the results themselves where there is none. The state
 * may change once this has returned.
 */
export function answerMarkdown(state: RunState, summary: Summary): Generator<string> {
  const attempts = [...state.calls.values()].filter(({ agent }) => agent === 'synthesis');
  const synthesis = attempts.findLast((call) => call.status === 'settled' && answerOf(call) !== '');
  return synthesis ? synthesized(synthesis, summary) : extracted(whyNone(state, summary, attempts.at(-1)), summary);
}

function* extracted(why: string, summary: Summary): Generator<string> {
  yield `${title(summary)}**No closing answer was written.** ${why}`;
  if (summary.results.length === 0) {
    yield ' There is no result to show either.\n\n';
  } else {
    yield ' These are the results of the tasks, as they are, in the order in which the tasks were made.\n\n';
    yield* resultSections(summary.results, { level: 2, file: '' });
  }
  yield footer(summary, []);
}

function* synthesized(call: Call, summary: Summary): Generator<string> {
  const answer = answerOf(call);
  const tasks = new Set(summary.results.map(({ task_id }) => task_id));
  const frame = { prefix: '', lower: 1, tasks, file: 'summary.md' };
  yield title(summary);
  yield `${containedMarkdown(answer.slice(0, MAX_ANSWER), frame).join('\n')}\n\n`;
  if (answer.length > MAX_ANSWER) yield '*The answer is longer; the whole is in the log.*\n\n';
  if (call.finishReason === 'length') yield '*The answer was cut off at the limit of its length.*\n\n';
  if (call.iteration < summary.iterations.done) {
    yield `*Written after iteration ${call.iteration}; the run went on to iteration ${summary.iterations.done}.*\n\n`;
  }
  const ids = citedIds(answer);
  const cited = summary.results.filter(({ task_id }) => ids.has(task_id));
  const price = summary.cost.note === null ? ` for ${formatUsd(call.cost)}` : '';
  const notes = [`Written by ${codeSpan(call.model, 100)}${price}.`];
  if (cited.length > 0) notes.push(`Cited: ${cited.map(({ task_id }) => plainText(task_id, 40)).join(', ')}.`);
  yield footer(summary, notes);
}

function title({ objective }: Summary): string {
  return `# ${plainText(objective, TITLE)}\n\n`;
}

function answerOf(call: Call): string {
  return (call.answer ?? '').trim();
}

function citedIds(answer: string): Set<string> {
  return new Set([...answer.matchAll(/\[([^[\]]{1,200})\]/g)].flatMap(([, inside = '']) => inside.split(/[,;\s]+/)));
}

function whyNone(state: RunState, summary: Summary, last: Call | undefined): string {
  if (!state.config.loop.synthesis) return 'The run was started without one.';
  if (summary.results.length === 0) return 'No task gave a result.';
  if (last?.status === 'settled') return 'The model gave an empty one.';
  if (last?.error) return `The request for it failed: ${plainText(last.error.message, 600)}`;
  switch (summary.stop_reason) {
    case null:
      return 'The run has not ended.';
    case 'objective_complete':
    case 'queue_empty':
    case 'max_iterations':
    case 'max_cost':
    case 'max_requests':
    case 'max_tokens':
    case 'stalled':
    case 'stopped_at_review':
      return summary.requests.limit === null && summary.tokens.limit === null
        ? 'What was left of the cost limit did not pay for it.'
        : 'What was left of the limits did not allow it.';
    case 'max_wall_time':
    case 'stopped_by_user':
    case 'waiting_for_key':
    case 'disk_full':
    case 'quarantined':
    case 'error':
      return `The run ended before it could be asked for: \`${summary.stop_reason}\`.`;
  }
}

function footer(summary: Summary, notes: readonly string[]): string {
  const run = `Run ${codeSpan(summary.run_id, 80)}, strategy ${summary.strategy}.`;
  const text = [...notes, providerNote(summary) ?? [], run, 'What the run did: [summary.md](summary.md).'].flat();
  return `---\n\n${text.join(' ')}\n`;
}
