// `npm run test:mutations`: takes one guard at a time out of a copy of the source, and expects a test of its own to fail.
// `npm run test:mutations -- fence redirect` tries only these. The last line is `N passed, N failed`.
// `--check` tries nothing: it fails where a guard is no longer found in the source.

import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url))));
const COPY = path.join(ROOT, 'out', 'mutations', String(process.pid));
const TIMEOUT_MS = 180_000;

/**
 * `changes`: what is replaced in the file, each found exactly once. `tests`: files below test/, of which one must fail;
 * `only`: part of the names of the tests that are run.
 */
const MUTATIONS = [
  {
    name: 'fence',
    guard: 'a process that was taken over sends nothing',
    file: 'src/runlog/owner.ts',
    changes: [['return !(await this.disk.exists(ownerFile(this.folder, this.number + 1)));', 'return true;']],
    tests: ['unit/runlog/owner.test.ts'],
  },
  {
    name: 'sync',
    guard: 'nothing is acknowledged before it is synced',
    file: 'src/runlog/writer.ts',
    changes: [['await this.file.sync();', 'await Promise.resolve();']],
    tests: ['faults/power.test.ts'],
  },
  {
    name: 'hold',
    guard: 'a request of unknown outcome stays booked',
    file: 'src/run/call.ts',
    changes: [["error.unbilled ? 'call.released' : 'call.held'", "'call.released'"]],
    tests: ['unit/run/limits.test.ts'],
    only: 'failures that may have been billed',
  },
  {
    name: 'replay-facts',
    guard: 'a replay takes no other fact for the recorded one',
    file: 'src/research/replay-log.ts',
    changes: [['if (place !== null) {', "if (place === '?') {"]],
    tests: ['unit/research/replay.test.ts'],
    only: 'random fact',
  },
  {
    name: 'experiment-cap',
    guard: 'no trial is begun that may bring its experiment above the cap',
    file: 'src/research/claims.ts',
    changes: [['if (all > picoFromUsd(record.spec.max_total_cost_usd)) return null;', 'if (all < 0n) return null;']],
    tests: ['unit/research/experiment.test.ts'],
    only: 'admits no trial',
  },
  {
    name: 'experiment-once',
    guard: 'the number of a claim is given once',
    file: 'src/research/claims.ts',
    changes: [["error.code === 'EEXIST') return false;", "error.code === 'EEXIST') return true;"]],
    tests: ['unit/research/experiment.test.ts'],
    only: 'gives a number',
  },
  {
    name: 'experiment-again',
    guard: 'a trial that is taken again may cost all of its limit again',
    file: 'src/research/experiment.ts',
    changes: [['run.epoch > (claim.resumes?.after_epoch ?? 0)', 'run.epoch > 0']],
    tests: ['unit/research/experiment.test.ts'],
    only: 'taken again',
  },
  {
    name: 'experiment-admitted',
    guard: 'no run of an experiment is gone on with that may cost more than was admitted',
    file: 'src/research/work-experiment.ts',
    changes: [['if (picoFromUsd(cap) > picoFromUsd(claim.max_cost_usd))', 'if (cap < 0)']],
    tests: ['unit/research/experiment.test.ts'],
    only: 'leaves a run alone',
  },
  {
    name: 'experiment-configured',
    guard: 'no run of an experiment is gone on with that is configured otherwise',
    file: 'src/research/work-experiment.ts',
    changes: [['if (!isConfiguredAs(host.redactor.redactJson(config), made))', 'if (made === null)']],
    tests: ['unit/research/experiment.test.ts'],
    only: 'another configuration',
  },
  {
    name: 'experiment-server',
    guard: 'in VS Code an experiment asks no server but that of the settings',
    file: 'src/vscode/experiment-check.ts',
    changes: [['return plain(baseUrl) === plain(serverOf(configured));', 'return true;']],
    tests: ['unit/vscode/experiment-check.test.ts'],
    only: 'cannot name another server',
  },
  {
    name: 'experiment-limits',
    guard: 'in VS Code the limits of an experiment are not above those of the settings',
    file: 'src/vscode/experiment-check.ts',
    changes: [['(value !== undefined && value <= most)', 'value !== undefined']],
    tests: ['unit/vscode/experiment-check.test.ts'],
    only: 'is refused where a limit is above',
  },
  {
    name: 'experiment-let-go',
    guard: 'a window that closes ends no trial',
    file: 'src/research/work-experiment.ts',
    changes: [['.map((session) => session.abandon())', ".map((session) => Promise.resolve(session.stop('signal')))"]],
    tests: ['unit/vscode/experiment-view.test.ts'],
    only: 'leaves its run as it is',
  },
  {
    name: 'fork-free',
    guard: 'a fork pays for nothing that the other run bought',
    file: 'src/run/state.ts',
    changes: [['calls.size - (config.forked_from?.calls ?? 0)', 'calls.size']],
    tests: ['unit/run/fork.test.ts'],
    only: 'its own limits',
  },
  {
    name: 'fork-pace',
    guard: 'a fork is reckoned by what it did itself',
    file: 'src/run/state.ts',
    changes: [['iterations.slice(config.forked_from?.iteration ?? 0)', 'iterations.slice(0)']],
    tests: ['unit/run/fork.test.ts'],
    only: 'is reckoned by what it did itself',
  },
  {
    name: 'review-calls',
    guard: 'a review that does not wait calls nobody',
    file: 'src/run/loop.ts',
    changes: [['parts.attended !== false : minutes > 0', 'true : true']],
    tests: ['unit/notify/outbox.test.ts'],
    only: 'of no review that does not wait',
  },
  {
    name: 'fork-whole',
    guard: 'a fork without its history is not resumed',
    file: 'src/engine/resume.ts',
    changes: [['if (config.forked_from && state.tasks.size === 0)', 'if (config.forked_from && state.tasks.size < 0)']],
    tests: ['unit/run/fork.test.ts'],
    only: 'cut off and resumed',
  },
  {
    name: 'replay-outside',
    guard: 'what a person does after a request was made comes after it in a replay',
    file: 'src/research/replay-script.ts',
    changes: [['|| event.seq > seen', '']],
    tests: ['unit/research/replay.test.ts'],
    only: 'in hand',
  },
  {
    name: 'redirect',
    guard: 'redirects are refused',
    file: 'src/safety/egress.ts',
    changes: [["if (status >= 300 && status < 400) return fail('redirect_refused', `status ${status}`);", '']],
    tests: ['faults/egress.test.ts', 'faults/canary.test.ts'],
    only: 'redirect',
  },
  {
    name: 'nofollow-folders',
    guard: 'folders on the way to a file are opened without following links',
    file: 'src/safety/sandbox-directory.ts',
    changes: [
      [
        'constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW',
        'constants.O_RDONLY | constants.O_DIRECTORY',
      ],
    ],
    tests: ['faults/sandbox.test.ts'],
  },
  {
    name: 'nofollow-files',
    guard: 'a new file is not opened through a link',
    file: 'src/safety/sandbox-directory.ts',
    changes: [['createFlags: constants.O_NOFOLLOW,', 'createFlags: 0,']],
    tests: ['faults/sandbox.test.ts'],
  },
  {
    name: 'line-separator',
    guard: 'no character of a text can split a line of the log',
    file: 'src/runlog/line.ts',
    changes: [['/[^\\x20-\\x7e]/g', '/[^\\x20-\\x7e\\u2028]/g']],
    tests: ['faults/torn.test.ts'],
    only: 'come back as they were',
  },
  {
    name: 'counted',
    guard: 'usage is booked at no less than was counted',
    file: 'src/budget/reservation.ts',
    changes: [
      ['Math.max(reported.inputTokens, counted?.inputTokens ?? 0)', 'reported.inputTokens'],
      ['Math.max(reported.outputTokens, counted?.outputTokens ?? 0)', 'reported.outputTokens'],
    ],
    tests: ['unit/budget/reservation.test.ts'],
  },
  {
    name: 'reserve-first',
    guard: 'a request waits until its reservation is durable',
    file: 'src/run/call.ts',
    changes: [['await log.barrier();', 'log.barrier().catch(() => {});']],
    tests: ['faults/power.test.ts'],
  },
  {
    name: 'monotonic',
    guard: 'limits and latencies are measured by a clock that nobody sets',
    file: 'src/run/clock.ts',
    changes: [['monotonic: () => performance.now(),', 'monotonic: () => Date.now(),']],
    tests: ['faults/clock-process.test.ts'],
    only: 'time limit|healthy',
  },
  {
    name: 'wake-up',
    guard: 'an owner whose beats look old is seen silent before it is replaced',
    file: 'src/runlog/owner.ts',
    changes: [['const SEEN_SILENT_MS = 3000;', 'const SEEN_SILENT_MS = 0;']],
    tests: ['faults/clock-process.test.ts'],
    only: 'steal',
  },
  {
    name: 'quarantine',
    guard: 'a step that crashes the process is not tried for ever',
    file: 'src/run/call.ts',
    changes: [['const MAX_INTERRUPTIONS = 3;', 'const MAX_INTERRUPTIONS = Infinity;']],
    tests: ['unit/run/resume.test.ts'],
    only: 'quarantine',
  },
  {
    name: 'key-origin',
    guard: 'a key is given to its own origin only',
    file: 'src/cli.ts',
    changes: [['origin === keyOrigin ? key : null', 'origin === null ? null : key']],
    tests: ['faults/archive.test.ts'],
    only: 'without the key',
  },
  {
    name: 'foreign-server',
    guard: 'a folder that names another server is not resumed with the key',
    file: 'src/terminal/key-origin.ts',
    changes: [['if (!isLoopback(new URL(baseUrl)', 'if (false && !isLoopback(new URL(baseUrl)']],
    tests: ['faults/archive.test.ts'],
    only: 'nobody named',
  },
  {
    name: 'redact-then-cut',
    guard: 'what a server says is redacted before it is cut to length',
    file: 'src/models/openai.ts',
    changes: [
      ['this.options.redact(text.slice(0, MAX_ERROR_BODY))', 'text'],
      ['return this.options.redact(said.slice(0, MAX_ERROR_BODY)).slice(0, 200);', 'return said.slice(0, 200);'],
    ],
    tests: ['faults/canary.test.ts'],
    only: 'cut in the middle|fingerprint',
  },
  {
    name: 'redact-errors',
    guard: 'what ends the program is redacted before it is said',
    file: 'src/cli.ts',
    changes: [['printable(redactor.redact(sentence), SENTENCE)', 'printable(sentence, SENTENCE)']],
    tests: ['faults/canary.test.ts'],
    only: 'said back|nobody',
  },
  {
    name: 'redact-log',
    guard: 'every event is redacted before it is written',
    file: 'src/engine/session.ts',
    changes: [
      [
        'const redact = (draft: EventDraft): EventDraft => redactDraft(redactor, draft);',
        'const redact = (draft: EventDraft): EventDraft => (redactor ? draft : redactDraft(redactor, draft));',
      ],
    ],
    tests: ['faults/canary.test.ts'],
    only: 'a person and a model can say',
  },
  {
    name: 'links-in-a-run',
    guard: 'links in a run folder are not followed',
    file: 'src/runlog/disk.ts',
    changes: [
      ['if (stats?.isSymbolicLink())', 'if (stats === undefined)'],
      ['| (flags.O_NOFOLLOW ?? 0) ', ''],
    ],
    tests: ['faults/archive.test.ts'],
    only: 'link',
  },
  {
    name: 'first-use',
    guard: 'no file is written before a person approved it',
    file: 'src/run/loop.ts',
    changes: [['        await askFor(parts, firstUseReview(log.state, task, result));\n', '']],
    tests: ['unit/run/review-run.test.ts'],
    only: 'first file',
  },
  {
    name: 'first-use-order',
    guard: 'a person is asked before a file is written, not after',
    file: 'src/run/loop.ts',
    changes: [
      [
        '        await askFor(parts, firstUseReview(log.state, task, result));\n        await parts.keepFiles(task, result);\n',
        '        await parts.keepFiles(task, result);\n        await askFor(parts, firstUseReview(log.state, task, result));\n',
      ],
    ],
    tests: ['faults/crash-seam.test.ts'],
    only: 'no file after a stop',
  },
  {
    name: 'first-use-digest',
    guard: 'an approval is for the answer that was shown',
    file: 'src/run/review.ts',
    changes: [['firstUse === null ? [] : [firstUse.tool, firstUse.call_id]', '[]']],
    tests: ['unit/run/review.test.ts'],
  },
  {
    name: 'cost-step',
    guard: 'a review comes when so much is spent',
    file: 'src/run/review.ts',
    changes: [['if (step > 0 && spent >= picoFromUsd(step))', 'if (step < 0)']],
    tests: ['unit/run/review-run.test.ts'],
    only: 'so much is spent',
  },
  {
    name: 'review-time',
    guard: 'a reload does not start the time of a review again',
    file: 'src/run/fold.ts',
    changes: [
      ['return Math.max(earlierMs - review.sinceMs, Date.parse(event.ts) - Date.parse(review.since));', 'return 0;'],
    ],
    tests: ['unit/run/review-run.test.ts'],
    only: 'counts the time',
  },
  {
    name: 'review-stop',
    guard: 'a stop at a review holds where the process dies before the end',
    file: 'src/run/fold.ts',
    changes: [["if (event.decision === 'stop') state.stopAtReview = true;\n      else if", 'if']],
    tests: ['unit/run/review-run.test.ts'],
    only: 'died before the end',
  },
  {
    name: 'review-unspent',
    guard: 'nothing is bought while a person is waited for',
    file: 'src/engine/ending.ts',
    changes: [['state.review === null &&', '']],
    tests: ['unit/run/review-run.test.ts'],
    only: 'nobody can answer',
  },
  {
    name: 'mail-tls',
    guard: 'nothing leaves for a mail server elsewhere without TLS',
    file: 'src/notify/email.ts',
    changes: [['requireTLS: !this.secured && !isHere,', 'requireTLS: false,']],
    tests: ['faults/notices.test.ts'],
    only: 'offers no TLS',
  },
  {
    name: 'mail-starttls-verified',
    guard: 'a mail server proves its name under STARTTLS',
    file: 'src/notify/email.ts',
    changes: [['tls: { rejectUnauthorized: true },', 'tls: { rejectUnauthorized: false },']],
    tests: ['faults/notices.test.ts'],
    only: 'smtp\\)',
  },
  {
    name: 'mail-tls-verified',
    guard: 'a mail server proves its name where TLS begins at once',
    file: 'src/safety/egress.ts',
    changes: [
      [
        '              rejectUnauthorized: true,\n            });',
        '              rejectUnauthorized: false,\n            });',
      ],
    ],
    tests: ['faults/notices.test.ts'],
    only: 'smtps\\)',
  },
  {
    name: 'mail-gate',
    guard: 'only the mail server that was set is connected to',
    file: 'src/safety/egress.ts',
    changes: [
      ['this.#admit(() => parseMailServer(server))', '{ origin: parseMailServer(server), allowPrivate: true }'],
    ],
    tests: ['faults/notices.test.ts'],
    only: 'email reaches only where it was set to',
  },
  {
    name: 'mail-address',
    guard: 'a mail server is not connected to at an address that does not fit its name',
    file: 'src/safety/egress.ts',
    changes: [
      [
        'lookup: this.#checkedLookup(origin, allowPrivate),',
        'lookup: (hostname, _options, callback) => this.#lookup(hostname, { all: true }, callback),',
      ],
    ],
    tests: ['faults/notices.test.ts'],
    only: 'leads to 0.0.0.0',
  },
  {
    name: 'mail-silent',
    guard: 'what a mail server said is not told',
    file: 'src/notify/email.ts',
    changes: [
      [
        'return [`smtp_${responseCode}`, `${what} with ${responseCode}`,',
        'return [`smtp_${responseCode}`, `${what} with ${responseCode} ${arguments[0].response}`,',
      ],
    ],
    tests: ['faults/notices.test.ts'],
    only: 'wrong password',
  },
  {
    name: 'lanes',
    guard: 'a channel that fails holds up no other one',
    file: 'src/notify/outbox.ts',
    changes: [
      [
        'const before = this.working.get(channel) ?? Promise.resolve();',
        'const before = Promise.all(this.working.values());',
      ],
    ],
    tests: ['unit/notify/outbox.test.ts'],
    only: 'holds none up',
  },
  {
    name: 'leftovers',
    guard: 'what a dead process did not deliver, the next owner does',
    file: 'src/notify/outbox.ts',
    changes: [['    for (const { id } of log.state.notices.values()) this.deliverSoon(id);\n', '']],
    tests: ['faults/crash-seam.test.ts'],
    only: 'no news untold',
  },
  {
    name: 'outcomes',
    guard: 'a notice that one channel has is still owed to the others',
    file: 'src/run/fold.ts',
    changes: [['  if (outcomes.includes(undefined)) return;\n', '']],
    tests: ['unit/notify/outbox.test.ts'],
    only: 'leaves to the next owner',
  },
  {
    name: 'pulse-order',
    guard: 'nothing says that a run lives beside what says that it ended',
    file: 'src/notify/outbox.ts',
    changes: [[' || this.working.has(channel)) return;', ') return;']],
    tests: ['unit/notify/outbox.test.ts'],
    only: 'keeps what says that a run lives',
  },
  {
    name: 'signature-time',
    guard: 'an old notice is not taken for a new one',
    file: 'src/notify/json-webhook.ts',
    changes: [['`${message.id}.${timestamp}.${body}`', '`${message.id}.${body}`']],
    tests: ['unit/notify/json-webhook.test.ts'],
  },
  {
    name: 'incident-over',
    guard: 'an incident is resolved when the run goes on',
    file: 'src/notify/pagerduty.ts',
    changes: [["    case 'continued':\n", '']],
    tests: ['unit/notify/pagerduty.test.ts'],
  },
  {
    name: 'goes-on',
    guard: 'it is told that a run goes on after a review',
    file: 'src/run/loop.ts',
    changes: [["  if (waited) log.append(...parts.noticeOf('continued', GOES_ON));\n", '']],
    tests: ['unit/notify/outbox.test.ts'],
    only: 'goes on where a person approved',
  },
  {
    name: 'dead-man-end',
    guard: "a dead-man's switch does not miss a run that has ended",
    file: 'src/notify/dead-man.ts',
    changes: [["return [standing?.reason === 'stopped_at_review' ? '' : '/start'];", "return ['/start'];"]],
    tests: ['unit/notify/dead-man.test.ts'],
  },
  {
    name: 'metrics-host',
    guard: 'a page in a browser reads no metrics',
    file: 'src/telemetry/endpoint.ts',
    changes: [['if (!isThisMachine(request.headers.host))', 'if (!isThisMachine("localhost"))']],
    tests: ['unit/telemetry/endpoint.test.ts'],
  },
  {
    name: 'metrics-here',
    guard: 'metrics are served to this machine only',
    file: 'src/telemetry/endpoint.ts',
    changes: [["const HERE = '127.0.0.1';", "const HERE = '0.0.0.0';"]],
    tests: ['unit/telemetry/endpoint.test.ts'],
  },
  {
    name: 'mail-on-record',
    guard: 'who gets mail is not on record',
    file: 'src/research/environment.ts',
    changes: [['|AUTH|HEADERS|EMAIL|DEAD_MAN/i', '|AUTH/i']],
    tests: ['unit/research/environment.test.ts'],
  },
  {
    name: 'headers-origin',
    guard: 'the headers for traces go only to the origin that they were entered for',
    file: 'src/vscode/keys.ts',
    changes: [
      [
        "return this.get(HEADERS_PREFIX + origin, 'otlp_headers');",
        "return this.get([...this.read.keys()].find((key) => key.startsWith(HEADERS_PREFIX)) ?? HEADERS_PREFIX + origin, 'otlp_headers');",
      ],
    ],
    tests: ['unit/vscode/keys.test.ts'],
  },
  {
    name: 'headers-redacted',
    guard: 'what follows a scheme in a header is a secret by itself',
    file: 'src/telemetry/collector.ts',
    changes: [["value.slice(value.lastIndexOf(' ') + 1)", 'value']],
    tests: ['unit/telemetry/collector.test.ts'],
  },
  {
    name: 'traces-short-end',
    guard: 'a collector that hangs does not hold up the end',
    file: 'src/telemetry/trace-exporter.ts',
    changes: [['await Promise.race([this.drain(), waited]);', 'await this.drain();']],
    tests: ['unit/telemetry/trace-exporter.test.ts'],
  },
  {
    name: 'traces-bounded',
    guard: 'spans that nobody takes do not pile up',
    file: 'src/telemetry/trace-exporter.ts',
    changes: [['if (this.waiting.size <= MOST_WAITING) return;', 'return;']],
    tests: ['unit/telemetry/trace-exporter.test.ts'],
  },
];

/** The tree without what is big or made: its own dist/ and out/, the packages of the tree. */
function copyTree() {
  mkdirSync(COPY, { recursive: true });
  for (const name of [
    'src',
    'test',
    'scripts',
    'media',
    'esbuild.mjs',
    'package.json',
    'package-lock.json',
    'package.nls.json',
    'tsconfig.json',
  ]) {
    if (existsSync(path.join(ROOT, name))) cpSync(path.join(ROOT, name), path.join(COPY, name), { recursive: true });
  }
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(COPY, 'node_modules'), 'junction');
  // The token ranks take a second to make, and are the same in every copy.
  mkdirSync(path.join(COPY, 'dist'));
  const dist = path.join(ROOT, 'dist');
  const ranks = existsSync(dist) ? readdirSync(dist).filter((name) => name.endsWith('.ranks')) : [];
  for (const name of ranks) cpSync(path.join(dist, name), path.join(COPY, 'dist', name), { preserveTimestamps: true });
}

/** Builds the copy as it is and runs tests in it. */
function run(tests, only) {
  const kinds = [...new Set(tests.map((file) => file.split('/')[0]))];
  const url = JSON.stringify(pathToFileURL(path.join(COPY, 'esbuild.mjs')).href);
  const script = `const { build, buildTests } = await import(${url}); await build(); for (const kind of ${JSON.stringify(kinds)}) await buildTests(kind);`;
  const built = inCopy(['--input-type=module', '--eval', script]);
  if (built.status !== 0) throw new Error(`The copy cannot be built:\n${built.stderr}`);
  const files = tests.map((file) => path.join('out', file.replace(/\.ts$/, '.mjs')));
  const names = only === undefined ? [] : [`--test-name-pattern=${only}`];
  return inCopy(['--test-reporter=tap', ...names, '--test', ...files]);
}

function inCopy(args) {
  const { NODE_OPTIONS: _, NODE_TEST_CONTEXT: __, ...env } = process.env;
  return spawnSync(process.execPath, args, {
    cwd: COPY,
    env,
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    killSignal: 'SIGKILL',
    maxBuffer: 2 ** 28,
  });
}

/** How many tests passed and failed; a process that hangs has failed. */
function figures({ stdout, status }) {
  const count = (word) => Number(new RegExp(`^# ${word} (\\d+)$`, 'm').exec(stdout)?.[1] ?? 0);
  const first = /^\s*not ok \d+ - (.*)$/m.exec(stdout)?.[1] ?? '';
  return {
    passed: count('pass'),
    failed: status === null ? 1 : count('fail') + count('cancelled'),
    first: status === null ? 'it hangs' : first,
  };
}

function mutated({ file, changes }) {
  const text = readFileSync(path.join(ROOT, file), 'utf8');
  return changes.reduce((changed, [from, to]) => {
    if (changed.split(from).length !== 2)
      throw new Error(`${JSON.stringify(from)} is not found exactly once in ${file}: bring the mutation up to date.`);
    return changed.replace(from, () => to);
  }, text);
}

if (process.argv[2] === '--check') {
  for (const mutation of MUTATIONS) mutated(mutation);
  process.exit();
}
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !MUTATIONS.some((mutation) => mutation.name === name));
if (unknown.length > 0)
  throw new Error(
    `There is no mutation ${unknown.join(', ')}. There are: ${MUTATIONS.map(({ name }) => name).join(', ')}.`,
  );
const chosen = MUTATIONS.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
copyTree();
let [passed, failed] = [0, 0];
for (const mutation of chosen) {
  const { name, guard, file, tests, only } = mutation;
  const started = performance.now();
  const target = path.join(COPY, file);
  const original = readFileSync(target, 'utf8');
  let verdict;
  try {
    const sound = figures(run(tests, only));
    writeFileSync(target, mutated(mutation));
    const broken = figures(run(tests, only));
    if (sound.passed === 0 || sound.failed > 0)
      verdict = `its tests fail without it too (${sound.first || 'none was run'})`;
    else if (broken.failed === 0) verdict = 'no test noticed';
    else
      console.log(
        `killed    ${name}: ${guard} (${broken.failed} of ${sound.passed} tests failed, first: ${broken.first}; ${seconds(started)} s)`,
      );
  } catch (error) {
    verdict = error.message;
  } finally {
    writeFileSync(target, original);
  }
  if (verdict === undefined) passed += 1;
  else {
    failed += 1;
    console.log(`SURVIVED  ${name}: ${guard}. ${verdict} [${tests.join(', ')}] (${seconds(started)} s)`);
  }
}
rmSync(COPY, { recursive: true, force: true });
console.log(`\n${passed} passed, ${failed} failed`);
if (failed > 0) process.exitCode = 1;

function seconds(since) {
  return ((performance.now() - since) / 1000).toFixed(0);
}
