import * as z from 'zod';

/**
 * Reading what a model wrote. Servers with structured outputs answer in the schema; for all others there is a ladder:
 * the whole as JSON, fenced JSON, the first JSON value among the brackets of the text, then numbered and bulleted lines.
 * Read when the first task is done: the schema library is not needed before.
 */

export const PlanReply = z.object({
  new_tasks: z.array(z.string()),
  order: z.array(z.string()),
  complete: z.boolean(),
});
export type PlanReply = z.infer<typeof PlanReply>;

export const JudgeReply = z.object({
  verdicts: z.array(z.object({ met: z.boolean(), task: z.string() })),
});
export type JudgeReply = z.infer<typeof JudgeReply>;

/** JSON Schema as the strict mode of structured outputs wants it. */
function strictSchema(schema: z.ZodType): Record<string, unknown> {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { target: 'draft-7' });
  return rest;
}

export const PLAN_SCHEMA = { name: 'plan', schema: strictSchema(PlanReply) };
export const JUDGE_SCHEMA = { name: 'verdicts', schema: strictSchema(JudgeReply) };

const LooseTask = z.union([
  z.string(),
  z.object({ task: z.string() }).transform((entry) => entry.task),
  z.object({ text: z.string() }).transform((entry) => entry.text),
  z.object({ task_name: z.string() }).transform((entry) => entry.task_name),
]);
const LoosePlan = z.object({
  new_tasks: z.array(LooseTask).optional(),
  tasks: z.array(LooseTask).optional(),
  order: z.array(z.union([z.string(), z.number()])).optional(),
  complete: z.boolean().optional(),
});

/** A plan, or a sentence on what is wrong with the reply. */
export function parsePlan(text: string): PlanReply | string {
  if (text.trim() === '') return 'the reply is empty';
  const json = findJson(text);
  if (json !== undefined) {
    if (Array.isArray(json)) {
      const tasks = z.array(LooseTask).safeParse(json);
      if (tasks.success) return { new_tasks: tasks.data, order: [], complete: false };
    }
    const plan = LoosePlan.safeParse(json);
    if (
      plan.success &&
      (plan.data.new_tasks ?? plan.data.tasks ?? plan.data.order ?? plan.data.complete) !== undefined
    ) {
      return {
        new_tasks: plan.data.new_tasks ?? plan.data.tasks ?? [],
        order: (plan.data.order ?? []).map(String),
        complete: plan.data.complete ?? false,
      };
    }
    return 'the JSON has neither new_tasks nor order';
  }
  const listed = listItems(text);
  return listed.length > 0 ? { new_tasks: listed, order: [], complete: false } : 'the reply holds no JSON and no list';
}

export function parseJudge(text: string): JudgeReply | string {
  const reply = JudgeReply.safeParse(findJson(text));
  return reply.success ? reply.data : 'the reply is not JSON with verdicts';
}

/** Brackets in the prose around an answer that are tried at the most. */
const MAX_BRACKETS = 30;

/** The JSON value in a text: all of it, a fenced block, or from one of the brackets to its partner. */
function findJson(text: string): unknown {
  const fenced = /```(?:json)?\s*\n([\s\S]*?)\n\s*```/i.exec(text)?.[1];
  // Prose cites tasks as [t3], and [3] would be JSON: only what begins like an object or a list of them is looked at.
  const starts = [...text.matchAll(/\{|\[\s*["{\]]/g)].slice(0, MAX_BRACKETS);
  const candidates = [text, fenced, ...starts.map(({ index }) => balanced(text, index))];
  for (const candidate of candidates) {
    if (candidate === undefined) continue;
    try {
      const value: unknown = JSON.parse(candidate);
      if (typeof value === 'object' && value !== null) return value;
    } catch {
      // Not JSON: the next rung of the ladder.
    }
  }
  return undefined;
}

/** The bracketed part that begins at `start`, or undefined where the bracket never closes. */
function balanced(text: string, start: number): string | undefined {
  let depth = 0;
  let quoted = false;
  for (let index = start; index < text.length; index++) {
    const char = text[index];
    if (quoted) {
      if (char === '\\') index++;
      else if (char === '"') quoted = false;
    } else if (char === '"') quoted = true;
    else if (char === '{' || char === '[') depth++;
    else if ((char === '}' || char === ']') && --depth === 0) return text.slice(start, index + 1);
  }
  return undefined;
}

/** Numbered lines, else bulleted ones; the text behind the marker is kept as it is. */
function listItems(text: string): string[] {
  for (const marker of [/^\s*(?:\*\*)?#?\d+\s*[.):](?:\*\*)?\s+(.+)$/, /^\s*[-*•]\s+(.+)$/]) {
    const items = text.split('\n').flatMap((line) => marker.exec(line)?.[1]?.trim() ?? []);
    if (items.length > 0) return items;
  }
  return [];
}
