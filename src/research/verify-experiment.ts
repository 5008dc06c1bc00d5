import { isDeepStrictEqual } from 'node:util';
import { join } from 'node:path';
import { formatUsd, type Pico, picoFromUsd, usdFromPico } from '../budget/money.ts';
import { jsonOrNull } from '../run/json.ts';
import { messageOf } from '../run/message.ts';
import { BUILD } from '../run/version.ts';
import { type Disk, DRAFT } from '../runlog/disk.ts';
import { sixDigits } from '../runlog/folder.ts';
import { type Check, type Verification, verifyRun } from '../runlog/verify.ts';
import { EndedRuns, type Experiment, readExperiment, spentBy, type Trial } from './experiment.ts';
import { flagsOf } from './experiment-file.ts';
import type { Claim } from './experiment-folder.ts';
import { reportFiles } from './experiment-report-files.ts';
import { isConfiguredAs, trialConfig } from './trial-config.ts';

/**
 * Reads all of an experiment folder again: every run against its log, its variant and its seed, the claims against the order
 * and the cap, the report against the runs. Nothing is changed or sent. Never throws for what is in the folder.
 */
export async function verifyExperiment(disk: Disk, directory: string, signal?: AbortSignal): Promise<Verification> {
  const verifier = new ExperimentVerifier(disk, directory, signal);
  await verifier.verify();
  const failed = verifier.checks.find(({ ok }) => !ok);
  return {
    ok: failed === undefined,
    checks: verifier.checks,
    firstProblem: failed ? `${failed.name}: ${failed.detail}` : null,
    events: verifier.events,
    notes: verifier.notes,
  };
}

class ExperimentVerifier {
  readonly checks: Check[] = [];
  readonly notes: string[] = [];
  events = 0;
  private readonly disk: Disk;
  private readonly directory: string;
  private readonly signal: AbortSignal | undefined;

  constructor(disk: Disk, directory: string, signal: AbortSignal | undefined) {
    this.disk = disk;
    this.directory = directory;
    this.signal = signal;
  }

  async verify(): Promise<void> {
    let experiment: Experiment;
    try {
      experiment = await readExperiment(this.disk, this.directory, new EndedRuns());
    } catch (error) {
      this.judge('experiment', [messageOf(error)], '');
      return;
    }
    this.judge('experiment.json', variantProblems(experiment), 'Each variant is configured as the file says.');
    this.judge(
      'claims',
      [],
      `${experiment.claims.length} claims: each trial was taken once, in the order of the seed.`,
    );
    this.judge('cap', capProblems(experiment), capWords(experiment));
    await this.checkRuns(experiment);
    this.judge('configurations', configProblems(experiment), 'Each run is that of its variant and trial.');
    await this.checkReport(experiment);
  }

  private async checkRuns({ folder, trials }: Experiment): Promise<void> {
    const problems: string[] = [];
    const known = new Set<string>();
    let runs = 0;
    for (const { claim, directory, progress } of trials) {
      this.signal?.throwIfAborted();
      if (claim === null || directory === null) continue;
      known.add(claim.run);
      if (progress.state === 'claimed') {
        this.notes.push(`runs/${claim.run} has no log yet: normal where a worker was killed.`);
        continue;
      }
      const { ok, firstProblem, events, notes } = await verifyRun(this.disk, directory);
      runs += 1;
      this.events += events;
      this.notes.push(...notes.map((note) => `runs/${claim.run}: ${note}`));
      if (!ok) problems.push(`runs/${claim.run}: ${firstProblem ?? ''}`);
    }
    const names = await this.disk.list(folder.runs).catch(() => [] as string[]);
    for (const name of names.sort())
      if (!known.has(name)) problems.push(`runs/${JSON.stringify(name)} was claimed by nobody.`);
    for (const name of (await this.disk.list(folder.claims).catch(() => [] as string[])).sort()) {
      if (DRAFT.test(name)) this.notes.push(`claims/${name} is an unfinished write: normal after a crash.`);
      else if (!/^\d{6}\.json$/.test(name)) problems.push(`claims/${JSON.stringify(name)} is no claim.`);
    }
    this.judge('runs', problems, `${runs} runs, each in order.`);
  }

  private async checkReport(experiment: Experiment): Promise<void> {
    const problems: string[] = [];
    const files = await reportFiles(experiment);
    const written = new Map<string, string>();
    for (const { path, name } of files) {
      const content = await this.disk.read(path).then(String, () => null);
      if (content === null) this.notes.push(`${name} is not there: a worker writes it when it ends.`);
      else written.set(name, content);
    }
    const version = versionOf(written.get('report.json'));
    for (const { name, content } of files) {
      const there = written.get(name);
      if (there === undefined || there === content) continue;
      const isOlder = version !== null && version !== BUILD;
      if (isOlder && name === 'report.md')
        this.notes.push(`report.md was written by version ${version}: its words are not compared.`);
      else if (isOlder && name === 'report.json' && sameFacts(there, content))
        this.notes.push(`report.json was written by version ${version}; its facts are the same.`);
      else problems.push(`${name} is not what the runs give. A worker that ends writes it anew.`);
    }
    this.judge('report', problems, `${written.size} files, as the runs give them.`);
  }

  private judge(name: string, problems: readonly string[], right: string): void {
    const [first] = problems;
    if (first === undefined) this.checks.push({ name, ok: true, detail: right });
    for (const detail of problems) this.checks.push({ name, ok: false, detail });
  }
}

function sameFacts(there: string, content: string): boolean {
  const facts = (text: string) => ({ ...(jsonOrNull(text) as object), version: '' });
  return isDeepStrictEqual(facts(there), facts(content));
}

function versionOf(content: string | undefined): string | null {
  const report = jsonOrNull(content ?? '');
  return typeof report === 'object' && report !== null && 'version' in report && typeof report.version === 'string'
    ? report.version
    : null;
}

/** What the file says of a variant, and its configuration does not. */
export function variantProblems({ record: { spec, variants, provider } }: Experiment): string[] {
  if (
    !isDeepStrictEqual(
      spec.variants.map(({ name }) => name),
      variants.map(({ name }) => name),
    )
  )
    return ['Its variants are not those of the file.'];
  return spec.variants.flatMap(({ name, settings }, index) => {
    const config = variants[index]?.config;
    const flags = flagsOf(spec, settings);
    const pairs: [string, unknown, unknown][] = [
      ['provider', provider, config?.model.provider],
      ['objective', spec.objective, config?.objective],
      ['seed', flags.seed, config?.parameters.seed],
      ['max_iterations', flags.max_iterations, config?.limits.max_iterations],
      ['max_cost_usd', flags.max_cost_usd, config?.limits.max_cost_usd],
      ['strategy', flags.strategy ?? config?.strategy, config?.strategy],
      ['model', flags.model ?? config?.model.requested, config?.model.requested],
      ['temperature', flags.temperature ?? config?.parameters.temperature, config?.parameters.temperature],
    ];
    return pairs.flatMap(([what, said, is]) =>
      said === is
        ? []
        : [`${what} of the variant ${name} is ${JSON.stringify(is)}, and ${JSON.stringify(said)} in the file.`],
    );
  });
}

/** A claim may not have been admitted: what the runs before it cost at the least, and what it may cost, is above the cap. */
function capProblems({ record, claims, trials }: Experiment): string[] {
  const cap = picoFromUsd(record.spec.max_total_cost_usd);
  const problems: string[] = [];
  const cost = costsOf(trials, claims);
  // What the runs that were claimed by now had cost, or have cost since where they were not gone on with.
  const costs = new Map<string, Pico>();
  let spent = 0n;
  for (const claim of claims) {
    const at = `claims/${sixDigits(claim.number)}.json`;
    const reckoned = picoFromUsd(claim.committed_usd);
    spent -= costs.get(claim.run) ?? 0n;
    const least = spent + picoFromUsd(claim.max_cost_usd);
    if (reckoned > cap)
      problems.push(`${at}: ${exact(reckoned)} might have been spent, above the cap of ${exact(cap)}.`);
    else if (reckoned < least)
      problems.push(`${at} says that at most ${exact(reckoned)} could be spent; it was ${exact(least)} at the least.`);
    const own = cost(claim);
    costs.set(claim.run, own);
    spent += own;
  }
  const all = spentBy(trials);
  if (all > cap) problems.push(`The runs cost ${exact(all)}, above the cap of ${exact(cap)}.`);
  for (const { claim, progress } of trials) {
    if (claim === null || !('run' in progress)) continue;
    const { limits } = progress.run;
    if (picoFromUsd(limits.max_cost_usd) > picoFromUsd(claim.max_cost_usd))
      problems.push(
        `runs/${claim.run} has a limit of $${limits.max_cost_usd}, and was admitted with $${claim.max_cost_usd}.`,
      );
  }
  return problems;
}

/** What the run of a claim had cost when it was gone on with, else what it has cost by now. */
function costsOf(trials: readonly Trial[], claims: readonly Claim[]): (claim: Claim) => Pico {
  const now = new Map(
    trials.flatMap(({ claim, progress }) =>
      claim !== null && 'run' in progress ? [[claim.run, progress.run.spent] as const] : [],
    ),
  );
  const next = new Map<number, Claim>();
  const last = new Map<string, Claim>();
  for (const claim of claims) {
    const before = last.get(claim.run);
    if (before) next.set(before.number, claim);
    last.set(claim.run, claim);
  }
  return ({ number, run }) => {
    const resumes = next.get(number)?.resumes;
    return resumes ? picoFromUsd(resumes.spent_usd) : (now.get(run) ?? 0n);
  };
}

/** All digits: of what is compared, rounding would hide the difference. */
function exact(amount: Pico): string {
  return `$${usdFromPico(amount)
    .toFixed(12)
    .replace(/(\.\d\d\d*?)0*$/, '$1')}`;
}

function capWords({ record, trials }: Experiment): string {
  const cap = picoFromUsd(record.spec.max_total_cost_usd);
  return `No trial was begun that did not fit; the runs cost ${formatUsd(spentBy(trials))} of ${formatUsd(cap)}.`;
}

/** Runs that are not configured as their trials are. */
export function configProblems({ record, claims, trials, folder }: Experiment): string[] {
  return trials.flatMap(({ claim, progress }) => {
    if (claim === null || !('run' in progress)) return [];
    const { config } = progress.run;
    const first = claims.find(({ run }) => run === claim.run) ?? claim;
    try {
      return isConfiguredAs(trialConfig(record, first), config)
        ? []
        : [`${join('runs', claim.run)} is not configured as ${claim.variant}, trial ${claim.trial}.`];
    } catch (error) {
      return [`${folder.path}: ${messageOf(error)}`];
    }
  });
}
