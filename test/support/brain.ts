import type { ChatRequestSeen } from './model-server.ts';

/** Answers as a capable model would, deterministically, told apart by the built-in prompts. */
export interface BrainOptions {
  /** Text of a result; default: some sixty words about the task. */
  readonly result?: (task: string) => string;
  /** New tasks after the last one; default: one a call. */
  readonly newTasks?: (lastTask: string, index: number) => string[];
  /** Lower is more urgent; default: the order shown. */
  readonly priority?: (taskText: string) => number;
  readonly complete?: (index: number) => boolean;
}

const TOPICS = [
  'soil',
  'light',
  'water',
  'seeds',
  'tools',
  'pests',
  'compost',
  'harvest',
  'fences',
  'budget',
  'calendar',
  'neighbours',
];

export function brain(options: BrainOptions = {}): (request: ChatRequestSeen, index: number) => string {
  let plans = 0;
  return (request) => {
    const system = request.messages[0]?.content ?? '';
    const user = request.messages[1]?.content ?? '';
    if (system.startsWith('You carry out one task')) {
      const task = /^Task \S+: (.*)$/m.exec(user)?.[1] ?? '';
      return (
        options.result?.(task) ??
        `About "${task}": ${'it needs attention to detail, a plan for each week and a list of what to buy. '.repeat(3)}`
      );
    }
    if (system.startsWith('You keep a task list')) {
      const index = plans++;
      const waiting = [...user.matchAll(/^([tu]\d+) (.*)$/gm)].map(([, id = '', text = '']) => ({ id, text }));
      const last = /^Last task \S+: (.*)$/m.exec(user)?.[1] ?? '';
      const created = options.newTasks?.(last, index) ?? [
        `Find out about ${TOPICS[index % TOPICS.length]} number ${index}`,
      ];
      const all = [...waiting, ...created.map((text, at) => ({ id: `n${at + 1}`, text }))];
      const { priority } = options;
      if (priority) all.sort((a, b) => priority(a.text) - priority(b.text));
      return JSON.stringify({
        new_tasks: created,
        order: all.map(({ id }) => id),
        complete: options.complete?.(index) ?? false,
      });
    }
    if (system.startsWith('You judge')) return JSON.stringify({ verdicts: [{ met: true, task: 't1' }] });
    if (system.startsWith('You write the final answer')) return 'A garden needs soil, light and water [t1].';
    return 'ok';
  };
}
