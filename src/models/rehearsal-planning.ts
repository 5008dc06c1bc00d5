import { type AgendaItem, isSameTask, placeOf } from './rehearsal-agenda.ts';
import type { WorkspaceIndex } from './rehearsal-index.ts';
import type { ListedTask } from './rehearsal-question.ts';
import { stems } from './rehearsal-words.ts';

const FIRST_TASKS = 4;
/** With so many tasks waiting nothing is added. */
const ENOUGH = 5;
/** Every so many places of the agenda an old task is proposed again, as language models do. */
const RELAPSE_EVERY = 6;
const RELAPSE_AT = 3;

/** Adds nothing and orders nothing, whichever of the baseline's agents asked. */
export const NO_TASKS = 'There are no tasks to add at this time.';

/** The answer to a planning request, as JSON. */
export function planReply(
  index: WorkspaceIndex,
  agenda: readonly AgendaItem[],
  {
    lastTask,
    result,
    waiting,
    most,
  }: { lastTask: string; result: string; waiting: readonly ListedTask[]; most: number },
): string {
  const added = nextItems(
    agenda,
    lastTask,
    waiting.map(({ text }) => text),
  );
  const relapse = relapseAt(agenda, lastTask, waiting);
  const tasks = [...added, ...(relapse === null ? [] : [relapse])].slice(0, most).map(({ text }) => text);
  const complete = tasks.length === 0 && waiting.length === 0;
  const order = [...ordered(index, agenda, result, waiting), ...tasks.map((_, at) => `n${at + 1}`)];
  return JSON.stringify({ new_tasks: tasks, order, complete });
}

const JSON_STRING = /"(?:[^"\\\p{Cc}]|\\["\\/bfnrt]|\\u[0-9a-f]{4})*"/giu;

/** What of a broken plan can be read: the strings that are whole. */
export function repairReply(reply: string): string {
  const list = (name: string): unknown[] => {
    const rest = reply.split(`"${name}"`)[1] ?? '';
    const array = new RegExp(`^\\s*:\\s*\\[((?:\\s*,?\\s*${JSON_STRING.source})*)`, 'iu').exec(rest)?.[1] ?? '';
    return [...array.matchAll(JSON_STRING)].map(([quoted]): unknown => JSON.parse(quoted));
  };
  return JSON.stringify({ new_tasks: list('new_tasks'), order: list('order'), complete: false });
}

/** The answer to a creation request of the baseline. */
export function creationReply(agenda: readonly AgendaItem[], lastTask: string, waiting: readonly string[]): string {
  const items = nextItems(agenda, lastTask, waiting);
  return items.length === 0 ? NO_TASKS : numbered(items.map(({ text }) => text));
}

/** The answer to a prioritization request of the baseline: what is not on the agenda, then the agenda in its order. */
export function prioritizationReply(agenda: readonly AgendaItem[], tasks: readonly string[]): string {
  return numbered([...tasks].sort((one, other) => placeOf(agenda, one) - placeOf(agenda, other)));
}

/**
 * The next items of the agenda: some at first, then one or two where the queue runs low. Items are handed out in order
 * and the furthest one is kept last in the queue, so the furthest one that a request lists tells how far the run is.
 */
function nextItems(agenda: readonly AgendaItem[], lastTask: string, waiting: readonly string[]): AgendaItem[] {
  const furthest = Math.max(...[lastTask, ...waiting].map((task) => placeOf(agenda, task)));
  const wanted = furthest < 0 ? FIRST_TASKS : waiting.length >= ENOUGH ? 0 : waiting.length < 2 ? 2 : furthest % 3;
  return agenda.slice(furthest + 1, furthest + 1 + wanted);
}

function relapseAt(agenda: readonly AgendaItem[], lastTask: string, waiting: readonly ListedTask[]): AgendaItem | null {
  const place = placeOf(agenda, lastTask);
  const old = place % RELAPSE_EVERY === RELAPSE_AT ? agenda[place - 2] : undefined;
  return old === undefined || waiting.some(({ text }) => isSameTask(text, old.text)) ? null : old;
}

/** What the last result speaks of comes first; the rest keeps its order. The furthest of the agenda never comes first. */
function ordered(
  index: WorkspaceIndex,
  agenda: readonly AgendaItem[],
  result: string,
  waiting: readonly ListedTask[],
): string[] {
  const said = new Set(stems(result));
  const places = waiting.map(({ text }) => placeOf(agenda, text));
  const furthest = Math.max(...places);
  let best = 0;
  let first = 0;
  waiting.forEach(({ text }, at) => {
    const related = [...new Set(stems(text))]
      .filter((word) => said.has(word))
      .reduce((sum, word) => sum + index.weight(word), 0);
    if (related > best && places[at] !== furthest) {
      best = related;
      first = at;
    }
  });
  const ids = waiting.map(({ id }) => id);
  return [...ids.slice(first, first + 1), ...ids.slice(0, first), ...ids.slice(first + 1)];
}

function numbered(lines: readonly string[]): string {
  return lines.map((line, at) => `${at + 1}. ${line}`).join('\n');
}
