import { join, resolve } from 'node:path';
import { formatUsd, picoFromUsd, usdFromPico } from '../budget/money.ts';
import type { Host } from '../engine/host.ts';
import { createExperiment, readExperimentText, secretPlaces, variantConfigs } from '../research/create-experiment.ts';
import { type Experiment, readRecord, spentBy } from '../research/experiment.ts';
import { checkExperimentFile, type ExperimentFile } from '../research/experiment-file.ts';
import { experimentFolder, type ExperimentRecord } from '../research/experiment-folder.ts';
import { writeReport } from '../research/experiment-report-files.ts';
import { ExperimentWorker, type TrialNews, type WorkerStop } from '../research/work-experiment.ts';
import { DEFAULTS } from '../run/settings.ts';
import { nodeDisk } from '../runlog/disk.ts';
import { isLoopback, needsKey } from '../safety/origin.ts';
import { printable } from '../safety/text.ts';
import { Check, folderOperand, keyOf, originOf } from './configuration.ts';
import { variantsOf } from './experiment-options.ts';
import { assertKeyStays } from './key-origin.ts';
import { type Options, UsageError } from './options.ts';
import { FAILED, OK, say, SENTENCE, WAITS } from './result.ts';
import type { Terminal, Watchers } from './terminal.ts';

const MOST_PARALLEL = 32;

/** Makes the folder of an experiment and works it off. */
export async function experiment(options: Options, open: () => Terminal): Promise<number> {
  const [operand] = options.operands;
  if (operand === undefined || options.operands.length > 1)
    throw new UsageError(['experiment takes one experiment file: see the README.']);
  const path = resolve(operand);
  const text = await readExperimentText(path);
  const check = new Check();
  const work = check.of(() => workOf(options, open));
  const file = check.of(() => fileOf(text, path, work?.terminal));
  const variants = file && check.of(() => variantsOf(file, path));
  if (!work || !file || !variants || check.failed) throw check.error();
  const provider = options.isSet('rehearsal') ? 'rehearsal' : (file.provider ?? 'openai');
  const urls = variants.map(({ settings }) => settings.baseUrl);
  const host = hostFor(work, provider, urls);
  const configured = await variantConfigs(variants, provider, host);
  if ('problems' in configured) throw new UsageError(configured.problems);
  const watchers = await work.terminal.watchersOf(host);
  const directory = await createExperiment(
    resolve(options.text('experiments-dir') ?? '.babyagi/experiments'),
    { text, file, variants: configured.configs, provider },
    host,
  );
  return workOff(directory, options, { host, parallel: work.parallel, watchers });
}

/** Takes trials of an experiment that is there. */
export async function worker(options: Options, open: () => Terminal): Promise<number> {
  const directory = folderOperand(options, 'experiment folder');
  const { provider, variants } = await readRecord(nodeDisk, experimentFolder(directory));
  const work = workOf(options, open);
  const host = hostFor(
    work,
    provider,
    variants.map(({ config }) => config.model.base_url),
  );
  const watchers = await work.terminal.watchersOf(host);
  return workOff(directory, options, { host, parallel: work.parallel, watchers });
}

interface Work {
  readonly terminal: Terminal;
  readonly parallel: number;
  readonly key: string | null;
  readonly keyOrigin: string;
}

function workOf(options: Options, open: () => Terminal): Work {
  const check = new Check();
  const terminal = check.of(open);
  const parallel = check.of(() => parallelOf(options));
  const key = check.of(() => keyOf(options));
  const keyOrigin = check.of(() => originOf(options.text('base-url') ?? DEFAULTS.baseUrl));
  if (!terminal || !parallel || key === undefined || !keyOrigin) throw check.error();
  return { terminal, parallel, key, keyOrigin };
}

function parallelOf(options: Options): number {
  const value = options.number('parallel') ?? 1;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MOST_PARALLEL) return value;
  throw new UsageError([
    `--parallel ${JSON.stringify(value)} is not valid: give a whole number from 1 to ${MOST_PARALLEL}.`,
  ]);
}

/** All that is wrong in the file, each with its place; also what its settings mean, as far as they can be read. */
function fileOf(text: Buffer, path: string, terminal: Terminal | undefined): ExperimentFile {
  const checked = checkExperimentFile(text.toString('utf8'));
  const file = 'file' in checked ? checked.file : checked.partial;
  const secrets = file === null || !terminal ? [] : secretPlaces(file, terminal.redactor);
  const check = new Check();
  if ('problems' in checked) {
    check.of(() => {
      throw new UsageError(checked.problems.map((problem) => `${path}: ${problem}`));
    });
    const { partial } = checked;
    if (partial !== null) check.of(() => variantsOf(partial, path));
  }
  check.of(() => {
    if (secrets.length > 0)
      throw new UsageError(
        secrets.map((at) => `${path}: ${at} holds a secret, and an experiment file is published: take it out.`),
      );
  });
  if (!('file' in checked) || check.failed) throw check.error();
  return checked.file;
}

function hostFor(
  { terminal, key, keyOrigin }: Work,
  provider: ExperimentRecord['provider'],
  baseUrls: readonly string[],
) {
  if (provider === 'rehearsal') return terminal.hostOf({ key, keyOrigin, allow: [] });
  const check = new Check();
  const servers = new Set(baseUrls.map(originOf).filter((origin) => !isLoopback(new URL(origin).hostname)));
  if (servers.size > 1)
    throw new UsageError([
      `The variants ask several servers, ${[...servers].join(' and ')}, and a key is for one: give all the same base_url, or servers on this machine.`,
    ]);
  for (const baseUrl of new Set(baseUrls)) {
    check.of(() => assertKeyStays(key, keyOrigin, baseUrl));
    check.of(() => {
      if (key === null && originOf(baseUrl) === keyOrigin && needsKey(baseUrl))
        throw new UsageError([`There is no API key for ${keyOrigin}: set OPENAI_API_KEY.`]);
    });
  }
  if (check.failed) throw check.error();
  return terminal.hostOf({ key, keyOrigin, allow: baseUrls });
}

interface Parts {
  readonly host: Host;
  readonly parallel: number;
  readonly watchers: Watchers;
}

async function workOff(directory: string, options: Options, { host, parallel, watchers }: Parts): Promise<number> {
  const json = options.isSet('json');
  const stream = json ? process.stderr : process.stdout;
  // What went wrong may quote anything.
  const tell = (line: string) => stream.write(`${host.redactor.redact(line)}\n`);
  tell(`Experiment in ${directory}`);
  const worker = new ExperimentWorker(directory, {
    host,
    parallel,
    began: watchers.began,
    told: (news, experiment) => tell(lineOf(news, experiment)),
  });
  stopOnSignals(worker);
  const reason = await worker.work();
  await watchers.ended();
  const experiment = await writeReport(nodeDisk, directory);
  const { done, left } = countsOf(experiment);
  const total = formatUsd(picoFromUsd(experiment.record.spec.max_total_cost_usd));
  tell(
    `Ended: ${reason}. ${WORDS[reason]} ${done} of ${done + left} trials have a result; ${formatUsd(spentBy(experiment.trials))} of ${total}.`,
  );
  if (left > 0) tell(`To go on: node dist/cli.js worker ${directory}`);
  tell(`Report: ${join(directory, 'report.md')}`);
  if (json) {
    say(
      JSON.stringify({
        experiment_id: experiment.record.experiment_id,
        experiment_dir: directory,
        stop_reason: reason,
        trials_done: done,
        trials_left: left,
        cost_usd: usdFromPico(spentBy(experiment.trials)),
      }),
    );
  }
  return exitCodeOf(reason);
}

const WORDS: Readonly<Record<WorkerStop, string>> = {
  completed: 'Every trial has a result.',
  max_cost: 'The next trial does not fit into what is left of the cap.',
  stopped_by_user: 'It was stopped.',
  waiting_for_key: 'No API key could be read, or the server refused it: set it, then go on.',
  disk_full: 'The disk is full: free some space, then go on.',
  key_limit: 'The daily limit of the API key was reached: go on tomorrow, or raise it.',
  error: 'Trials ended without a result: mend the cause, then go on.',
};

function exitCodeOf(reason: WorkerStop): number {
  switch (reason) {
    case 'completed':
    case 'max_cost':
    case 'key_limit':
    case 'stopped_by_user':
      return OK;
    case 'waiting_for_key':
      return WAITS;
    case 'disk_full':
    case 'error':
      return FAILED;
  }
}

function countsOf({ trials }: Experiment): { done: number; left: number } {
  const done = trials.filter(({ progress }) => progress.state === 'ended' && progress.isResult).length;
  return { done, left: trials.length - done };
}

/** `[3/10] guarded, trial 2: max_iterations, 5 iterations, $0.012; $0.034 of $1.00` */
function lineOf({ trial, reason, isResult, iterations, costUsd, problem }: TrialNews, experiment: Experiment): string {
  const { done, left } = countsOf(experiment);
  const total = formatUsd(picoFromUsd(experiment.record.spec.max_total_cost_usd));
  const how = isResult ? '' : `, no result${problem === null ? '' : ` (${printable(problem, SENTENCE)})`}`;
  const what = reason === null ? 'not begun' : `${reason}, ${iterations} iterations`;
  return `[${done}/${done + left}] ${trial.variant}, trial ${trial.trial}: ${what}, ${formatUsd(picoFromUsd(costUsd))}${how}; ${formatUsd(spentBy(experiment.trials))} of ${total}`;
}

function stopOnSignals(worker: ExperimentWorker): void {
  let asked = false;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      // Asked twice: leave at once. The logs are good at any byte, and a worker can go on.
      if (asked) process.exit(130);
      asked = true;
      worker.stop(signal === 'SIGINT' ? 'person' : 'signal');
    });
  }
}
