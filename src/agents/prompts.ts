import { createHash } from 'node:crypto';
import type { PromptRecord, Strategy } from '../run/config.ts';
import { quoted } from '../run/limits.ts';
import { checkTemplate, TemplateError } from './template.ts';

/**
 * The built-in prompts, and the values each may use. A file `<name>.md` in a prompts folder overrides one. Constant
 * parts come first, so that a provider's prefix cache can serve them.
 */
interface Prompt {
  readonly values: readonly string[];
  readonly text: string;
}

const FRAME = ['objective', 'criteria', 'guidance'] as const;

const FRAME_TEXT = `Objective: {{objective}}
{{#criteria}}Done when:
{{criteria}}
{{/criteria}}{{#guidance}}Guidance from the person in charge:
{{guidance}}
{{/guidance}}`;

const GUARDED: Record<string, Prompt> = {
  execution: {
    values: [...FRAME, 'results', 'task_id', 'task'],
    text: `You carry out one task of a larger objective. Give the result itself: facts, text, decisions or code to build on. Do not plan, ask or repeat earlier results. If it cannot be done, say what is missing. To hand over a file, put it in a fenced block with the info string file:NAME.
--- user ---
${FRAME_TEXT}{{#results}}Earlier results:
{{results}}
{{/results}}
Task {{task_id}}: {{task}}`,
  },
  planning: {
    values: [...FRAME, 'max_new_tasks', 'task_id', 'task', 'result', 'waiting', 'waiting_note'],
    text: `You keep a task list. Add only tasks that the objective still needs after the last result: often none, at most {{max_new_tasks}}, none that overlaps. Then order the listed ids and your new tasks n1, n2, …, most useful first.
Answer in JSON: {"new_tasks":["…"],"order":["t4","n1"],"complete":false}; complete only if the objective is met already.
--- user ---
${FRAME_TEXT}
Last task {{task_id}}: {{task}}
Result: {{result}}
{{#waiting}}Waiting tasks{{waiting_note}}:
{{waiting}}{{/waiting}}`,
  },
  repair: {
    values: ['reply', 'problem'],
    text: `The reply below should have been JSON of the form {"new_tasks":["…"],"order":["t4","n1"],"complete":false}. Give the same content in that form and nothing else.
--- user ---
Problem: {{problem}}
Reply:
{{reply}}`,
  },
  judge: {
    values: ['objective', 'criteria', 'results'],
    text: `You judge whether an objective is met. Go by the results alone, not by what they promise. For each criterion, in order, say whether it is met and name the task whose result shows it.
Answer in JSON: {"verdicts":[{"met":true,"task":"t3"}]}.
--- user ---
Objective: {{objective}}
Criteria:
{{criteria}}
Results:
{{results}}`,
  },
  synthesis: {
    values: [...FRAME, 'results'],
    text: `You write the final answer to an objective from the results of its tasks. Use only these results, cite the task behind each statement as [t3], say plainly what remains open, and write Markdown.
--- user ---
${FRAME_TEXT}Results:
{{results}}`,
  },
};

/** The baseline: one system message an agent, and the inputs of the original, in our own words. */
const CLASSIC: Record<string, Prompt> = {
  execution: {
    values: ['objective', 'context', 'task'],
    text: `Carry out exactly one task that serves this objective: {{objective}}.
{{#context}}Keep in mind what was completed before:
{{context}}
{{/context}}Your task: {{task}}
Response:`,
  },
  creation: {
    values: ['objective', 'result', 'task', 'incomplete'],
    text: `You are to create new tasks from the result of an execution agent, with this objective: {{objective}}.
The last completed task gave this result:
{{result}}
It was the answer to this task description: {{task}}.
{{#incomplete}}These tasks are incomplete: {{incomplete}}.
{{/incomplete}}Based on the result, list the tasks that should be completed to reach the objective.
{{#incomplete}}New tasks must not overlap with incomplete ones.
{{/incomplete}}Give one task a line, each with a number:
1. First task
2. Second task
If there is nothing to add, answer "There are no tasks to add at this time." Write no headers and nothing else.`,
  },
  prioritization: {
    values: ['tasks', 'objective'],
    text: `You are to put the following tasks in order:
{{tasks}}
Keep in mind the ultimate objective of your team: {{objective}}.
Sort them from highest to lowest priority, remove none, and answer with a numbered list:
1. First task
2. Second task
Number the entries consecutively from 1, and write no headers and nothing else.`,
  },
  synthesis: GUARDED['synthesis'] as Prompt,
};

export function builtInPrompts(strategy: Strategy): Readonly<Record<string, Prompt>> {
  return strategy === 'classic' ? CLASSIC : GUARDED;
}

/**
 * The prompts of a run, with overrides by agent. Throws TemplateError naming the file where one is not usable: it names a
 * value or an agent that there is not. A file that nothing reads would be taken for one that counts.
 */
export function promptRecords(
  strategy: Strategy,
  overrides: ReadonlyMap<string, { text: string; file: string }>,
): Record<string, PromptRecord> {
  const records: Record<string, PromptRecord> = {};
  const prompts = builtInPrompts(strategy);
  const strange = [...overrides].find(([name]) => !Object.hasOwn(prompts, name));
  if (strange) {
    const names = Object.keys(prompts).map((name) => `${name}.md`);
    throw new TemplateError('unknown_agent', (translated) =>
      translated(
        '{0} is for no agent of the strategy {1}: it has {2}.',
        quoted(strange[1].file),
        strategy,
        names.join(', '),
      ),
    );
  }
  for (const [name, prompt] of Object.entries(prompts)) {
    const override = overrides.get(name);
    const text = override?.text ?? prompt.text;
    checkOverride(override?.file ?? name, text, prompt.values);
    records[name] = {
      sha256: createHash('sha256').update(text).digest('hex'),
      text,
      source: override?.file ?? 'built-in',
    };
  }
  return records;
}

function checkOverride(file: string, text: string, values: readonly string[]): void {
  try {
    checkTemplate(text, values);
  } catch (error) {
    if (error instanceof TemplateError)
      throw new TemplateError(error.reason, (translated) => `${quoted(file)}: ${error.words(translated)}`);
    throw error;
  }
}
