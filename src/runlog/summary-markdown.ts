import { formatUsd, MAX_USD, picoFromUsd } from '../budget/money.ts';
import { duration } from '../run/duration.ts';
import { OutputPathError, parseOutputPath } from '../safety/output-path.ts';
import type { LogPlaces } from './log-places.ts';
import { anchorOf, codeSpan, containedMarkdown, type Frame, plainText } from './markdown.ts';
import type { Summary } from './summary.ts';

/** What a document can show and still open quickly; the whole is in summary.json. */
const MAX_ROWS = 300;
const MAX_RESULT = 6000;
const MAX_ALL_RESULTS = 200_000;
const TITLE = 160;
const CELL = 240;

/** summary.md, in pieces that follow each other. */
export function* summaryMarkdown(summary: Summary, places: LogPlaces): Generator<string> {
  yield `# ${plainText(summary.objective, TITLE)}\n\n`;
  yield verdict(summary);
  yield facts(summary);
  yield criteria(summary);
  yield* tasks(summary, places);
  if (summary.results.length > 0) yield '## Results\n\n';
  yield* resultSections(summary.results, { level: 3, file: '' });
  yield requests(summary);
  yield unanswered(places);
  yield suppressed(summary);
  yield decisions(summary);
  yield hosts(summary);
  yield files(summary);
}

/** The results, each below a heading that is its task's id, cut where they get long. */
export function* resultSections(
  results: Summary['results'],
  place: { level: number; file: string },
): Generator<string> {
  const known = new Set(results.map(({ task_id }) => task_id));
  const frame: Frame = { prefix: '> ', lower: place.level, tasks: known, file: place.file };
  let room = MAX_ALL_RESULTS;
  for (const [index, { task_id, task_text, result_text }] of results.entries()) {
    if (room <= 0) {
      yield `${results.length - index} more results are in [results.json](results.json).\n\n`;
      return;
    }
    const shown = result_text.slice(0, Math.min(MAX_RESULT, room));
    room -= shown.length;
    yield `${'#'.repeat(place.level)} ${plainText(task_id, 40)}\n\n**${plainText(task_text, 1000)}**\n\n`;
    yield `${containedMarkdown(shown, frame).join('\n')}\n\n`;
    if (shown.length < result_text.length) yield '*Cut here; the whole is in [results.json](results.json).*\n\n';
  }
}

function verdict(summary: Summary): string {
  const { stop_reason, detail, meaning, next, error, continue_with } = summary;
  if (stop_reason === null) return 'The run has not ended.\n\n';
  const sentences = [
    `**\`${stop_reason}\`** · ${plainText(meaning ?? '', 600)}`,
    plainText(detail ?? '', 600),
    `**Next:** ${plainText(next ?? '', 600)}`,
  ];
  const parts = [sentences.filter((sentence) => sentence !== '').join(' ')];
  if (error && error.message !== detail)
    parts.push(`Error ${codeSpan(error.class, 80)}: ${plainText(error.message, 1000)}`);
  if (!summary.end_is_logged)
    parts.push('The log could not be written to its end: the last events are missing from it.');
  const note = providerNote(summary);
  if (note !== null) parts.push(note);
  if (summary.forked_from) {
    const { run_id, iteration } = summary.forked_from;
    parts.push(
      `Forked from run ${codeSpan(run_id, 80)} after iteration ${iteration}: what came before is on the books of that run, and in no figure here.`,
    );
  }
  parts.push('The answer is in [answer.md](answer.md).');
  if (continue_with !== null) parts.push(`To go on in the terminal: ${codeSpan(continue_with, 1000)}`);
  return `${parts.join('\n\n')}\n\n`;
}

/** Where no language model was asked, so that nobody takes such a run for a real one. */
export function providerNote({ models }: Summary): string | null {
  switch (models.provider) {
    case 'openai':
      return null;
    case 'rehearsal':
      return 'A rehearsal: a built-in program answered, no language model. Costs are what the chosen model would cost; nothing was spent.';
    case 'vscode-lm':
      return 'A language model of VS Code answered: what it costs is included in what you have with its provider, and not known here.';
  }
}

function facts(summary: Summary): string {
  const { cost, iterations, task_counts, requests, tokens, models } = summary;
  const held = cost.held_usd > 0 ? ` and ${money(cost.held_usd)} held` : '';
  const reserved = cost.reserved_usd > 0 ? ` and ${money(cost.reserved_usd)} reserved` : '';
  const rows: [string, string | null][] = [
    [
      'Spent',
      cost.note ??
        `${money(cost.settled_usd)}${held}${reserved} of ${money(cost.limit_usd)}; ${money(cost.free_usd)} free`,
    ],
    [
      'Cost per result',
      cost.note === null && summary.cost_per_result_usd !== null ? money(summary.cost_per_result_usd) : null,
    ],
    ['Iterations', `${iterations.done} of ${iterations.limit}`],
    [
      'Tasks',
      Object.entries(task_counts)
        .flatMap(([state, count]) => (count > 0 ? [`${count} ${state}`] : []))
        .join(', '),
    ],
    [
      'Active time',
      `${duration(summary.active_ms, 'fine')}${summary.epochs > 1 ? ` in ${summary.epochs} sittings` : ''}`,
    ],
    ['Started', time(summary.started_at)],
    ['Ended', summary.ended_at === null ? null : time(summary.ended_at)],
    ['Strategy', summary.strategy],
    ['Model', modelWords(models)],
    [
      'Fingerprints',
      models.system_fingerprints.map((one) => `${codeSpan(one.system_fingerprint, 80)} (${one.calls})`).join(', '),
    ],
    ['Requests', requests.limit === null ? null : `${whole(requests.made)} of ${whole(requests.limit)}`],
    ['Tokens', tokenWords(tokens)],
    [
      'Secrets redacted',
      summary.redactions.total === 0
        ? null
        : Object.entries(summary.redactions.by_rule)
            .map(([rule, count]) => `${count} ${plainText(rule, 40)}`)
            .join(', '),
    ],
    ['Run', codeSpan(summary.run_id, 80)],
  ];
  return table(
    ['', ''],
    rows.flatMap(([name, value]) => (value === null || value === '' ? [] : [[name, value]])),
  );
}

function tokenWords({ input, cached, output, held, reserved, limit }: Summary['tokens']): string {
  const open = `${held > 0 ? `, ${whole(held)} held` : ''}${reserved > 0 ? `, ${whole(reserved)} reserved` : ''}`;
  const used = limit === null ? '' : `; ${whole(input + output + held + reserved)} of ${whole(limit)}`;
  return `${whole(input)} in (${whole(cached)} cached), ${whole(output)} out${limit === null ? '' : open}${used}`;
}

function modelWords({ requested, answered }: Summary['models']): string {
  const exact = answered.map(({ model, calls }) => `${codeSpan(model, 100)} (${calls})`).join(', ');
  return `${codeSpan(requested, 100)} asked${exact === '' ? '' : `; answered: ${exact}`}`;
}

function criteria({ acceptance_criteria }: Summary): string {
  if (acceptance_criteria.length === 0) return '';
  const words = (met: boolean | null) => (met === null ? 'not judged' : met ? 'met' : 'not met');
  return `## Acceptance criteria\n\n${table(
    ['Criterion', 'As last judged'],
    acceptance_criteria.map(({ text, met }) => [plainText(text, 1000), words(met)]),
  )}`;
}

function* tasks(summary: Summary, log: LogPlaces): Generator<string> {
  if (summary.tasks.length === 0) return;
  const places = new Map(summary.queue.map((id, index) => [id, index + 1]));
  const shown = new Set(summary.results.map(({ task_id }) => task_id));
  const stateOf = ({ task_id, state, error, removed_why, blocked_why }: Summary['tasks'][number]) => {
    const why = error?.message ?? removed_why ?? blocked_why;
    const place = places.get(task_id);
    const link = log.tasks.get(task_id);
    return `${link === undefined ? state : `[${state}](${link})`}${place === undefined ? '' : `, no. ${place} of the queue`}${why === null ? '' : `: ${plainText(why, CELL)}`}`;
  };
  yield '## Tasks\n\n| | Task | State | Iteration | From |\n|---|---|---|---:|---|\n';
  for (const task of summary.tasks.slice(0, MAX_ROWS)) {
    const id = plainText(task.task_id, 40);
    const name = shown.has(task.task_id) ? `[${id}](#${anchorOf(id)})` : id;
    const from = task.created_by === 'loop' ? plainText(task.parent_task_id ?? 'loop', 40) : task.created_by;
    yield `${row([name, plainText(task.text, CELL), stateOf(task), `${task.iteration ?? ''}`, from])}\n`;
  }
  yield `\n${andMore(summary.tasks.length)}`;
}

function requests({ agents, cost }: Summary): string {
  if (agents.length === 0) return '';
  const ms = (value: number | undefined) => (value === undefined ? '' : duration(value, 'fine'));
  const rows = agents.map((one) => [
    one.agent,
    requestCount(one),
    whole(one.input_tokens),
    whole(one.output_tokens),
    cost.note ?? money(one.cost_usd),
    ms(one.latency_ms?.p50),
    ms(one.latency_ms?.p95),
    ms(one.latency_ms?.max),
  ]);
  return `## Requests\n\n${table(['Agent', 'Requests', 'Tokens in', 'Tokens out', 'Cost', 'Median', '95 %', 'Longest'], rows, 1)}`;
}

function requestCount({ calls, held, released }: Summary['agents'][number]): string {
  const unanswered = [held > 0 ? `${held} held` : '', released > 0 ? `${released} released` : ''].filter(
    (words) => words !== '',
  );
  return `${calls}${unanswered.length > 0 ? ` (${unanswered.join(', ')})` : ''}`;
}

function unanswered({ unanswered: calls }: LogPlaces): string {
  if (calls.length === 0) return '';
  const rows = calls
    .slice(0, MAX_ROWS)
    .map(({ id, link, agent, taskId, iteration, status, error }) => [
      `[${plainText(id, 40)}](${link})`,
      agent,
      plainText(taskId ?? '', 40),
      `${iteration}`,
      `${status}${error === null ? '' : `: ${plainText(error.message, CELL)}`}`,
    ]);
  const more = calls.length <= MAX_ROWS ? '' : `${calls.length - MAX_ROWS} more are in [log/](log/).\n\n`;
  return `## Requests without an answer\n\n${table(['Request', 'Agent', 'Task', 'Iteration', 'What became of it'], rows)}${more}`;
}

const WHY = {
  same_text: 'same text',
  similar: 'similar',
  too_many: 'more than the limit of new tasks',
  queue_full: 'the queue was full',
} as const;

function suppressed(summary: Summary): string {
  if (summary.suppressed.length === 0) return '';
  const rows = summary.suppressed
    .slice(0, MAX_ROWS)
    .map(({ text, duplicate_of, similarity, why, iteration }) => [
      plainText(text, CELL),
      `${WHY[why]}${duplicate_of === null ? '' : ` as ${plainText(duplicate_of, 40)}`}${similarity === null ? '' : ` (${similarity.toFixed(3)})`}`,
      `${iteration}`,
    ]);
  return `## Tasks not taken up\n\n${table(['Proposed', 'Why not', 'Iteration'], rows)}${andMore(summary.suppressed.length)}`;
}

function decisions({ reviews, limit_raises, guidance }: Summary): string {
  const lines = [
    ...reviews.map(
      ({ review_id, decision, by, via, at }) =>
        `${time(at)}: review ${plainText(review_id, 40)}: ${decision} (${plainText(by, 40)}, ${plainText(via, 80)})`,
    ),
    ...limit_raises.map(
      ({ limit, from, to, by, at }) =>
        `${time(at)}: ${plainText(limit, 40)} ${from === null ? 'added:' : `from ${from} to`} ${to} (${plainText(by, 40)})`,
    ),
    ...guidance.map((text) => `Guidance: ${plainText(text, 1000)}`),
  ];
  return lines.length === 0 ? '' : `## Decisions\n\n${lines.map((line) => `- ${line}\n`).join('')}\n`;
}

function hosts({ hosts_contacted, notices }: Summary): string {
  const lost = notices.filter(({ status }) => status === 'failed').length;
  const undelivered = lost === 0 ? '' : `${lost} of ${notices.length} notices could not be delivered.\n\n`;
  if (hosts_contacted.length === 0) return `## Hosts contacted\n\nNone.\n\n${undelivered}`;
  const rows = hosts_contacted.map(({ origin, requests: count }) => [codeSpan(origin, 200), whole(count)]);
  return `## Hosts contacted\n\n${table(['Origin', 'Requests'], rows, 1)}${undelivered}`;
}

function files(summary: Summary): string {
  const written = summary.files
    .slice(0, MAX_ROWS)
    .map(({ name, bytes }) => `- ${outputLink(name)}: ${whole(bytes)} bytes\n`);
  return `## Files

- [answer.md](answer.md): the answer
- [summary.json](summary.json): all of this for programs
- [results.json](results.json): every stored result with its embedding
- [config.json](config.json): what the run was started with
- [log/](log/): every event; all other files are made from it
${written.join('')}`;
}

/** A link only where a run could have written the file: what a log says may be anybody's. */
function outputLink(name: string): string {
  const shown = codeSpan(`output/${name}`, 400);
  try {
    const { segments } = parseOutputPath(name);
    const address = segments
      .map(encodeURIComponent)
      .join('/')
      .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16)}`);
    return `[${shown}](output/${address})`;
  } catch (error) {
    if (error instanceof OutputPathError) return shown;
    throw error;
  }
}

function andMore(count: number): string {
  return count <= MAX_ROWS ? '' : `${count - MAX_ROWS} more are in [summary.json](summary.json).\n\n`;
}

/** Columns from `numbersFrom` on are aligned to the right. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  numbersFrom = Number.POSITIVE_INFINITY,
): string {
  const rule = head.map((_, index) => (index >= numbersFrom ? '---:' : '---'));
  return `${[row(head), row(rule), ...rows.map(row)].join('\n')}\n\n`;
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

export function money(usd: number): string {
  return Math.abs(usd) > MAX_USD ? `$${usd.toFixed(2)}` : formatUsd(picoFromUsd(usd));
}

function whole(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}

function time(iso: string): string {
  const [, day, clock] = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z$/.exec(iso) ?? [];
  return day === undefined ? plainText(iso, 40) : `${day} ${clock ?? ''} UTC`;
}
