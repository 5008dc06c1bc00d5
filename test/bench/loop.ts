import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import OpenAI from 'openai';
import type { Session } from '../../src/engine/session.ts';
import { startRun } from '../../src/engine/start.ts';
import { brain } from '../support/brain.ts';
import { startModelServer } from '../support/model-server.ts';
import { testHost, testSettings, testStart } from '../support/run-host.ts';

/**
 * What the loop costs: wall time an iteration against two bare loops on the official client that write nothing, of which
 * one sends the very same requests and the other those of the original BabyAGI; tokens, storage and order over queues of several lengths. The server runs in a process of
 * its own, without latency, so everything that is measured is ours. Only ratios within one run say anything.
 */
const WORDS = [
  'soil',
  'light',
  'water',
  'seed',
  'tool',
  'pest',
  'compost',
  'harvest',
  'fence',
  'budget',
  'week',
  'shade',
  'frost',
  'pot',
  'bee',
  'root',
];

/** A task whose urgency an oracle can read: 0 is the most urgent. */
function taskText(index: number, urgency: number): string {
  const word = (step: number) => WORDS[Math.floor(index / WORDS.length ** step) % WORDS.length];
  return `Compare ${word(0)} and ${word(1)} for plan ${index}, urgency ${urgency.toFixed(4)}`;
}

/** About 183 tokens, the length of the result that the peers were measured with. */
const resultOf = (task: string): string =>
  `Result for ${task}: ${'the bed needs four hours of light, a hand of compost and a look each week. '.repeat(9)}`;

const urgencyOf = (text: string): number => Number(/urgency (\d\.\d+)/.exec(text)?.[1] ?? 1);

/** Numbers in [0, 1) from a seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

async function serve(): Promise<void> {
  const random = seeded(7);
  let next = 100_000;
  let created = 1;
  const guarded = brain({
    priority: urgencyOf,
    newTasks: () => Array.from({ length: created }, () => taskText(next++, random())),
    result: resultOf,
  });
  const reply: typeof guarded = (request, index) =>
    classicReply(request.messages[0]?.content ?? '') ?? guarded(request, index);
  /** Of the same lengths, as the agents of the original are answered: null for other prompts. */
  function classicReply(prompt: string): string | null {
    if (prompt.startsWith('Carry out exactly one task')) return resultOf(/^Your task: (.*)$/m.exec(prompt)?.[1] ?? '');
    if (prompt.startsWith('You are to create new tasks')) return `1. ${taskText(next++, random())}`;
    if (!prompt.startsWith('You are to put')) return null;
    const tasks = (/:\n([^]*)\nKeep in mind/.exec(prompt)?.[1] ?? '').split('\n');
    tasks.sort((a, b) => urgencyOf(a) - urgencyOf(b));
    return tasks.map((task, index) => `${index + 1}. ${task}`).join('\n');
  }
  const embed = (text: string, dimensions: number) => {
    const noise = seeded([...text].reduce((hash, char) => (Math.imul(hash, 31) + char.charCodeAt(0)) | 0, 1));
    return Array.from({ length: dimensions }, () => noise() - 0.5);
  };
  const server = await startModelServer({ reply, embed, countTokens });
  process.on('message', (message) => {
    if (message === 'grow' || message === 'steady') created = message === 'grow' ? 3 : 1;
    if (message === 'bodies')
      process.send?.({ bodies: server.requests.map(({ path, raw }) => ({ path, raw: raw.toString() })) });
    server.requests.length = 0;
    server.bill.length = 0;
  });
  process.send?.({ baseUrl: server.baseUrl });
}

interface Body {
  readonly path: string;
  readonly raw: string;
}

interface Figures {
  readonly wallMs: number[];
  readonly cpuMs: number;
  readonly chats: number;
  readonly embeddings: number;
  readonly prompt: number;
  readonly completion: number;
  readonly storedBytes: number;
  readonly regret: number;
  readonly bodies: readonly Body[];
}

async function ask<Answer>(child: ChildProcess, message: string): Promise<Answer> {
  const answer = new Promise<Answer>((resolve) => child.once('message', (value) => resolve(value as Answer)));
  child.send(message);
  return answer;
}

async function runEngine(
  child: ChildProcess,
  baseUrl: string,
  iterations: number,
  queue: number,
  { shuffled = false, strategy = 'guarded' }: { shuffled?: boolean; strategy?: 'guarded' | 'classic' } = {},
): Promise<Figures> {
  await ask(child, 'bodies');
  const folder = mkdtempSync(join(tmpdir(), 'babyagi-bench-'));
  const host = testHost(baseUrl);
  const urgency = seeded(queue);
  const texts = Array.from({ length: queue }, (_, index) => taskText(index, urgency()));
  if (!shuffled) texts.sort((a, b) => urgencyOf(a) - urgencyOf(b));
  const settings = testSettings(baseUrl, {
    max_iterations: iterations,
    max_cost_usd: 100,
    synthesis: false,
    strategy,
    sleepSeconds: 0,
    initialTask: taskText(99_999, 0),
  });
  const session = await startRun(settings, testStart(folder), host);
  for (const text of texts) session.steering.addTask(text);
  const wallMs: number[] = [];
  const regrets: number[] = [];
  let last = performance.now();
  const cpu = process.cpuUsage();
  session.log.observe((event) => {
    if (event.type === 'task.started') regrets.push(regretOf(session, event.task_id));
    if (event.type !== 'iteration.completed') return;
    const now = performance.now();
    wallMs.push(now - last);
    last = now;
  });
  const outcome = await session.done;
  host.egress.close();
  const { user, system } = process.cpuUsage(cpu);
  if (outcome.iterations !== iterations) throw new Error(`${outcome.stopReason}: ${outcome.detail}`);
  const calls = [...session.state.calls.values()];
  const chats = calls.filter((call) => call.agent !== 'embedding');
  const log = readdirSync(join(outcome.runDirectory, 'log'))
    .map((name) => readFileSync(join(outcome.runDirectory, 'log', name), 'latin1'))
    .join('');
  const seedBytes = log
    .split('\n')
    .filter((line) => line.includes('"by":"user"'))
    .reduce((sum, line) => sum + line.length + 1, 0);
  const vectorBytes = [...log.matchAll(/"vectors":\[([^\]]*)\]/g)].reduce(
    (sum, match) => sum + (match[1]?.length ?? 0),
    0,
  );
  const { bodies } = await ask<{ bodies: Body[] }>(child, 'bodies');
  rmSync(folder, { recursive: true });
  return {
    wallMs,
    cpuMs: (user + system) / 1000 / iterations,
    chats: chats.length / iterations,
    embeddings: (calls.length - chats.length) / iterations,
    prompt: chats.reduce((sum, call) => sum + call.inputTokens, 0) / iterations,
    completion: chats.reduce((sum, call) => sum + call.outputTokens, 0) / iterations,
    storedBytes: (log.length - seedBytes - vectorBytes) / iterations,
    regret: mean(regrets.slice(1)),
    bodies,
  };
}

/** The share of the waiting tasks that are more urgent than the one taken: 0 is right, 0.5 is chance. */
function regretOf(session: Session, taskId: string): number {
  const { tasks, pending } = session.state;
  const taken = urgencyOf(tasks.get(taskId)?.text ?? '');
  const better = pending.filter((id) => urgencyOf(tasks.get(id)?.text ?? '') < taken).length;
  return pending.length === 0 ? 0 : better / pending.length;
}

/** The same requests, one after the other, by the official client. */
async function runBare(baseUrl: string, bodies: readonly Body[]): Promise<{ wallMs: number; cpuMs: number }> {
  const client = new OpenAI({ baseURL: baseUrl, apiKey: 'sk-test-0123456789abcdefghijklmnop', maxRetries: 0 });
  const started = performance.now();
  const cpu = process.cpuUsage();
  for (const { path, raw } of bodies) {
    const body: unknown = JSON.parse(raw);
    if (path.endsWith('embeddings')) await client.embeddings.create(body as OpenAI.EmbeddingCreateParams);
    else await client.chat.completions.create(body as OpenAI.ChatCompletionCreateParamsNonStreaming);
  }
  const { user, system } = process.cpuUsage(cpu);
  return { wallMs: performance.now() - started, cpuMs: (user + system) / 1000 };
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
const lastFifth = (values: readonly number[]): readonly number[] => values.slice(-Math.ceil(values.length / 5));
const say = (line: string): void => void process.stdout.write(`${line}\n`);

async function main(): Promise<void> {
  const child = fork(fileURLToPath(import.meta.url), ['server']);
  const { baseUrl } = await new Promise<{ baseUrl: string }>((resolve) =>
    child.once('message', (value) => resolve(value as { baseUrl: string })),
  );
  try {
    await runEngine(child, baseUrl, 10, 10);
    const original = await runEngine(child, baseUrl, 60, 50, { strategy: 'classic' });
    const ratios: number[] = [];
    const originalRatios: number[] = [];
    const cpuRatios: number[] = [];
    for (let repetition = 0; repetition < 5; repetition++) {
      const engine = await runEngine(child, baseUrl, 60, 50);
      const bare = await runBare(baseUrl, engine.bodies);
      const bareOriginal = await runBare(baseUrl, original.bodies);
      originalRatios.push(median(engine.wallMs) / (bareOriginal.wallMs / 60));
      ratios.push(median(engine.wallMs) / (bare.wallMs / 60));
      cpuRatios.push(engine.cpuMs / (bare.cpuMs / 60));
      say(
        `  iteration ${median(engine.wallMs).toFixed(2)} ms (cpu ${engine.cpuMs.toFixed(2)}), bare ${(bare.wallMs / 60).toFixed(2)} ms (cpu ${(bare.cpuMs / 60).toFixed(2)}), bare with the requests of the original ${(bareOriginal.wallMs / 60).toFixed(2)} ms`,
      );
    }
    say(
      `overhead: wall an iteration, all controls on / bare loop on the official client: ${median(ratios).toFixed(2)} with the same requests, ${median(originalRatios).toFixed(2)} with those of the original (goal 1.0); processor time, same requests: ${median(cpuRatios).toFixed(2)}`,
    );
    const flat: number[] = [];
    for (let repetition = 0; repetition < 3; repetition++) {
      const short = await runEngine(child, baseUrl, 20, 50);
      const long = await runEngine(child, baseUrl, 500, 50);
      flat.push(median(lastFifth(long.wallMs)) / median(lastFifth(short.wallMs)));
    }
    say(
      `flatness: last fifth of 500 iterations / last fifth of 20: ${flat.map((value) => value.toFixed(2)).join(', ')}; median ${median(flat).toFixed(2)} (goal 1.15)`,
    );
    say('queue  chats  embeddings  prompt  completion  bytes/iteration  regret  regret from a shuffled start');
    for (const queue of [10, 50, 200, 1000]) {
      const one = await runEngine(child, baseUrl, 100, queue);
      const shuffled = await runEngine(child, baseUrl, 100, queue, { shuffled: true });
      const row = [
        queue,
        one.chats.toFixed(2),
        one.embeddings.toFixed(2),
        one.prompt.toFixed(0),
        one.completion.toFixed(0),
        one.storedBytes.toFixed(0),
        one.regret.toFixed(4),
        shuffled.regret.toFixed(4),
      ];
      say(row.map((cell, index) => String(cell).padStart([5, 6, 11, 7, 11, 16, 7, 29][index] ?? 8)).join(' '));
    }
    child.send('grow');
    const grown = await runEngine(child, baseUrl, 400, 0);
    child.send('steady');
    say(`regret in a queue that grows by two an iteration, up to 800: ${grown.regret.toFixed(4)}`);
    say('goals: chats 2.05, embeddings 1, prompt 800, completion 260, bytes 6144, regret 0.01 (0.03 at 1000)');
  } finally {
    child.kill();
  }
}

await (process.argv[2] === 'server' ? serve() : main());
