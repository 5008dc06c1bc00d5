import { readFileSync } from 'node:fs';
import { parseArgs, parseEnv } from 'node:util';
import { quoted } from '../run/limits.ts';

/** Wrong usage of the command line: one sentence for each problem. Exit code 2. */
export class UsageError extends Error {
  readonly reason = 'usage';
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'UsageError';
    this.problems = problems;
  }
}

interface Flag {
  readonly type: 'string' | 'boolean';
  /** Shown in the help. */
  readonly value?: string;
  readonly help: string;
  /** The variable of the usual BabyAGI set-up that means the same. */
  readonly plain?: string;
  readonly multiple?: true;
}

/** Every flag may also be given as `BABYAGI_<FLAG>`, in the environment or in an --env-file. */
export const FLAGS = {
  'max-iterations': { type: 'string', value: 'N', help: 'iteration limit (required for run)', plain: 'MAX_ITERATIONS' },
  'max-cost-usd': {
    type: 'string',
    value: 'X',
    help: 'cost limit in US dollars (required for run)',
    plain: 'MAX_COST_USD',
  },
  'max-requests': { type: 'string', value: 'N', help: 'limit of the requests of all agents together (none)' },
  'max-tokens': {
    type: 'string',
    value: 'N',
    help: 'limit of their tokens, of prompts and answers together (none)',
  },
  'max-wall-time': { type: 'string', value: 'MIN', help: 'time limit in minutes (480)', plain: 'MAX_WALL_TIME' },
  'max-key-usd-per-day': {
    type: 'string',
    value: 'X',
    help: 'limit, with all other runs that have one, of this API key on this machine, US dollars per day (none)',
  },
  'task-timeout': {
    type: 'string',
    value: 'S',
    help: 'seconds that one step may take (120)',
    plain: 'EXECUTION_TIMEOUT',
  },
  'first-task': { type: 'string', value: 'T', help: 'the first task (Develop a task list)', plain: 'INITIAL_TASK' },
  accept: { type: 'string', value: 'C', help: 'an acceptance criterion; may be repeated', multiple: true },
  model: { type: 'string', value: 'M', help: 'chat model (gpt-4.1-mini-2025-04-14)', plain: 'OPENAI_API_MODEL' },
  'embedding-model': { type: 'string', value: 'M', help: 'embedding model, or none (text-embedding-3-small)' },
  'base-url': { type: 'string', value: 'URL', help: 'server (https://api.openai.com/v1)', plain: 'OPENAI_BASE_URL' },
  strategy: { type: 'string', value: 'S', help: 'guarded or classic (guarded)' },
  temperature: { type: 'string', value: 'T', help: 'sampling temperature (0)', plain: 'OPENAI_TEMPERATURE' },
  seed: { type: 'string', value: 'N', help: 'sampling seed (42)' },
  'runs-dir': { type: 'string', value: 'DIR', help: 'where run folders go (.babyagi/runs)' },
  'prompts-dir': {
    type: 'string',
    value: 'DIR',
    help: 'files <agent>.md, and no other *.md, that replace built-in prompts (.babyagi/prompts)',
  },
  'checkpoint-every': { type: 'string', value: 'N', help: 'iterations between checkpoints (5)' },
  'review-every': {
    type: 'string',
    value: 'N',
    help: 'iterations between reviews by a person (0: none)',
    plain: 'HUMAN_CHECKPOINT_EVERY',
  },
  'review-every-usd': { type: 'string', value: 'X', help: 'US dollars spent between reviews by a person (0: none)' },
  'review-first-use': { type: 'boolean', help: 'review before the first file is written below output/' },
  'experiments-dir': { type: 'string', value: 'DIR', help: 'where experiment folders go (.babyagi/experiments)' },
  parallel: { type: 'string', value: 'N', help: 'experiment and worker: trials at once (1)' },
  rehearsal: { type: 'boolean', help: 'experiment: with the built-in offline model; costs nothing' },
  'skip-reviews': { type: 'boolean', help: 'approve every review without asking' },
  'sleep-interval': {
    type: 'string',
    value: 'S',
    help: 'seconds between iterations (0; classic: 5)',
    plain: 'SLEEP_INTERVAL',
  },
  'watchdog-interval': {
    type: 'string',
    value: 'S',
    help: 'seconds that the process may hang before somebody is told (60)',
    plain: 'WATCHDOG_INTERVAL',
  },
  'metrics-port': {
    type: 'string',
    value: 'N',
    help: 'serve metrics for Prometheus at http://127.0.0.1:N/metrics (none)',
  },
  'otlp-endpoint': {
    type: 'string',
    value: 'URL',
    help: 'send traces to this OpenTelemetry collector, such as http://localhost:4318 (none)',
  },
  'price-input': { type: 'string', value: 'X', help: 'price of the model, US dollars per million prompt tokens' },
  'price-output': { type: 'string', value: 'X', help: 'price of the model, US dollars per million completion tokens' },
  'free-server': { type: 'boolean', help: 'the server costs nothing (a local model)' },
  'no-answer': { type: 'boolean', help: 'do not write a final answer with one more request' },
  'env-file': { type: 'string', value: 'FILE', help: 'read variables from a file' },
  'from-iteration': { type: 'string', value: 'K', help: 'fork: the last iteration that is taken over' },
  traces: { type: 'boolean', help: 'export: write the run as OpenTelemetry spans (OTLP/JSON), to stdout or the file' },
  'add-iterations': { type: 'string', value: 'N', help: 'resume: raise the iteration limit by N' },
  'add-cost-usd': { type: 'string', value: 'X', help: 'resume: raise the cost limit by X' },
  'add-requests': { type: 'string', value: 'N', help: 'resume: raise the request limit by N; without one, N more' },
  'add-tokens': { type: 'string', value: 'N', help: 'resume: raise the token limit by N; without one, N more' },
  'add-minutes': { type: 'string', value: 'MIN', help: 'resume: raise the time limit by MIN minutes' },
  'unblock-tasks': { type: 'boolean', help: 'resume: hold no task back any more' },
  'approve-review': { type: 'boolean', help: 'resume: approve the review that the run waits for' },
  json: { type: 'boolean', help: 'last line of stdout: one JSON object; progress goes to stderr' },
  help: { type: 'boolean', help: 'this text' },
  version: { type: 'boolean', help: 'the version' },
} as const satisfies Record<string, Flag>;

export type FlagName = keyof typeof FLAGS;

/** What every command takes. */
const COMMON = ['env-file', 'json', 'help', 'version'] as const satisfies readonly FlagName[];
const FORECAST = [
  ...(['max-iterations', 'max-cost-usd', 'max-requests', 'max-tokens', 'max-wall-time', 'task-timeout'] as const),
  ...(['first-task', 'accept', 'model'] as const),
  ...(['embedding-model', 'base-url', 'strategy', 'temperature', 'seed', 'prompts-dir', 'checkpoint-every'] as const),
  ...([
    'review-every',
    'review-every-usd',
    'review-first-use',
    'sleep-interval',
    'price-input',
    'price-output',
    'free-server',
    'no-answer',
  ] as const),
] as const satisfies readonly FlagName[];
const RUN = [
  ...FORECAST,
  ...(['runs-dir', 'skip-reviews', 'watchdog-interval', 'max-key-usd-per-day'] as const),
  ...(['metrics-port', 'otlp-endpoint'] as const),
] as const satisfies readonly FlagName[];

const WORK = [
  ...(['parallel', 'base-url', 'max-key-usd-per-day', 'watchdog-interval'] as const),
  ...(['metrics-port', 'otlp-endpoint'] as const),
] as const satisfies readonly FlagName[];

/** Asked for on the command line only: images like to set a variable for a version. */
const UNSET: ReadonlySet<FlagName> = new Set(['help', 'version'] as const);

/** The flags of each command, besides those that all take. */
const COMMANDS: Readonly<Record<string, readonly FlagName[]>> = {
  run: RUN,
  rehearse: RUN,
  resume: [
    ...([
      'base-url',
      'max-key-usd-per-day',
      'watchdog-interval',
      'metrics-port',
      'otlp-endpoint',
      'skip-reviews',
      'approve-review',
      'unblock-tasks',
    ] as const),
    ...(['add-iterations', 'add-cost-usd', 'add-requests', 'add-tokens', 'add-minutes'] as const),
  ],
  experiment: [...WORK, 'experiments-dir', 'rehearsal'],
  worker: WORK,
  forecast: FORECAST,
  // Its first task is behind it.
  fork: ['from-iteration', ...RUN.filter((name) => name !== 'first-task')],
  explain: [],
  verify: [],
  replay: [],
  compare: [],
  export: ['traces'],
  import: ['runs-dir', 'experiments-dir'],
  'test-notices': [],
};

/** A command line with its variables: what was given, by name, wherever it was given. */
export class Options {
  readonly command: string;
  readonly operands: readonly string[];
  readonly variables: Readonly<Record<string, string | undefined>>;
  private readonly flags: Readonly<Record<string, unknown>>;

  private constructor(
    command: string,
    operands: readonly string[],
    flags: Readonly<Record<string, unknown>>,
    variables: Readonly<Record<string, string | undefined>>,
  ) {
    this.command = command;
    this.operands = operands;
    this.flags = flags;
    this.variables = variables;
  }

  /** Throws UsageError. Flags come before variables, variables of the environment before those of the file. */
  static parse(argv: readonly string[], environment: Readonly<Record<string, string | undefined>>): Options {
    let parsed: { values: Record<string, unknown>; positionals: string[] };
    try {
      parsed = parseArgs({ args: [...argv], options: definitions(), allowPositionals: true, strict: true });
    } catch (error) {
      throw new UsageError([
        error instanceof Error ? `${error.message.split('. To specify')[0]}.`.replace('..', '.') : String(error),
      ]);
    }
    const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value?.trim()));
    const file = parsed.values['env-file'] ?? given['BABYAGI_ENV_FILE'];
    const variables = typeof file === 'string' ? { ...fileVariables(file), ...given } : given;
    const [command = '', ...operands] = parsed.positionals;
    const options = new Options(command, operands, parsed.values, variables);
    const problems = [...options.foreignFlags(), ...options.unclearSwitches()];
    if (problems.length > 0) throw new UsageError(problems);
    return options;
  }

  /** The flags of a command as a file has them, and no variables: numbers and switches as JSON has them. */
  static ofFile(command: string, operand: string, flags: Readonly<Partial<Record<FlagName, unknown>>>): Options {
    const given = Object.entries(flags).map(([name, value]) => [
      name,
      typeof value === 'number' ? String(value) : value,
    ]);
    return new Options(command, [operand], Object.fromEntries(given) as Record<string, unknown>, {});
  }

  private foreignFlags(): string[] {
    const taken = Object.hasOwn(COMMANDS, this.command) ? COMMANDS[this.command] : undefined;
    return Object.keys(this.flags).flatMap((name) =>
      taken === undefined || taken.some((each) => each === name) || COMMON.some((each) => each === name)
        ? []
        : [`${this.command} does not take --${name}: see --help.`],
    );
  }

  /** Variables of switches that say neither yes nor no. */
  private unclearSwitches(): string[] {
    return (Object.keys(FLAGS) as FlagName[]).flatMap((name) => {
      if (FLAGS[name].type !== 'boolean' || typeof this.flags[name] === 'boolean' || UNSET.has(name)) return [];
      const text = this.text(name);
      return text === undefined || YES.test(text) || NO.test(text)
        ? []
        : [`${variableOf(name)} ${quoted(text)} is not valid: give 1, true, yes or on, or 0, false, no or off.`];
    });
  }

  text(name: FlagName): string | undefined {
    const flag = this.flags[name];
    if (typeof flag === 'string') return flag;
    const spec: Flag = FLAGS[name];
    const own = this.variables[variableOf(name)];
    return (
      blankAsUndefined(own) ?? (spec.plain === undefined ? undefined : blankAsUndefined(this.variables[spec.plain]))
    );
  }

  texts(name: FlagName): string[] {
    const flag = this.flags[name];
    if (Array.isArray(flag)) return flag.map(String);
    return (
      this.text(name)
        ?.split('\n')
        .filter((line) => line.trim() !== '') ?? []
    );
  }

  /** A number where it looks like one, else the text as it is, so that its check can quote it. */
  number(name: FlagName): number | string | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = Number(text);
    return Number.isFinite(value) ? value : text;
  }

  isSet(name: FlagName): boolean {
    const flag = this.flags[name];
    if (typeof flag === 'boolean') return flag;
    if (UNSET.has(name)) return false;
    return YES.test(this.text(name) ?? '');
  }

  /** What was given: yes or no for a switch, a list for what may be repeated; undefined where nothing was. */
  given(name: FlagName): string | boolean | string[] | undefined {
    const { type, multiple }: Flag = FLAGS[name];
    if (type === 'boolean') {
      const isGiven = this.flags[name] !== undefined || (!UNSET.has(name) && this.text(name) !== undefined);
      return isGiven ? this.isSet(name) : undefined;
    }
    if (multiple !== true) return this.text(name);
    const texts = this.texts(name);
    return texts.length === 0 ? undefined : texts;
  }
}

const YES = /^\s*(1|true|yes|on)\s*$/i;
const NO = /^\s*(0|false|no|off)\s*$/i;

function variableOf(name: FlagName): string {
  return `BABYAGI_${name.toUpperCase().replaceAll('-', '_')}`;
}

export function helpText(): string {
  const rows = Object.entries(FLAGS).map(([name, flag]: [string, Flag]) => {
    const left = `--${name}${flag.value ? ` ${flag.value}` : ''}`;
    return `  ${left.padEnd(24)} ${flag.help}`;
  });
  return `BabyAGI in the terminal.

  run "<objective>" --max-iterations N --max-cost-usd X   run an objective; the key comes from OPENAI_API_KEY
  rehearse "<objective>"                                  the same with the built-in offline model; costs nothing
  resume <run folder>                                     go on where a run ended
  fork <run folder> --from-iteration K --max-iterations N --max-cost-usd X …
                                                          a new run from the state after iteration K, with other flags of run
  forecast "<objective>" …                                what a run with these flags would cost; costs nothing
  experiment <file.experiment.json>                       compare variants over many trials, as the file says
  worker <experiment folder>                              take trials of it, beside others or after them
  explain <run folder>                                    why it stopped, what that cost, and what to do
  verify <run or experiment folder>                       check it against its logs
  replay <run or experiment folder, or file.zip>          run its loop again from the recorded answers, and compare
  compare <run> <run> …                                   put runs or archives side by side: settings and what came of them
  export <run or experiment folder> [file.zip]            write it as one archive, always with the same bytes
  export <run folder> --traces [file.json]                write it as OpenTelemetry spans
  import <file.zip>                                       take an archive in, to look at
  test-notices                                            send one notice by every way that is set up

${rows.join('\n')}

Every flag may also be given as a variable BABYAGI_<FLAG>. Who is told of what is set by variables alone, as they hold
secrets: BABYAGI_WEBHOOK_URL (compatible with Slack), BABYAGI_JSON_WEBHOOK_URL, BABYAGI_PAGERDUTY_ROUTING_KEY,
BABYAGI_EMAIL_SERVER with _FROM and _TO, BABYAGI_DEAD_MAN_URL; so are headers for --otlp-endpoint, in BABYAGI_OTLP_HEADERS;
docs/runbook.md has all of them.
Exit codes: 0 ended by a named reason · 1 error · 2 bad or missing configuration · 3 waits for a person`;
}

function definitions(): Record<string, { type: 'string' | 'boolean'; multiple?: boolean }> {
  return Object.fromEntries(
    Object.entries(FLAGS).map(([name, flag]: [string, Flag]) => [
      name,
      { type: flag.type, multiple: flag.multiple ?? false },
    ]),
  );
}

function fileVariables(file: string): Record<string, string | undefined> {
  try {
    return { ...parseEnv(readFileSync(file, 'utf8').replace(/^\ufeff/, '')) };
  } catch (error) {
    throw new UsageError([
      `The file ${file} cannot be read (${error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'}).`,
    ]);
  }
}

function blankAsUndefined(value: string | undefined): string | undefined {
  return value === undefined || value.trim() === '' ? undefined : value;
}
