import { containedMarkdown, plainText } from '../runlog/markdown.ts';
import { money, table } from '../runlog/summary-markdown.ts';
import { shown } from './compare-markdown.ts';
import type { Experiment } from './experiment.ts';
import type { ExperimentRecord } from './experiment-folder.ts';
import type { ExperimentReport, MetricComparison } from './experiment-report.ts';
import { METRICS } from './metrics-of-runs.ts';
import { type Description, holm, type Interval } from './statistics.ts';

const CELL = 80;
/** The level at which a difference is named; the figures are all there for whoever has another one. */
const LEVEL = 0.05;

/** report.md: the report for people. */
export function reportMarkdown(report: ExperimentReport, { record }: Experiment): string {
  const { spec, provider } = record;
  const plain = (text: string) => plainText(text, CELL);
  const frame = { prefix: '> ', lower: 3, tasks: new Set<string>(), file: '' };
  const { hypothesis } = report;
  return [
    `# ${plainText(spec.name, 200)}\n\n`,
    ...(hypothesis === null ? [] : [`Hypothesis, written down before the first run:\n\n${quoted(hypothesis)}\n\n`]),
    `Objective of every run:\n\n${quoted(spec.objective)}\n\n`,
    `${standing(report)}\n\n`,
    ...(provider === 'rehearsal'
      ? [
          'This is a rehearsal: a built-in program answered, no language model. It shows that the experiment works, and nothing about models.\n\n',
        ]
      : []),
    '## What differs between the variants\n\n',
    table(
      ['', ...report.variants.map(({ name }) => plain(name))],
      report.differences.map(({ at, values }) => [plain(at), ...values.map(shown)]),
    ),
    '## What came of it\n\n',
    ...report.variants.map((variant) => variantSection(variant)),
    `## Against ${plain(report.variants[0]?.name ?? '')}\n\n`,
    ...report.variants.slice(1).map(({ name }) => comparisonSection(name, report)),
    '## How the runs ended\n\n',
    stopReasons(report),
    '## The trials\n\n',
    trials(report),
    '## Method\n\n',
    `${method(report, record)}\n\n`,
    '## To check this\n\n',
    '`node dist/cli.js verify <this folder>` reads every log again, checks that each run is what its variant and trial say, that no trial is there twice and that the cap was kept at every moment, and makes this report again. `node dist/cli.js replay <this folder>` runs every loop again from the recorded answers, with no network.\n',
  ].join('');

  function quoted(text: string): string {
    return containedMarkdown(text, frame).join('\n');
  }
}

function standing({ trials, runs, cost_usd, max_total_cost_usd }: ExperimentReport): string {
  const { planned, with_result, without_result, not_ended, not_started, unreadable } = trials;
  const missing = [
    ...(not_started > 0 ? [`${not_started} not started`] : []),
    ...(not_ended > 0 ? [`${not_ended} not ended`] : []),
    ...(without_result > 0
      ? [`${without_result} ended by the server, the machine or a person, and so without one`]
      : []),
    ...(unreadable > 0 ? [`${unreadable} cannot be read`] : []),
  ];
  const interrupted = runs.filter(({ interruptions, is_result }) => is_result && interruptions > 0).length;
  const held = `${interrupted === 1 ? '1 of them was' : `${interrupted} of them were`} interrupted and gone on with: what was in flight then is held in the cost.`;
  const cost = `All runs cost ${money(cost_usd)} of at most ${money(max_total_cost_usd)}.${interrupted === 0 ? '' : ` ${held}`}`;
  return missing.length === 0
    ? `All ${planned} trials have a result. ${cost}`
    : `**${planned - with_result} of ${planned} trials have no result: ${missing.join(', ')}.** ${cost}`;
}

function variantSection({
  name,
  is_baseline,
  trials_with_result,
  metrics,
}: ExperimentReport['variants'][number]): string {
  const rows = METRICS.map(({ name: metric, words, show }) => {
    const figures = metrics[metric] ?? null;
    return [words, ...(figures === null ? Array<string>(7).fill('–') : described(figures, show))];
  });
  return [
    `### ${plainText(name, CELL)}\n\n`,
    `${is_baseline ? 'The baseline. ' : ''}${trials_with_result === 1 ? '1 trial' : `${trials_with_result} trials`} with a result.\n\n`,
    table(['', 'n', 'mean', '95 % of the mean', 'sd', 'median', 'least', 'most'], rows, 1),
  ].join('');
}

function described(
  { n, mean, interval, sd, median, min, max }: Description,
  show: (value: number) => string,
): string[] {
  return [
    String(n),
    show(mean),
    between(interval, show),
    sd === null ? '–' : show(sd),
    show(median),
    show(min),
    show(max),
  ];
}

function between(interval: Interval | null, show: (value: number) => string): string {
  return interval === null ? '–' : `${show(interval.low)} to ${show(interval.high)}`;
}

function comparisonSection(name: string, { comparisons }: ExperimentReport): string {
  const own = comparisons.filter(({ variant }) => variant === name);
  const rows = own.map((each) => {
    const { words, show } = METRICS.find(({ name: metric }) => metric === each.metric) ?? { words: '', show: String };
    return [
      words,
      String(each.pairs),
      each.mean_difference === null ? '–' : show(each.mean_difference),
      between(each.interval, show),
      probability(each.p),
      probability(each.p_holm),
      each.cliffs_delta === null || each.size === null ? '–' : `${Number(each.cliffs_delta.toFixed(2))} (${each.size})`,
    ];
  });
  return [
    `### ${plainText(name, CELL)}\n\n`,
    table(['', 'pairs', 'mean difference', '95 %', 'p', 'p, adjusted', 'Cliff’s delta'], rows, 1),
    ...inWords(own, comparisons).map((sentence) => `${sentence}\n\n`),
  ].join('');
}

/** What may be said of these comparisons, and what not. */
function inWords(own: readonly MetricComparison[], all: readonly MetricComparison[]): string[] {
  const pairs = Math.max(0, ...own.map((each) => each.pairs));
  if (pairs < 2) return ['Fewer than two trials are paired: nothing can be tested.'];
  const tests = all.filter(({ p }) => p !== null).length;
  const smallest = Math.min(...own.map(({ smallest_p }) => smallest_p ?? 1));
  const clear = own.filter(({ p_holm }) => p_holm !== null && p_holm < LEVEL);
  const apart = own.filter(({ interval }) => interval !== null && (interval.low > 0 || interval.high < 0));
  const sentences = [
    ...(smallest >= LEVEL
      ? [
          `With ${pairs} pairs no p value can be below ${probability(smallest)}, whatever the difference: too few for a test at ${LEVEL}. What can be read are the differences and their intervals, which so few pairs make too narrow.`,
        ]
      : leastAdjusted(own, all) >= LEVEL
        ? [
            `With ${pairs} pairs no p value can be below ${probability(smallest)}, which the adjustment for ${tests} tests raises above ${LEVEL}: so few pairs cannot show a difference that survives it.`,
          ]
        : []),
    ...clear.map(
      (each) =>
        `${difference(each)}: p ${probability(each.p).startsWith('<') ? '' : '= '}${probability(each.p)}, ${probability(each.p_holm)} after adjustment for ${tests} tests.`,
    ),
  ];
  if (clear.length === 0 && smallest < LEVEL)
    sentences.push(`No difference is below ${LEVEL} after adjustment. That is no evidence that there is none.`);
  const open = apart.filter((each) => !clear.includes(each));
  if (open.length > 0)
    sentences.push(
      `The interval of the difference leaves out 0, though its p value is not below ${LEVEL} after adjustment, for: ${open.map(({ metric }) => wordsOf(metric)).join(', ')}.`,
    );
  return sentences;
}

/** What the adjustment would leave of the smallest p values that there can be. */
function leastAdjusted(own: readonly MetricComparison[], all: readonly MetricComparison[]): number {
  const tested = all.filter(({ smallest_p }) => smallest_p !== null);
  const adjusted = holm(tested.map(({ smallest_p }) => smallest_p ?? 1));
  return Math.min(1, ...adjusted.filter((_, index) => tested[index] && own.includes(tested[index])));
}

function difference({ metric, mean_difference, interval }: MetricComparison): string {
  const { words, show } = METRICS.find(({ name }) => name === metric) ?? { words: metric, show: String };
  const by = mean_difference ?? 0;
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}: ${by < 0 ? 'less' : 'more'} by ${show(Math.abs(by))} on average (95 %: ${between(interval, show)})`;
}

function wordsOf(metric: string): string {
  return METRICS.find(({ name }) => name === metric)?.words ?? metric;
}

function probability(p: number | null): string {
  if (p === null) return '–';
  return p < 0.0001 ? '< 0.0001' : String(Number(p.toPrecision(3)));
}

function stopReasons({ variants }: ExperimentReport): string {
  const reasons = [...new Set(variants.flatMap(({ stop_reasons }) => Object.keys(stop_reasons)))].sort();
  if (reasons.length === 0) return 'None has ended.\n\n';
  const rows = variants.map(({ name, stop_reasons }) => {
    const ended = Object.values(stop_reasons).reduce((sum, count) => sum + count, 0);
    const share = (count: number) => (count === 0 ? '0' : `${count} (${Math.round((100 * count) / ended)} %)`);
    return [plainText(name, CELL), ...reasons.map((reason) => share(stop_reasons[reason] ?? 0))];
  });
  return table(['', ...reasons.map((reason) => plainText(reason, CELL))], rows, 1);
}

function trials({ runs }: ExperimentReport): string {
  const rows = runs.map(
    ({ place, variant, trial, seed, state, stop_reason, is_result, run, run_id, chain_hash, figures }) => [
      String(place),
      plainText(variant, CELL),
      String(trial),
      String(seed),
      run === null ? '–' : `[${run_id ?? ''}](runs/${run}/summary.md)`,
      stop_reason === null ? STATE_WORDS[state] : `${plainText(stop_reason, CELL)}${is_result ? '' : ' (no result)'}`,
      figures === null ? '–' : String(figures.iterations),
      figures === null ? '–' : money(figures.costUsd),
      chain_hash === null ? '–' : `\`${chain_hash.slice(0, 16)}\``,
    ],
  );
  return `${table(['', 'variant', 'trial', 'seed', 'run', 'ended by', 'iterations', 'cost', 'chain'], rows)}The chain of a log is the hash of all its events; trials.csv and report.json have all of its 64 digits.\n\n`;
}

const STATE_WORDS: Readonly<Record<ExperimentReport['runs'][number]['state'], string>> = {
  waiting: 'not started',
  claimed: 'taken',
  open: 'not ended',
  ended: 'ended',
  unreadable: 'cannot be read',
};

function method(
  { comparisons, variants }: ExperimentReport,
  { spec: { seed }, variants: configured }: ExperimentRecord,
): string {
  const tests = comparisons.filter(({ p }) => p !== null).length;
  const baseline = plainText(variants[0]?.name ?? '', CELL);
  return [
    `Trial i of every variant was run with the sampling seed ${seed} + i. Trials were taken in blocks, trial 1 of all variants first, in an order within each block that was shuffled by the seed.${configured.some(({ config }) => config.strategy === 'classic') ? ' The strategy classic sends no seed to the server, as the original does not.' : ''}`,
    'A run that ended for a reason of the server, the machine or a person (error, waiting_for_key, stopped_by_user, stopped_at_review, disk_full, quarantined, the daily limit of the key) is no result of its variant and in none of the figures; all others are in, whatever ended them.',
    'A useful result has a text, and no task of the same words was done before it. Costs are what is settled and held.',
    `Differences are those to the run of ${baseline} with the same seed. Intervals are 95 % percentile bootstrap intervals of the mean (5000 resamples); with few trials they are too narrow. p values are two-sided and come from flipping the signs of the differences (all of them up to 16 pairs, 20 000 random ones beyond), which supposes only that without an effect a difference were as likely the other way round. They are adjusted together, over ${tests} tests, as Holm does. Cliff’s delta says how much oftener a run of the variant is above one of ${baseline} than below it, from −1 to 1.`,
    'All resamples are seeded: the same folder gives the same report.',
  ].join(' ');
}
