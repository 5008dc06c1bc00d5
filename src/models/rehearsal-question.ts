import type { ChatMessage, ChatRequest } from '../run/ports.ts';

/** A task as a request lists it. */
export interface ListedTask {
  readonly id: string;
  readonly text: string;
}

/** A result as a request gives it: on one line, perhaps with its middle left out. */
export interface ListedResult {
  readonly id: string;
  readonly task: string;
  readonly text: string;
}

export interface Frame {
  readonly objective: string;
  readonly criteria: readonly string[];
  readonly guidance: readonly string[];
}

/** What is asked, read from the request alone, as a model on a server would. */
export type Question =
  | ({ readonly agent: 'execution'; readonly task: string; readonly earlier: string } & Frame)
  | ({
      readonly agent: 'planning';
      readonly most: number;
      readonly lastTask: string;
      readonly result: string;
      readonly waiting: readonly ListedTask[];
    } & Frame)
  | { readonly agent: 'repair'; readonly reply: string }
  | ({ readonly agent: 'judge'; readonly results: readonly ListedResult[] } & Frame)
  | ({ readonly agent: 'synthesis'; readonly results: readonly ListedResult[] } & Frame)
  | {
      readonly agent: 'creation';
      readonly objective: string;
      readonly lastTask: string;
      readonly waiting: readonly string[];
    }
  | { readonly agent: 'prioritization'; readonly objective: string; readonly tasks: readonly string[] }
  | { readonly agent: 'unknown'; readonly text: string; readonly wantsTasks: boolean };

/** Where the parts of the guarded prompts begin, in the order of the prompts. */
const LABELS = {
  objective: /^Objective: /gm,
  criteria: /^(?:Done when|Criteria):\n/gm,
  guidance: /^Guidance from [^\n]*:\n/gm,
  earlier: /^Earlier results:\n/gm,
  task: /^Task \S+: /gm,
  lastTask: /^Last task \S+: /gm,
  result: /^Result: /gm,
  waiting: /^Waiting tasks[^\n]*:\n/gm,
  results: /^Results:\n/gm,
} as const;
type Label = keyof typeof LABELS;

const DEFAULT_MOST = 5;
/** What our own results begin with; also where a task text ends and its result begins. */
export const RESULT_START = 'Rehearsal: ';

/**
 * Recognises the agents by the schema they ask for and by the shape of their prompts. A prompt that a person has
 * rewritten beyond recognition is `unknown`, unless its schema tells.
 */
export function questionOf({ messages, schema }: Pick<ChatRequest, 'messages' | 'schema'>): Question {
  const system = contentOf(messages, 'system');
  const user = contentOf(messages, 'user');
  switch (schema?.name) {
    case 'plan': {
      const repair = /^Problem: [^\n]*\nReply:\n([\s\S]*)$/.exec(user);
      return repair ? { agent: 'repair', reply: repair[1] ?? '' } : planning(system, user);
    }
    case 'verdicts': {
      const parts = partsOf(user, ['objective', 'criteria', 'results']);
      return { agent: 'judge', ...frameOf(parts), results: resultsOf(parts.results ?? '') };
    }
    case undefined:
      break;
    default:
      return { agent: 'unknown', text: user || system, wantsTasks: false };
  }
  if (user === '') return classic(system);
  // What comes first decides: the text behind it is a model's or a person's, and may hold anything.
  const task = user.search(new RegExp(LABELS.task, 'm'));
  const results = user.search(new RegExp(LABELS.results, 'm'));
  if (task >= 0 && (results < 0 || task < results)) {
    const parts = partsOf(user, ['objective', 'criteria', 'guidance', 'earlier', 'task']);
    return { agent: 'execution', ...frameOf(parts), earlier: parts.earlier ?? '', task: parts.task ?? '' };
  }
  if (results >= 0) {
    const parts = partsOf(user, ['objective', 'criteria', 'guidance', 'results']);
    return { agent: 'synthesis', ...frameOf(parts), results: resultsOf(parts.results ?? '') };
  }
  return { agent: 'unknown', text: user, wantsTasks: false };
}

function planning(system: string, user: string): Question {
  const parts = partsOf(user, ['objective', 'criteria', 'guidance', 'lastTask', 'result', 'waiting']);
  return {
    agent: 'planning',
    ...frameOf(parts),
    most: Number(/\bat most (\d+)/.exec(system)?.[1] ?? DEFAULT_MOST),
    lastTask: parts.lastTask ?? '',
    result: parts.result ?? '',
    waiting: listedTasks(parts.waiting ?? (parts.lastTask === undefined ? user : '')),
  };
}

/** The prompts of the baseline: one system message each. */
function classic(system: string): Question {
  const execution = /objective: ([\s\S]*?)\.\n(?:[\s\S]*?\n)?Your task: ([\s\S]*?)(?:\nResponse:\s*)?$/.exec(system);
  if (execution) {
    const [, objective = '', task = ''] = execution;
    return { agent: 'execution', objective, task, criteria: [], guidance: [], earlier: '' };
  }
  const creation = /objective: ([\s\S]*?)\.\n[\s\S]*\btask description: ([^\n]*?)\.\n/.exec(system);
  if (creation) {
    const [, objective = '', lastTask = ''] = creation;
    const waiting = /^These tasks are incomplete: ([\s\S]*?)\.$/m.exec(system)?.[1];
    return { agent: 'creation', objective, lastTask, waiting: waiting?.split(', ') ?? [] };
  }
  const prioritization = /tasks in order:\n([\s\S]*?)\n?^Keep in mind [^\n]*objective[^\n]*?: ([\s\S]*?)\.\n/m.exec(
    system,
  );
  if (prioritization) {
    const [, tasks = '', objective = ''] = prioritization;
    return { agent: 'prioritization', objective, tasks: tasks.split('\n').filter((line) => line.trim() !== '') };
  }
  return { agent: 'unknown', text: system, wantsTasks: /\bnumber(?:ed|s)?\b/i.test(system) };
}

function contentOf(messages: readonly ChatMessage[], role: ChatMessage['role']): string {
  return messages
    .filter((message) => message.role === role)
    .map(({ content }) => content)
    .join('\n');
}

/** The parts that are there, each up to the beginning of the next; each is looked for behind the one before it. */
function partsOf(text: string, labels: readonly Label[]): Partial<Record<Label, string>> {
  const found: { label: Label; start: number; end: number }[] = [];
  let from = 0;
  for (const label of labels) {
    const matches = [...text.slice(from).matchAll(LABELS[label])];
    // The list of waiting tasks ends the request; the result before it may hold the same words.
    const match = label === 'waiting' ? matches.at(-1) : matches[0];
    if (match === undefined) continue;
    const start = from + match.index;
    found.push({ label, start, end: start + match[0].length });
    from = start + match[0].length;
  }
  return Object.fromEntries(
    found.map(({ label, end }, index) => [label, text.slice(end, found[index + 1]?.start).trim()]),
  );
}

function frameOf(parts: Partial<Record<Label, string>>): Frame {
  const lines = (text = '') => text.split('\n').flatMap((line) => line.replace(/^(?:\d+\.|-) /, '').trim() || []);
  return { objective: parts.objective ?? '', criteria: lines(parts.criteria), guidance: lines(parts.guidance) };
}

function listedTasks(text: string): ListedTask[] {
  return text.split('\n').flatMap((line) => {
    const [, id, task] = /^\s*[-*[]*\s*([a-z]\d[\w.]*)[\s.:)\]*-]+(\S.*)$/.exec(line) ?? [];
    return id !== undefined && task !== undefined ? [{ id, text: task }] : [];
  });
}

function resultsOf(text: string): ListedResult[] {
  const results: ListedResult[] = [];
  for (const entry of text.split(/^(?=\[[^\]\s]+\] )/m)) {
    const [, id, rest] = /^\[([^\]\s]+)\] ([\s\S]*)$/.exec(entry) ?? [];
    if (id === undefined || rest === undefined) continue;
    const line = rest.replace(/\s+/g, ' ').trim();
    const own = line.indexOf(`: ${RESULT_START}`);
    const colon = own >= 0 ? own : line.indexOf(': ');
    results.push({ id, task: colon < 0 ? line : line.slice(0, colon), text: colon < 0 ? '' : line.slice(colon + 2) });
  }
  return results;
}
