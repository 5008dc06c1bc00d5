import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { marked } from 'marked';
import type { EventDraft } from '../../../src/run/events.ts';
import { fold } from '../../../src/run/fold.ts';
import { codeSpan, containedMarkdown, plainText } from '../../../src/runlog/markdown.ts';
import { type LogPlaces, logPlaces } from '../../../src/runlog/log-places.ts';
import { Summary, summarize, summaryJson } from '../../../src/runlog/summary.ts';
import { summaryMarkdown } from '../../../src/runlog/summary-markdown.ts';
import {
  answered,
  ended,
  epochOpened,
  events,
  failedIteration,
  iteration,
  makeConfig,
  reserved,
  startOfRun,
  task,
  unanswered,
} from '../../support/run-events.ts';

const NOWHERE = { tasks: new Map(), unanswered: [] };
const summaryOf = (drafts: readonly EventDraft[], config = makeConfig()) => summarize(fold(config, events(...drafts)));
const markdownOf = (summary: Summary, places: LogPlaces = NOWHERE) => [...summaryMarkdown(summary, places)].join('');

const WHOLE_RUN: readonly EventDraft[] = [
  ...startOfRun(),
  ...iteration(1, 't1', 'A plan.', task('t2', 'Gather figures'), task('t3', 'Compare licences'), {
    type: 'task.suppressed',
    text: 'Gather the figures',
    duplicate_of: 't2',
    similarity: 0.95,
    why: 'similar',
    parent_task_id: 't1',
    iteration: 1,
  }),
  ...answered('p1', '{}', { agent: 'planning', latencyMs: 100, costUsd: 0.0005, fingerprint: 'fp_1' }),
  ...answered('p2', '{}', { agent: 'planning', latencyMs: 400, costUsd: 0.0005, fingerprint: 'fp_1' }),
  ...answered('p3', '{}', { agent: 'planning', latencyMs: 200, costUsd: 0.0005 }),
  ...unanswered('p4', 'held', 'No answer.', { agent: 'planning', reservedUsd: 0.003 }),
  ...unanswered('p5', 'released', 'Refused.', { agent: 'planning' }),
  ...failedIteration(2, 't3', 'No answer within 120 s.'),
  { type: 'limit.raised', limit: 'max_cost_usd', from: 1, to: 2, by: 'user' },
  { type: 'review.requested', review_id: 'r2', iteration: 2, digest: 'd', why: 'every 2' },
  { type: 'review.decided', review_id: 'r2', digest: 'd', decision: 'approve', by: 'user', via: 'panel' },
  { type: 'notice.queued', notice_id: 'n1', kind: 'review', text: 'Look.' },
  { type: 'notice.sent', notice_id: 'n1', channel: 'slack', origin: 'https://hooks.example' },
  { type: 'file.written', name: 'figures.csv', sha256: 'a'.repeat(64), bytes: 12, task_id: 't1' },
  reserved('open', { reservedUsd: 0.004 }),
  ended('max_cost', 'The planning request needs more.'),
];

describe('the summary of a run', () => {
  it('says what was spent, by whom, and what came of it', () => {
    const summary = summaryOf(WHOLE_RUN);
    assert.deepEqual(Summary.parse(JSON.parse([...summaryJson(summary)].join(''))), summary, 'the file is the object');
    assert.equal(summary.stop_reason, 'max_cost');
    assert.equal(summary.events, WHOLE_RUN.length);
    assert.deepEqual(summary.cost, {
      settled_usd: 0.0025,
      held_usd: 0.003,
      reserved_usd: 0.004,
      limit_usd: 2,
      free_usd: 1.9905,
      note: null,
    });
    assert.equal(summary.cost_per_result_usd, 0.0055);
    assert.deepEqual(summary.iterations, { done: 2, limit: 10 });
    assert.deepEqual(summary.task_counts, { pending: 1, blocked: 0, running: 0, done: 1, failed: 1, removed: 0 });
    assert.deepEqual(summary.queue, ['t2']);
    assert.deepEqual(summary.results, [{ task_id: 't1', task_text: 'Develop a task list', result_text: 'A plan.' }]);
    assert.deepEqual(
      summary.tasks.map(({ task_id, state, created_by, parent_task_id, iteration: taken, error }) => [
        task_id,
        state,
        created_by,
        parent_task_id,
        taken,
        error?.message,
      ]),
      [
        ['t1', 'done', 'initial', null, 1, undefined],
        ['t2', 'pending', 'loop', 't1', null, undefined],
        ['t3', 'failed', 'loop', 't1', 2, 'No answer within 120 s.'],
      ],
    );
    assert.deepEqual(summary.suppressed, [
      { text: 'Gather the figures', duplicate_of: 't2', similarity: 0.95, why: 'similar', iteration: 1 },
    ]);
    const planning = summary.agents.find(({ agent }) => agent === 'planning');
    assert.deepEqual(planning, {
      agent: 'planning',
      calls: 5,
      settled: 3,
      held: 1,
      released: 1,
      input_tokens: 300,
      cached_tokens: 0,
      output_tokens: 150,
      cost_usd: 0.0045,
      latency_ms: { mean: 233.3, p50: 200, p95: 400, max: 400 },
    });
    assert.deepEqual(summary.requests, { made: 7, limit: null });
    assert.deepEqual(summary.tokens, { input: 400, cached: 0, output: 200, held: 1500, reserved: 1500, limit: null });
    assert.deepEqual(summary.models.answered, [{ model: 'gpt-4.1-mini-2025-04-14', calls: 4 }]);
    assert.deepEqual(summary.models.system_fingerprints, [{ system_fingerprint: 'fp_1', calls: 2 }]);
    assert.deepEqual(summary.hosts_contacted, [
      { origin: 'https://api.openai.com', requests: 7 },
      { origin: 'https://hooks.example', requests: 1 },
    ]);
    assert.deepEqual(
      summary.iteration_records.map(({ iteration: number, failed, created, suppressed, queue }) => [
        number,
        failed,
        created,
        suppressed,
        queue,
      ]),
      [
        [1, false, 2, 1, 2],
        [2, true, 0, 0, 1],
      ],
    );
    assert.deepEqual(
      summary.limit_raises.map(({ limit, from, to }) => [limit, from, to]),
      [['max_cost_usd', 1, 2]],
    );
    assert.deepEqual(
      summary.reviews.map(({ decision, via }) => [decision, via]),
      [['approve', 'panel']],
    );
    assert.deepEqual(summary.notices, [{ notice_id: 'n1', kind: 'review', status: 'sent', error: null }]);
    assert.deepEqual(summary.files, [{ name: 'figures.csv', bytes: 12, sha256: 'a'.repeat(64), task_id: 't1' }]);
  });

  it('takes its times from the events, over all epochs, and not from the clock', () => {
    const drafts = [
      ...startOfRun(),
      epochOpened({ segment: 1, cut_at: 10, tail_bytes: 0, tail: 'none' }),
      ended('stopped_by_user'),
    ];
    const summary = summaryOf(drafts);
    assert.equal(summary.started_at, '2025-01-02T03:04:05.000Z');
    assert.equal(summary.ended_at, '2025-01-02T03:04:09.000Z');
    assert.equal(summary.epochs, 2);
    assert.equal(summary.active_ms, 2000, 'one second in each epoch, none between them');
  });

  it('tells an end that could not be logged, and one that has not come', () => {
    const state = fold(makeConfig(), events(...startOfRun()));
    const lost = summarize(state, {
      reason: 'disk_full',
      detail: 'No space.',
      error: { class: 'ENOSPC', message: 'No space.' },
    });
    assert.deepEqual(
      [lost.stop_reason, lost.end_is_logged, lost.ended_at],
      ['disk_full', false, '2025-01-02T03:04:07.000Z'],
    );
    assert.match(markdownOf(lost), /disk_full[^]*The log could not be written/);
    const running = summarize(state);
    assert.deepEqual(
      [running.stop_reason, running.next, running.ended_at, running.continue_with],
      [null, null, null, null],
    );
    assert.match(markdownOf(running), /The run has not ended/);
    assert.equal(Summary.safeParse(lost).success && Summary.safeParse(running).success, true);
  });

  it('says how much of the limits of requests and of tokens was used, where the run has them', () => {
    const drafts = [...startOfRun(), ...answered('c1', 'A plan.'), reserved('c2'), ended('max_tokens')];
    assert.doesNotMatch(markdownOf(summaryOf(drafts)), /\| Requests \| \d+ of|000 of/);
    const limits = { ...makeConfig().limits, max_requests: 60, max_tokens: 90_000 };
    const summary = summaryOf(drafts, makeConfig({ limits }));
    const { made, limit } = summary.requests;
    assert.deepEqual([made, limit, summary.tokens.limit], [2, 60, 90_000]);
    const { input, output, held, reserved: open } = summary.tokens;
    assert.ok(input + output > 0 && open > 0);
    const text = markdownOf(summary);
    assert.match(text, /\| Requests \| 2 of 60 \|/);
    const used = String(input + output + held + open).replace(/(?=\d{3}$)/, ',');
    assert.match(text, new RegExp(`\\| Tokens \\| .* reserved; ${used} of 90,000 \\|`));
    assert.match(summary.continue_with ?? '', / --add-tokens 90000$/);
  });

  it('tells of a limit that was added, and goes on by as much as it began with', () => {
    const drafts: EventDraft[] = [
      ...startOfRun(),
      { type: 'limit.added', limit: 'max_requests', to: 30, by: 'user' },
      { type: 'limit.raised', limit: 'max_requests', from: 30, to: 70, by: 'user' },
      ended('max_requests'),
    ];
    const summary = summaryOf(drafts);
    assert.deepEqual(
      summary.limit_raises.map(({ limit, from, to }) => [limit, from, to]),
      [
        ['max_requests', null, 30],
        ['max_requests', 30, 70],
      ],
    );
    assert.deepEqual([summary.limits.max_requests, summary.requests.limit], [70, 70]);
    assert.match(markdownOf(summary), /: max\\_requests added: 30 \(user\)\n.*: max\\_requests from 30 to 70 \(user\)/);
    assert.match(summary.continue_with ?? '', / --add-requests 30$/);
  });

  it('gives a command that goes on, as far again where a limit ended the run', () => {
    const folder = '.babyagi/runs/20250102T030405Z-compare-three-databases-7c9e';
    const commandAfter = (reason: Parameters<typeof ended>[0], config = makeConfig()) =>
      summaryOf([...startOfRun(), ended(reason)], config).continue_with;
    assert.equal(commandAfter('max_iterations'), `node dist/cli.js resume ${folder} --add-iterations 10`);
    assert.equal(commandAfter('max_cost'), `node dist/cli.js resume ${folder} --add-cost-usd 1`);
    assert.equal(commandAfter('max_wall_time'), `node dist/cli.js resume ${folder} --add-minutes 480`);
    assert.equal(commandAfter('stopped_by_user'), `node dist/cli.js resume ${folder}`);
    assert.equal(commandAfter('objective_complete'), null);
    const limits = { ...makeConfig().limits, max_iterations: 60_000 };
    assert.match(
      commandAfter('max_iterations', makeConfig({ limits })) ?? '',
      / --add-iterations 40000$/,
      'no further than the limit of limits',
    );
    const elsewhere = makeConfig({
      model: { ...makeConfig().model, base_url: 'https://llm.example/v1' },
      settings: { flags: { 'runs-dir': "/data/it's; rm -rf ~/" } },
    });
    assert.equal(
      commandAfter('stopped_by_user', elsewhere),
      `node dist/cli.js resume '/data/it'\\''s; rm -rf ~/20250102T030405Z-compare-three-databases-7c9e' --base-url https://llm.example/v1`,
    );
  });

  it('tells to approve the review that the run waits for, and only that', () => {
    const review = { type: 'review.requested', review_id: 'r1', iteration: 1, digest: 'd', why: 'due' } as const;
    const waits = summaryOf([...startOfRun(), review, ended('stopped_at_review')]);
    assert.match(waits.continue_with ?? '', / --approve-review$/);
    assert.match(`${waits.meaning} ${waits.next}`, /waits for a person .* Approve/);
    const done = summaryOf([...startOfRun(), ended('stopped_at_review')]);
    assert.doesNotMatch(`${done.continue_with} ${done.next}`, /approve/i);
  });

  it('names no host where only a program in the same process answered', () => {
    const summary = summaryOf([...startOfRun(), ...answered('c1', 'x', { origin: 'local:rehearsal' })]);
    assert.deepEqual(summary.hosts_contacted, []);
    assert.match(markdownOf(summary), /## Hosts contacted\n\nNone\./);
  });

  it('counts the marks of redacted secrets that are on record', () => {
    const config = makeConfig({ objective: 'Use [REDACTED:api_key:0a1b2c3d:51] well' });
    const mark = '[REDACTED:jwt:0a1b2c3d:120]';
    const summary = summaryOf([...startOfRun(), ...iteration(1, 't1', `${mark} and ${mark}, not [REDACTED:]`)], config);
    assert.deepEqual(summary.redactions, { total: 3, by_rule: { api_key: 1, jwt: 2 } });
  });
});

describe('summary.json', () => {
  it('is ASCII, without line ends that an editor asks about, and says the same', () => {
    const text = 'é\u2028\u2029\ud800';
    const config = makeConfig({ objective: text });
    const summary = summarize(fold(config, events(...startOfRun(), ...iteration(1, 't1', text))));
    const json = [...summaryJson(summary)].join('');
    assert.match(json, /^[\n\x20-\x7e]*$/);
    assert.deepEqual(JSON.parse(json), summary);
    assert.ok(json.includes('\\u2028'));
  });
});

describe('summary.md', () => {
  it('leads with the objective and the verdict, and links every result', () => {
    const text = markdownOf(summaryOf(WHOLE_RUN));
    const lines = text.split('\n');
    assert.equal(lines[0], '# Compare three databases');
    assert.match(
      lines[2] ?? '',
      /^\*\*`max_cost`\*\* · The next request did not fit .* The planning request needs more\. \*\*Next:\*\* /,
    );
    assert.match(text, /\| Spent \| \$0\.0025 and \$0\.0030 held and \$0\.0040 reserved of \$2\.00; \$1\.99 free \|/);
    assert.match(text, /\| \[t1\]\(#t1\) \| Develop a task list \| done \| 1 \| initial \|/);
    assert.match(text, /\n### t1\n\n\*\*Develop a task list\*\*\n\n> A plan\.\n/);
    assert.match(text, /\| t3 \| Compare licences \| failed: No answer within 120 s\. \| 2 \| t1 \|/);
    assert.match(text, /\| planning \| 5 \(1 held, 1 released\) \|/);
    assert.match(text, /\| Gather the figures \| similar as t2 \(0\.950\) \| 1 \|/);
    assert.match(text, /2025-01-02 03:04:05 UTC/);
    assert.match(text, /\[`output\/figures\.csv`\]\(output\/figures\.csv\): 12 bytes/);
  });

  it('links the files that a run can have written, and no name that only claims to be one', () => {
    const written = (name: string): EventDraft => ({
      type: 'file.written',
      name,
      sha256: 'a'.repeat(64),
      bytes: 1,
      task_id: 't1',
    });
    const names = ["Plan (v2) #1 100%'s.md", 'données/[a](b).csv', '../config.json', 'a\u202eb', 'https://e.example/x'];
    const text = markdownOf(summaryOf([...startOfRun(), ...names.map(written)]));
    assertHarmless(text);
    const list = text
      .slice(text.indexOf('## Files'))
      .split('\n')
      .slice(-names.length - 1, -1);
    const html = marked.parse(list.join('\n'), { async: false });
    assert.deepEqual(
      [...html.matchAll(/href="([^"]*)"/g)].map(([, address = '']) => decodeURIComponent(address)),
      ["output/Plan (v2) #1 100%'s.md", 'output/données/[a](b).csv'],
    );
    assert.match(list[0] ?? '', /\(output\/Plan%20%28v2%29%20%231%20100%25%27s\.md\)/);
    assert.match(list[2] ?? '', /^- `output\/\.\.\/config\.json`: 1 bytes$/);
  });

  it('stays a document that opens, however long the run was', () => {
    const drafts: EventDraft[] = startOfRun();
    for (let n = 2; n <= 600; n++) drafts.push(task(`t${n}`, `Task ${n} ${'long '.repeat(300)}`));
    for (let n = 1; n <= 5; n++)
      drafts.push(...iteration(n, `t${n}`, `${'`|<b>\n'.repeat(10)}${'x'.repeat(1_000_000)}`));
    const summary = summaryOf([...drafts, ended('queue_empty')]);
    const text = markdownOf(summary);
    assert.ok(text.length < 400_000, `${text.length} characters`);
    assert.equal(text.match(/^\| \[?t\d/gm)?.length, 300);
    assert.match(text, /\n300 more are in \[summary\.json\]/);
    assert.equal(text.match(/Cut here; the whole is in/g)?.length, 5);
    assert.equal(summary.results[0]?.result_text.length, 1_000_060);
  });

  it('keeps its structure whatever the texts in it are', () => {
    const hostile =
      'a | b\n\n# Heading\n<script>alert(1)</script> `x` ![i](https://e.example/p.png) [l](javascript:x) \u202egnp.exe\u0007 <!-- ';
    const config = makeConfig({
      objective: hostile,
      acceptance_criteria: [hostile],
      model: { ...makeConfig().model, requested: '`a`|b' },
    });
    const drafts: EventDraft[] = [
      ...startOfRun(),
      ...iteration(1, 't1', `\`\`\`\n</pre>\n${hostile}`, task('t2', hostile)),
      ...failedIteration(2, 't2', hostile),
      {
        type: 'task.suppressed',
        text: hostile,
        duplicate_of: hostile,
        similarity: null,
        why: 'same_text',
        parent_task_id: null,
        iteration: 2,
      },
      { type: 'guidance.given', text: hostile, by: 'user' },
      ...unanswered('y', 'released', hostile, { taskId: hostile }),
      ...answered('x', hostile, { model: hostile, fingerprint: hostile, origin: hostile }),
      { type: 'run.ended', stop_reason: 'error', error: { class: hostile, message: hostile }, detail: hostile },
    ];
    const text = markdownOf(summaryOf(drafts, config), logPlaces(fold(config, events(...drafts))));
    const headings = marked
      .lexer(text)
      .flatMap((token) => (token.type === 'heading' ? [token.raw.slice(0, 9).trim()] : []));
    assert.deepEqual(headings, [
      '# a \\| b',
      '## Accept',
      '## Tasks',
      '## Result',
      '### t1',
      '## Reques',
      '## Reques',
      '## Tasks',
      '## Decisi',
      '## Hosts',
      '## Files',
    ]);
    assertHarmless(text);
    assert.doesNotMatch(text, /[\u202e\u0007]/);
  });
});

describe('Markdown that somebody else wrote', () => {
  const contained = (text: string, prefix = '') =>
    containedMarkdown(text, { prefix, lower: 2, tasks: new Set(['t1', 't2']), file: 'summary.md' }).join('\n');

  it('keeps what is harmless as it is', () => {
    const text =
      '- **bold** and _thin_\n  1. `Map<String>` and `a`\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n[docs](https://docs.example/a?b=1&c=2)\nR&D, 1 < 2';
    assert.equal(contained(text), text.replace('R&D', 'R&amp;D').replace('1 < 2', '1 &lt; 2'));
    assert.equal(
      contained('```ts\nconst a: Map<string> = b && c;\n```'),
      '````ts\nconst a: Map<string> = b && c;\n````',
    );
    assert.equal(contained('\n\n  text\n\n', '> '), '>   text');
  });

  it('links citations of known tasks and lowers headings', () => {
    assert.equal(
      contained('So [t1], [t1, t2] and [t9].'),
      'So [t1](summary.md#t1), [t1](summary.md#t1), [t2](summary.md#t2) and \\[t9].',
    );
    assert.equal(contained('# A\n##### B\nC\n---\nD\n==='), '### A\n###### B\nC\n***\nD\n\\===');
  });

  it('closes a code block that is left open, and none early', () => {
    assert.equal(contained('  ~~~\n  a\n````\n  b'), '`````\na\n````\nb\n`````');
  });

  it('trusts no code span that a reader may see otherwise, and no other address', () => {
    assert.equal(contained('| `x | <img src=x>` |'), '| \\`x | &lt;img src=x>\\` |');
    assert.equal(contained('http://a.example/`<img src=x>`'), 'http://a.example/\\`&lt;img src=x>\\`');
    assert.equal(
      contained('[a](javascript:x) ![b](https://b.example)'),
      '\\[a](javascript:x) \\![b](https://b.example)',
    );
    assert.equal(contained('[a]: javascript:x\n[c][a] &#106;'), '\\[a]: javascript:x\n\\[c]\\[a] &amp;#106;');
    assert.equal(contained('$x$ \\<b> \u202ea\u0000'), '\\$x\\$ &lt;b> a');
  });

  it('lets nothing out and nothing through, for any text', () => {
    const part = fc.oneof(
      fc.constantFrom(
        '<',
        'script',
        '>',
        '`',
        '``',
        '```',
        '~~~',
        '\n',
        '    ',
        '\t',
        '- ',
        '1. ',
        '> ',
        '## ',
        '|',
        '|---|',
        '---',
        '===',
      ),
      fc.constantFrom(
        '[',
        '](',
        '](http://a.example/x)',
        'javascript:x',
        ')',
        '!',
        '\\',
        '&#x3c;',
        '<!--',
        '<b>',
        '<img src=x>',
        '</div>',
      ),
      fc.constantFrom(
        '$',
        '[t1]',
        '[x]: http://e',
        '<http://u.example>',
        'http://a.example/',
        '\r',
        '\u2028',
        '*',
        '~~',
        'word',
      ),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 30 }), fc.constantFrom('', '> '), (parts, prefix) => {
        const document = `# Ours\n\n${contained(parts.join(''), prefix)}\n\n# End\n\n| a | b |\n|---|---|\n| ${plainText(parts.join(''), 99)} | z |\n| ${codeSpan(parts.join(''), 99)} | z |\n`;
        const html = assertHarmless(document);
        assert.match(html, /\n<h1>End<\/h1>\n<table>/);
        assert.equal(html.match(/<h[12]>/g)?.length, 2);
        assert.equal(html.match(/<td>z<\/td>/g)?.length, 2);
      }),
      { numRuns: 1000 },
    );
  });
});

const ELEMENTS = new Set(
  'p ul ol li pre code blockquote em strong del a h1 h2 h3 h4 h5 h6 hr table thead tbody tr th td br'.split(' '),
);

/** The document's HTML, which holds no element but those that Markdown has, and no address but plain ones. */
function assertHarmless(markdown: string): string {
  const html = marked.parse(markdown, { async: false });
  for (const [tag, name = '', attributes = ''] of html.matchAll(/<\/?([a-z!?][^\s/>]*)([^>]*)>/gi)) {
    assert.ok(ELEMENTS.has(name), `${tag} in ${markdown}`);
    const address = /href="([^"]*)"/.exec(attributes)?.[1];
    if (address !== undefined)
      assert.match(address, /^(https?:\/\/|mailto:|#|(summary|answer|results|config)\.(md|json)|log\/|output\/(?!\.))/);
  }
  return html;
}
