import type { TestContext } from 'node:test';
import type { Host, Outcome, StartOptions } from '../../src/engine/host.ts';
import { resumeRun } from '../../src/engine/resume.ts';
import type { Session } from '../../src/engine/session.ts';
import { startRun } from '../../src/engine/start.ts';
import type { RawSettings } from '../../src/run/settings.ts';
import type { RunState } from '../../src/run/state.ts';
import type { RunEvent } from '../../src/run/events.ts';
import { nodeDisk } from '../../src/runlog/disk.ts';
import { runFolder } from '../../src/runlog/folder.ts';
import { readLog } from '../../src/runlog/reader.ts';
import { type ModelServer, type ModelServerOptions, startModelServer } from './model-server.ts';
import { temporaryFolder, testHost, testSettings, testStart } from './run-host.ts';

export interface RunOptions {
  readonly server?: ModelServerOptions;
  readonly settings?: RawSettings;
  readonly start?: Partial<StartOptions>;
  readonly host?: Partial<Host>;
  /** Called as soon as the run has begun. */
  readonly begun?: (session: Session, server: ModelServer) => void | Promise<void>;
}

export interface FinishedRun {
  readonly outcome: Outcome;
  readonly state: RunState;
  readonly events: readonly RunEvent[];
  readonly server: ModelServer;
  readonly session: Session;
}

/** A model server and a host that end with the test. */
export async function serverAndHost(
  t: TestContext,
  options: ModelServerOptions,
  host: Partial<Host> = {},
): Promise<{ server: ModelServer; host: Host }> {
  const server = await startModelServer(options);
  const made = testHost(server.url, host);
  t.after(async () => {
    made.egress.close();
    await server.close();
  });
  return { server, host: made };
}

/** One run from its start to its end, against a server of its own. */
export async function oneRun(t: TestContext, options: RunOptions = {}): Promise<FinishedRun> {
  const { server, host } = await serverAndHost(t, options.server ?? {}, options.host);
  const start = testStart(temporaryFolder(), options.start);
  const session = await startRun(testSettings(server.baseUrl, options.settings), start, host);
  t.after(() => session.stop());
  await options.begun?.(session, server);
  const outcome = await session.done;
  return { outcome, state: session.state, events: await eventsOf(outcome.runDirectory), server, session };
}

/** Takes a run folder up again and goes to its end. */
export async function resumed(
  t: TestContext,
  directory: string,
  host: Host,
  more: Partial<Parameters<typeof resumeRun>[1]> = {},
): Promise<{ outcome: Outcome; state: RunState; session: Session }> {
  const session = await resumeRun(directory, { raise: {}, byPerson: true, ...more }, host);
  t.after(() => session.stop());
  const outcome = await session.done;
  return { outcome, state: session.state, session };
}

/** What the log of a run folder holds. */
export async function eventsOf(directory: string): Promise<RunEvent[]> {
  const { events } = await readLog(nodeDisk, runFolder(directory));
  return events.flatMap((event) => (event.type === 'unknown' ? [] : [event]));
}

/** The bodies of the requests that were not refused, by path: `chat/completions` or `embeddings`. */
export function bodies(server: ModelServer, path: string): Record<string, unknown>[] {
  return server.requests.flatMap((request) =>
    request.path.endsWith(path) && request.body && request.refused === undefined ? [request.body] : [],
  );
}

/** The texts of the tasks in some state, in the order of their making. */
export function tasksIn(state: RunState, ...states: string[]): string[] {
  return [...state.tasks.values()].filter((task) => states.includes(task.state)).map(({ text }) => text);
}
