import { resolve } from 'node:path';
import { KeyLedgerFile } from './budget/key-ledger.ts';
import { picoFromUsd } from './budget/money.ts';
import { EngineError } from './engine/engine-error.ts';
import type { Host } from './engine/host.ts';
import type { Session } from './engine/session.ts';
import { startRun } from './engine/start.ts';
import { channelsFor } from './notify/channels.ts';
import { ArchiveError } from './research/archive.ts';
import { environmentSnapshot } from './research/environment.ts';
import { systemClock } from './run/clock.ts';
import { messageOf } from './run/message.ts';
import { DEFAULTS } from './run/settings.ts';
import { VERSION } from './run/version.ts';
import { nodeDisk } from './runlog/disk.ts';
import { processTable, thisProcess } from './runlog/machine.ts';
import { Egress } from './safety/egress.ts';
import { needsKey } from './safety/origin.ts';
import { RedactionError, Redactor } from './safety/redaction.ts';
import { printable } from './safety/text.ts';
import {
  addedLimitsOf,
  Check,
  folderOperand,
  hostPartsOf,
  keyOf,
  originOf,
  pricesOf,
  promptsOf,
  secretsOf,
  settingsOf,
  snapshotOf,
  stateDirectory,
} from './terminal/configuration.ts';
import { follow } from './terminal/follow.ts';
import { assertKeyStays } from './terminal/key-origin.ts';
import type { KeyBinding, Terminal, Watchers } from './terminal/terminal.ts';
import { helpText, Options, UsageError } from './terminal/options.ts';
import { FAILED, MISCONFIGURED, say, SENTENCE } from './terminal/result.ts';
import { FolderWorkspace } from './tools/workspace.ts';

/** The composition root for the terminal. Its contract: exit codes, flags, the last line of stdout with --json. */

/** Goes before everything that is said: a sentence may quote what somebody put into the wrong place. */
const redactor = new Redactor();

async function main(): Promise<number> {
  registerSecrets(process.env);
  const options = Options.parse(process.argv.slice(2), process.env);
  registerSecrets(options.variables);
  if (options.isSet('version')) return say(VERSION);
  if (options.isSet('help') || options.command === '') return say(helpText());
  switch (options.command) {
    case 'run':
      return start(options, 'openai');
    case 'rehearse':
      return start(options, 'rehearsal');
    case 'resume':
      return resume(options);
    case 'fork':
      return fork(options);
    case 'experiment':
      return (await import('./terminal/experiment-command.ts')).experiment(options, () => terminal(options));
    case 'worker':
      return (await import('./terminal/experiment-command.ts')).worker(options, () => terminal(options));
    case 'forecast':
      return (await import('./terminal/read-commands.ts')).forecast(options, redactor);
    case 'verify':
      return (await import('./terminal/read-commands.ts')).verify(options, redactor);
    case 'explain':
      return (await import('./terminal/read-commands.ts')).explain(options, redactor);
    case 'replay':
      return (await import('./terminal/replay-command.ts')).replay(options, redactor);
    case 'compare':
      return (await import('./terminal/compare-command.ts')).compare(options, redactor);
    case 'export':
      return (await import('./terminal/archive-commands.ts')).exportRun(options);
    case 'import':
      return (await import('./terminal/archive-commands.ts')).importRun(options);
    case 'test-notices':
      return (await import('./terminal/test-notices.ts')).testNotices(options, redactor);
    default:
      throw new UsageError([`There is no command ${JSON.stringify(options.command)}: see --help.`]);
  }
}

async function start(options: Options, provider: 'openai' | 'rehearsal'): Promise<number> {
  // All that is wrong is said at once.
  const check = new Check();
  const baseUrl = options.text('base-url') ?? DEFAULTS.baseUrl;
  const origin = check.of(() => originOf(baseUrl));
  const settings = check.of(() => settingsOf(options, provider, origin));
  const key = check.of(() => {
    const found = keyOf(options);
    if (provider === 'openai' && found === null && origin !== undefined && needsKey(baseUrl))
      throw new UsageError([`There is no API key for ${origin}: set OPENAI_API_KEY.`]);
    return found;
  });
  const prices = check.of(() => pricesOf(options, options.text('model') ?? DEFAULTS.model, baseUrl));
  const promptOverrides = check.of(() => promptsOf(options));
  const parts = check.of(() => hostPartsOf(options));
  if (!settings || !origin || key === undefined || !prices || !promptOverrides || !parts) throw check.error();
  const host = hostOf(options, parts, { key, keyOrigin: origin, allow: [baseUrl] });
  const start = {
    runsDirectory: runsDirectoryOf(options),
    provider,
    prices,
    promptOverrides,
    snapshot: snapshotOf(options),
  };
  return watched(parts, host, options, () => startRun(settings, start, host));
}

async function resume(options: Options): Promise<number> {
  const directory = folderOperand(options);
  const [{ readRunConfig }, { resumeRun }, { experimentOf }] = await Promise.all([
    import('./engine/read.ts'),
    import('./engine/resume.ts'),
    import('./research/experiment.ts'),
  ]);
  const config = await readRunConfig(nodeDisk, directory);
  const { provider, base_url } = config.model;
  // By hand it would spend what the cap of its experiment has given to others.
  const experiment = 'experiment' in config.settings ? await experimentOf(nodeDisk, directory) : null;
  if (experiment !== null)
    throw new UsageError([
      `The run is a trial of an experiment: node dist/cli.js worker ${experiment} goes on with it.`,
    ]);
  const check = new Check();
  const keyOrigin = check.of(() => originOf(options.text('base-url') ?? DEFAULTS.baseUrl));
  const add = check.of(() => addedLimitsOf(options));
  const key = check.of(() => keyOf(options));
  const parts = check.of(() => hostPartsOf(options));
  if (!keyOrigin || !add || key === undefined || !parts) throw check.error();
  if (provider === 'openai') assertKeyStays(key, keyOrigin, base_url);
  const host = hostOf(options, parts, { key, keyOrigin, allow: provider === 'openai' ? [base_url] : [] });
  const how = {
    raise: {},
    add,
    byPerson: true,
    approveReview: options.isSet('approve-review') || options.isSet('skip-reviews'),
    unblockTasks: options.isSet('unblock-tasks'),
  };
  return watched(parts, host, options, () => resumeRun(directory, how, host));
}

type HostParts = ReturnType<typeof hostPartsOf>;

/** Has a run begin and shows it until it ends, with whatever else is to look at it. */
async function watched(parts: HostParts, host: Host, options: Options, begin: () => Promise<Session>): Promise<number> {
  const watchers = await watchersOf(parts, host);
  const session = await begin();
  watchers.began(session);
  const code = await follow(session, options);
  await watchers.ended();
  return code;
}

/** Listens before anything is started or sent, where metrics are asked for; and sends the traces of each run that begins. */
async function watchersOf({ metricsPort, collector }: HostParts, host: Host): Promise<Watchers> {
  const measured = await serveMetricsOf(metricsPort);
  const { TraceExporter, tellingOnce } = collector ? await import('./telemetry/trace-exporter.ts') : {};
  const exporting = tellingOnce?.(host) ?? host;
  const closing: Promise<void>[] = [];
  return {
    began(session) {
      measured(session);
      if (collector === undefined || TraceExporter === undefined) return;
      const exporter = new TraceExporter(collector, exporting);
      exporter.follow(session);
      closing.push(session.done.then(() => exporter.close()));
    },
    ended: async () => void (await Promise.all(closing)),
  };
}

async function serveMetricsOf(port: number | undefined): Promise<(session: Session) => void> {
  if (port === undefined) return () => {};
  const { EndpointError, serveMetrics } = await import('./telemetry/endpoint.ts');
  let measured: Session[] = [];
  try {
    await serveMetrics(port, () => measured.map(({ state }) => state));
  } catch (error) {
    if (error instanceof EndpointError) throw new UsageError([error.message]);
    throw error;
  }
  return (session) => {
    measured = [...measured.filter(({ state }) => state.status !== 'ended'), session];
  };
}

async function fork(options: Options): Promise<number> {
  const directory = folderOperand(options);
  const [{ forkRun, readParent }, { forkOptionsOf }] = await Promise.all([
    import('./engine/fork.ts'),
    import('./terminal/fork-options.ts'),
  ]);
  const parent = await readParent(nodeDisk, directory);
  const check = new Check();
  const keyOrigin = check.of(() => originOf(options.text('base-url') ?? DEFAULTS.baseUrl));
  const chosen = check.of(() => forkOptionsOf(options, parent));
  const key = check.of(() => keyOf(options));
  const parts = check.of(() => hostPartsOf(options));
  if (!keyOrigin || !chosen || key === undefined || !parts) throw check.error();
  const { settings, iteration, provider, ...others } = chosen;
  const { baseUrl } = settings;
  if (provider === 'openai') {
    assertKeyStays(key, keyOrigin, baseUrl);
    if (key === null && needsKey(baseUrl))
      throw new UsageError([`There is no API key for ${keyOrigin}: set OPENAI_API_KEY.`]);
  }
  const host = hostOf(options, parts, { key, keyOrigin, allow: provider === 'openai' ? [baseUrl] : [] });
  const start = { ...others, provider, runsDirectory: runsDirectoryOf(options), snapshot: snapshotOf(options) };
  return watched(parts, host, options, () => forkRun(parent, iteration, settings, start, host));
}

function runsDirectoryOf(options: Options): string {
  return resolve(options.text('runs-dir') ?? '.babyagi/runs');
}

/** What of this root the commands for experiments need. */
function terminal(options: Options): Terminal {
  const parts = hostPartsOf(options);
  return {
    redactor,
    hostOf: (binding) => ({ ...hostOf(options, parts, binding), skipReviews: true, attended: false }),
    watchersOf: (host) => watchersOf(parts, host),
  };
}

function hostOf(
  options: Options,
  { notices, perDay, watchdogSeconds }: HostParts,
  { key, keyOrigin, allow }: KeyBinding,
): Host {
  // The addresses were given by the person at this terminal, so they may be on their own network.
  const egress = new Egress({ allowedOrigins: [], privateOrigins: allow });
  const workspace = process.cwd();
  const keyFor = (origin: string) => Promise.resolve(origin === keyOrigin ? key : null);
  return {
    clock: systemClock,
    random: Math.random,
    disk: nodeDisk,
    identity: thisProcess(),
    processes: processTable,
    egress,
    redactor,
    channels: channelsFor(notices, egress),
    watchdog: { limitMs: 1000 * watchdogSeconds, notices },
    keyFor,
    ...(perDay === undefined
      ? {}
      : {
          ledgerFor: (origin) =>
            new KeyLedgerFile({
              directory: stateDirectory(options),
              key: () => keyFor(origin),
              limitPerDay: picoFromUsd(perDay),
              now: Date.now,
            }),
        }),
    distDirectory: __dirname,
    environment: () =>
      environmentSnapshot({
        distDirectory: __dirname,
        extensionVersion: VERSION,
        vscodeVersion: null,
        workspace,
      }),
    workspace: new FolderWorkspace(workspace),
    // Nothing in a terminal resumes a pause.
    attended: process.stdin.isTTY ? 'reviews' : false,
    skipReviews: options.isSet('skip-reviews'),
    trace: (message) => {
      const lines = redactor.redact(message).split('\n');
      process.stderr.write(lines.map((line) => `${printable(line, SENTENCE)}\n`).join(''));
    },
  };
}

/** As they were given: also one that cannot be used is a secret. */
function registerSecrets(variables: Options['variables']): void {
  for (const [secret, rule] of secretsOf(variables)) {
    try {
      redactor.register(secret, rule);
    } catch (error) {
      if (!(error instanceof RedactionError)) throw error;
    }
  }
}

/** What goes wrong anywhere, also where nobody waits for it: in sentences, without secrets, without a stack. */
function fail(error: unknown): void {
  if (error instanceof Error && error.name === 'AbortError') {
    process.stderr.write('Stopped; nothing was left behind.\n');
    process.exit(FAILED);
  }
  const known = error instanceof UsageError || error instanceof EngineError || error instanceof ArchiveError;
  const misused = error instanceof UsageError || (error instanceof EngineError && error.reason === 'configuration');
  const sentences = known ? error.problems : [`An unexpected error: ${messageOf(error)}`];
  process.stderr.write(sentences.map((sentence) => `${printable(redactor.redact(sentence), SENTENCE)}\n`).join(''));
  process.exit(misused ? MISCONFIGURED : FAILED);
}

process.on('uncaughtException', fail);
// Where nobody reads any more, as behind `| head` or in a closed window, a run goes on: it is in its files.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
main().then((code) => {
  process.exitCode = code;
  // Idle keep-alive sockets and timers must not hold the terminal.
  process.stdout.write('', () => process.exit(code));
}, fail);
